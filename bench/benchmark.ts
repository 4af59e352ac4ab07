/** What a benchmark promises: it measures, compares, and says whether the product meets its goals. */

export interface Goal {
  readonly goal: string;
  /** What was measured, as people read it: `1.3x`, `2 reads, 0 writes`. */
  readonly measured: string;
  /** The peer's figure in the same run, where there is one. */
  readonly peer?: string;
  readonly met: boolean;
  /** For a miss: why. */
  readonly cause?: string;
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Half-width of the spread around the value. */
  readonly spread?: number;
  readonly tone: 'ours' | 'peer' | 'floor';
}

export interface Line {
  readonly label: string;
  readonly tone: 'ours' | 'peer' | 'floor';
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** `file` is a name without folder or ending: `cold-start` becomes docs/images/perf-cold-start.svg. */
export type Chart =
  | {
      readonly kind: 'bars';
      readonly file: string;
      readonly title: string;
      readonly unit: string;
      readonly bars: readonly Bar[];
    }
  | {
      readonly kind: 'lines';
      readonly file: string;
      readonly title: string;
      readonly xLabel: string;
      readonly yLabel: string;
      readonly logX?: boolean;
      readonly lines: readonly Line[];
    };

export interface Result {
  readonly goals: readonly Goal[];
  readonly charts: readonly Chart[];
  /** Markdown: what was done, in a few sentences. */
  readonly method: string;
  /** Every raw sample, by name. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface Context {
  /** A shorter run that proves the benchmark itself works; its figures conclude nothing. */
  readonly quick: boolean;
  /** Tells how much of this benchmark is done, from 0 to 1. */
  progress(share: number, label?: string): void;
}

export interface Benchmark {
  readonly name: string;
  readonly title: string;
  /** Roughly how long it takes on two cores, in seconds; for the time left. */
  readonly seconds: number;
  run(context: Context): Promise<Result>;
}
