/** Statistics that a noisy machine does not distort: medians, spreads, and ratios of things that are measured in turn. */

export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** Distance between the quartiles as a share of the median: 0.1 means that half of the samples lie within 10 %. */
export function spread(samples: readonly number[]): number {
  return (quantile(samples, 0.75) - quantile(samples, 0.25)) / median(samples);
}

export interface Summary {
  readonly median: number;
  readonly p99: number;
  readonly spread: number;
  readonly n: number;
}

export function summary(samples: readonly number[]): Summary {
  return { median: median(samples), p99: quantile(samples, 0.99), spread: spread(samples), n: samples.length };
}

/**
 * Measures several things in turn, A B A B, `rounds` times after `warmUp` rounds that do not count. Anything that slows
 * the machine down for a while then affects all of them equally. `onRound` is called after every round, to show progress.
 */
export async function interleave<Name extends string>(
  subjects: Readonly<Record<Name, () => Promise<number> | number>>,
  { rounds, warmUp = 1, onRound }: { readonly rounds: number; readonly warmUp?: number; readonly onRound?: () => void },
): Promise<Record<Name, number[]>> {
  const names = Object.keys(subjects) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const name of names) {
      const sample = await subjects[name]();
      if (round >= 0) samples[name].push(sample);
    }
    onRound?.();
  }
  return samples;
}

/** Ratios round by round: each compares two samples that are close in time. */
export function ratios(numerator: readonly number[], denominator: readonly number[]): number[] {
  return numerator.slice(0, denominator.length).map((value, index) => value / (denominator[index] ?? Number.NaN));
}

/** How many round trips a time contains, by what it adds when every answer takes `latencyMs`. */
export function tripsIn(delayed: readonly number[], usual: readonly number[], latencyMs: number): number {
  return (median(delayed) - median(usual)) / latencyMs;
}

/** Events per second, from the first to the last, at these times in ms. */
export function perSecondOf(times: readonly number[]): number {
  return ((times.length - 1) * 1_000) / ((times.at(-1) ?? 0) - (times[0] ?? 0));
}

/** The longest time without an event, ms. */
export function longestPause(times: readonly number[]): number {
  return Math.max(0, ...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}

export function milliseconds(work: () => unknown): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

export async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Runs a fixed calculation, ms. The variation of its time shows how noisy the machine is. */
export function calibrate(): number {
  return milliseconds(() => {
    let value = 1;
    for (let index = 0; index < 3_000_000; index += 1) value = (value * 1_103_515_245 + 12_345) % 2_147_483_648;
    return value;
  });
}

/** Above this spread of the calibration, the figures of a run are not conclusive. */
export const TOO_NOISY = 0.25;
