import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../functions/broker/ports.ts';

export interface FakeClock extends Clock {
  /** Advances time. Sleepers wake in order; everything that one causes is done before the next one wakes. */
  advance(ms: number): Promise<void>;
  /** Advances time from sleeper to sleeper until the promise settles. Fails if it waits for anything but this clock. */
  drive<T>(promise: Promise<T>): Promise<T>;
  /** Sets the time without waking sleepers, as when a clock is corrected. */
  set(now: number): void;
}

/** More wake-ups than any test needs. A sleeper that is still there after them sleeps in an endless loop. */
const MOST_WAKINGS = 20_000;

export const START = Date.UTC(2026, 0, 5, 9, 0, 0);

/** A clock that stands still until a test advances it. */
export function makeFakeClock(start = START): FakeClock {
  let now = start;
  let sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  /** Lets everything run that does not wait for time. */
  const settle = () => setImmediate();

  const wakeNext = async (until: number): Promise<boolean> => {
    await settle();
    const next = sleepers.reduce<(typeof sleepers)[number] | undefined>(
      (first, sleeper) => (!first || sleeper.at < first.at ? sleeper : first),
      undefined,
    );
    if (!next || next.at > until) return false;
    sleepers = sleepers.filter((sleeper) => sleeper !== next);
    now = Math.max(now, next.at);
    next.wake();
    return true;
  };

  return {
    now: () => now,
    sleep: (ms) => new Promise<void>((wake) => sleepers.push({ at: now + ms, wake })),
    set: (time) => void (now = time),
    async advance(ms) {
      const until = now + ms;
      for (let wakings = 0; await wakeNext(until); wakings += 1) {
        if (wakings > MOST_WAKINGS) throw new Error('a sleeper sleeps again and again, and time does not advance');
      }
      now = Math.max(now, until);
      await settle();
    },
    async drive(promise) {
      let settled = false;
      const watch = () => void (settled = true);
      promise.then(watch, watch);
      for (let idle = 0, wakings = 0; idle < 50; idle += 1) {
        await settle();
        if (settled) return promise;
        if (!(await wakeNext(Infinity))) continue;
        idle = -1;
        wakings += 1;
        if (wakings > MOST_WAKINGS)
          throw new Error('a sleeper sleeps again and again, and the promise has not settled');
      }
      throw new Error('there is no sleeper, and the promise has not settled');
    },
  };
}
