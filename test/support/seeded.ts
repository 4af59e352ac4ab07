/** Seeded random numbers: the same seed gives the same run (mulberry32). */
export interface Chance {
  /** Uniform in [0, 1). */
  (): number;
  below(bound: number): number;
  pick<T>(items: readonly T[]): T;
  maybe(probability: number): boolean;
}

export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number) => Math.floor(next() * bound);
  return Object.assign(next, {
    below,
    pick<T>(items: readonly T[]): T {
      for (const item of items.slice(below(items.length))) return item;
      throw new Error('nothing to pick from');
    },
    maybe: (probability: number) => next() < probability,
  });
}

/** Seeds of a run: SEED=n repeats one, NIGHTLY=1 tries `nightly` of them, otherwise `daily`. */
export function seeds(daily: number, nightly: number): number[] {
  const { SEED, NIGHTLY } = process.env;
  if (SEED !== undefined) return [Number(SEED)];
  return Array.from({ length: NIGHTLY === '1' ? nightly : daily }, (_, n) => n + 1);
}
