import { setTimeout as sleep } from 'node:timers/promises';
import { Finding } from './checklist.ts';

/** How long a revoked token may still work. ThoughtSpot documents no limit (wire facts 3.4). */
const DEAD_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 250;

/** Whether ThoughtSpot accepts a token. Throws Finding if it does not say. */
export type IsAlive = (token: string) => Promise<boolean>;

/** Waits until the token is dead. Resolves with the ms that took. Throws Finding if it takes too long. */
export async function untilDead(isAlive: () => Promise<boolean>): Promise<number> {
  const started = performance.now();
  let looked = 0;
  while (await isAlive()) {
    if (performance.now() - started > DEAD_WITHIN_MS)
      throw new Finding(
        `the revoked token still works after ${DEAD_WITHIN_MS / 1000} s`,
        'Revocation does not work on this cluster: keep validity short, and ask ThoughtSpot support.',
      );
    looked += 1;
    await sleep(LOOK_EVERY_MS);
  }
  return looked === 0 ? 0 : Math.round(performance.now() - started);
}
