/** The rule that chooses the memory of a function from its measured needs. A rule makes the choice repeatable. */

/** This size gives one whole processor, less memory a share of one (AWS Lambda developer guide, "Configure memory"). */
const MEMORY_OF_ONE_PROCESSOR_MB = 1_769;

export const SIZES_MB = [128, 256, 512, 1_024, 1_280, 1_536, 1_769] as const;

/** Who waits for each call: `caller` is a person in a browser; `others` is an operator or nobody. */
export type Waiting = 'caller' | 'others';

/** What one function needed at one memory size; processor times in ms. */
export interface Need {
  readonly sizeMb: number;
  readonly waiting: Waiting;
  /** Whether every call got the expected answer. */
  readonly worked: boolean;
  readonly peakMb: number;
  /** From the start of the process to the end of its first call. */
  readonly cold: number;
  /** A call in a warm sandbox; for the sweep, a run without rows. */
  readonly warm: number;
  /** One row; only for the sweep. */
  readonly perRow?: number;
}

export const RULE = {
  /** At least this share of the memory stays free. */
  spare: 0.4,
  /** Longest that a cold start may compute, ms, even without the extra processor time that Lambda gives while it loads. */
  coldMs: 2_500,
  /** Longest that a warm call may compute, ms. */
  warmMs: { caller: 45, others: 250 },
  /** The share of its processor time that the sweep may use (`busy`) at the highest rate that ThoughtSpot's limit allows. */
  rowsPerSecond: 95,
  busy: 0.6,
} as const;

/** How long `processorMs` takes at a memory size, ms: Lambda allocates a share of the processor by memory. */
export function durationMs(processorMs: number, sizeMb: number): number {
  return processorMs / Math.min(1, sizeMb / MEMORY_OF_ONE_PROCESSOR_MB);
}

/** Why a memory size is not enough; empty if it is. */
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

/** How much worse another run may find a function than this one, as a share: runs of the same code differ by this much. */
const DOUBT = 0.1;

function inDoubt(need: Need): Need {
  const worse = (figure: number) => figure * (1 + DOUBT);
  const { peakMb, cold, warm, perRow } = need;
  return {
    ...need,
    ...{ peakMb: worse(peakMb), cold: worse(cold), warm: worse(warm) },
    ...(perRow !== undefined && { perRow: worse(perRow) }),
  };
}

export interface Choice {
  /** The smallest size that satisfies the rule in this run; undefined if none does. */
  readonly smallest: number | undefined;
  /** The smallest that would also satisfy it if every figure were worse by `DOUBT`; undefined if none would. */
  readonly safe: number | undefined;
  readonly met: boolean;
}

/**
 * Whether a size is what the rule chooses: from the smallest that satisfies it up to the smallest that does so without a doubt.
 * Where the two differ, runs of the same code choose now one and now the other, and both are right.
 */
export function choice(needs: readonly Need[], givenMb: number): Choice {
  const [smallest, safe] = [smallestThatServes(needs), smallestThatServes(needs.map(inDoubt))];
  const serves = needs.some((need) => need.sizeMb === givenMb && objections(need).length === 0);
  return { smallest, safe, met: serves && (givenMb === smallest || givenMb <= (safe ?? 0)) };
}

/** The smallest size without an objection; undefined if every size has one. */
export function smallestThatServes(needs: readonly Need[]): number | undefined {
  return needs
    .filter((need) => objections(need).length === 0)
    .map(({ sizeMb }) => sizeMb)
    .sort((one, other) => one - other)[0];
}
