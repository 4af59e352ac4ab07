/** How much memory a function is given, from what it was seen to need: a rule, so that the choice can be made again. */

/** At this size a function has one whole processor, at others a share of it (AWS Lambda developer guide, "Configure memory"). */
const MEMORY_OF_ONE_PROCESSOR_MB = 1_769;

export const SIZES_MB = [128, 256, 512, 1_024, 1_769] as const;

/** Whether a person in a browser waits for each call, or an operator, or nobody. */
export type Waiting = 'caller' | 'others';

/** What one function needed at one size; all processor times in ms. */
export interface Need {
  readonly sizeMb: number;
  readonly waiting: Waiting;
  /** Every call was answered as it should be. */
  readonly worked: boolean;
  readonly peakMb: number;
  /** From the start of the process to the end of its first call. */
  readonly cold: number;
  /** A call in a warm sandbox; for the sweep, a run without its rows. */
  readonly warm: number;
  /** The sweep only: one row. */
  readonly perRow?: number;
}

export const RULE = {
  /** At least this share of the memory stays free. */
  spare: 0.4,
  /** A cold start may compute so long, ms, even without the extra processor time that Lambda gives while it loads. */
  coldMs: 2_500,
  /** A warm call may compute so long, ms. */
  warmMs: { caller: 45, others: 250 },
  /** At the highest rate that ThoughtSpot's limit allows, the sweep may use this much of its processor share. */
  rowsPerSecond: 95,
  busy: 0.75,
} as const;

/** How long `processorMs` takes at a size, ms: Lambda gives a share of the processor by memory. */
export function durationMs(processorMs: number, sizeMb: number): number {
  return processorMs / Math.min(1, sizeMb / MEMORY_OF_ONE_PROCESSOR_MB);
}

/** Why a size will not do; empty: it does. */
export function objections(need: Need): readonly string[] {
  const { sizeMb, waiting, worked, peakMb, cold, warm, perRow } = need;
  const busy = (durationMs(perRow ?? 0, sizeMb) * RULE.rowsPerSecond) / 1_000;
  return [
    ...(worked ? [] : ['it failed']),
    ...(peakMb <= sizeMb * (1 - RULE.spare) ? [] : [`peak of ${peakMb} MB`]),
    ...(durationMs(cold, sizeMb) <= RULE.coldMs ? [] : [`${durationMs(cold, sizeMb).toFixed(0)} ms cold`]),
    ...(durationMs(warm, sizeMb) <= RULE.warmMs[waiting] ? [] : [`${durationMs(warm, sizeMb).toFixed(0)} ms warm`]),
    ...(busy <= RULE.busy ? [] : [`${(busy * 100).toFixed(0)} % busy at ${RULE.rowsPerSecond} rows/s`]),
  ];
}

/** The smallest size without an objection; undefined if all have one. */
export function smallestThatServes(needs: readonly Need[]): number | undefined {
  return needs
    .filter((need) => objections(need).length === 0)
    .map(({ sizeMb }) => sizeMb)
    .sort((one, other) => one - other)[0];
}
