import type { Randomness } from './ports.ts';

const FIRST_MS = 1_000;
const LONGEST_MS = 300_000;

/** How long to put off a revocation that has failed `attempts` times: 1 s doubling to 5 min, full jitter, ms. */
export function backOffMs(attempts: number, randomness: Randomness): number {
  return Math.ceil(randomness() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, attempts - 1)));
}
