import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Randomness, Sha256 } from '../broker/ports.ts';

/** The real clock, randomness and digests, which the domain may not access directly. */
export const clock: Clock = { now: () => Date.now(), sleep: (ms) => sleep(ms) };
export const randomness: Randomness = () => Math.random();
export const sha256: Sha256 = (text) => hash('sha256', text, 'base64url');

/** Options of every AWS client. Without `throwOnRequestTimeout` the SDK only warns of a late answer and keeps waiting. */
export const AWS_CLIENT_OPTIONS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_500, throwOnRequestTimeout: true },
} as const;

/** Lambda sends SIGTERM before it ends a sandbox that has an extension, and the local setup to every sandbox. */
export function onShutdown(close: () => Promise<void>): void {
  process.once('SIGTERM', () => void close().finally(() => process.exit(0)));
}
