/** The types of a benchmark. It measures, compares, and says whether the product meets its goals. */

export interface Goal {
  readonly goal: string;
  /** The result as text for people: `1.3x`, `2 reads, 0 writes`. */
  readonly measured: string;
  /** The peer's figure in the same run, if there is a peer. */
  readonly peer?: string;
  readonly met: boolean;
  /** Why the goal was missed. */
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
  /** Markdown: how it was measured, in a few sentences. */
  readonly method: string;
  /** Every raw sample, by name. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface Context {
  /** A short run that only shows that the benchmark itself works; its figures mean nothing. */
  readonly quick: boolean;
  /** Reports how much of this benchmark is done, from 0 to 1. */
  progress(share: number, label?: string): void;
}

export interface Benchmark {
  readonly name: string;
  readonly title: string;
  /** Roughly how long it takes on two cores, in seconds; used to show the remaining time. */
  readonly seconds: number;
  run(context: Context): Promise<Result>;
}
