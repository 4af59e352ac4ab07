import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Randomness, Sha256 } from '../broker/ports.ts';

/** The real clock, randomness and digests, which the domain may not access directly. */
export const clock: Clock = { now: () => Date.now(), sleep: (ms) => sleep(ms) };
export const randomness: Randomness = () => Math.random();
export const sha256: Sha256 = (text) => createHash('sha256').update(text, 'utf8').digest('base64url');

/** Lambda sends SIGTERM before it ends a sandbox that has an extension, and the local setup to every sandbox. */
export function onShutdown(close: () => Promise<void>): void {
  process.once('SIGTERM', () => void close().finally(() => process.exit(0)));
}
