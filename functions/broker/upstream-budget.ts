/**
 * The share of ThoughtSpot that background work may use: a rate, a number of calls in flight, and a circuit that opens
 * when ThoughtSpot is down, so that an outage costs a few calls and not one per row.
 */
import type { ProblemCode } from '../contract/problems.ts';
import type { Failure } from './failure.ts';
import type { Clock, Randomness } from './ports.ts';

export const BUDGET_SETTINGS = {
  /** Calls begun per second at most. */
  ratePerSecond: 50,
  /** Calls in flight at most ... */
  maxInFlight: 16,
  /** ... and until ThoughtSpot has answered once. */
  probesInFlight: 2,
  /** The circuit opens after this many calls in a row that ThoughtSpot did not answer. */
  openAfter: 4,
};
export type BudgetSettings = Readonly<typeof BUDGET_SETTINGS>;

/** Why a call was not made: the circuit is open, or its turn would not come in time. */
export type NoTurn = 'circuit-open' | 'no-time';

/** What the circuit learns from a call: its failure, if it failed. */
export interface CallResult {
  readonly failure?: Failure | undefined;
}

export interface UpstreamBudget {
  /**
   * Waits for a turn, at most until `until` (epoch ms), then calls. A call that finds that there is nothing to ask
   * ThoughtSpot returns undefined, and the circuit learns nothing from it.
   */
  run<T extends CallResult>(
    until: number,
    call: () => Promise<T | undefined>,
  ): Promise<{ readonly result?: T } | NoTurn>;
  isOpen(): boolean;
}

/** Failures after which the next call will most likely fail too, for any row. */
const OUTAGES: ReadonlySet<ProblemCode> = new Set(['upstream-unavailable', 'upstream-timeout', 'upstream-busy']);

export function makeUpstreamBudget(clock: Clock, randomness: Randomness, settings: BudgetSettings): UpstreamBudget {
  const intervalMs = 1_000 / settings.ratePerSecond;
  let nextTurnAt = 0;
  let queue: Promise<unknown> = Promise.resolve();
  let inFlight = 0;
  let answered = false;
  let failuresInARow = 0;
  const waiting: (() => void)[] = [];

  const isOpen = () => failuresInARow >= settings.openAfter;
  const isFull = () => inFlight >= (answered ? settings.maxInFlight : settings.probesInFlight);
  const wakeAll = () => waiting.splice(0).forEach((wake) => wake());

  /** One after the other, so that a stall of this process is not followed by a burst. */
  async function takeTurn(until: number): Promise<NoTurn | undefined> {
    while (isFull() && !isOpen()) await new Promise<void>((wake) => waiting.push(wake));
    if (isOpen()) return 'circuit-open';
    const now = clock.now();
    const turnAt = Math.max(nextTurnAt, now - intervalMs);
    if (Math.max(turnAt, now) >= until) return 'no-time';
    if (turnAt > now) await clock.sleep(Math.ceil(turnAt - now));
    if (isOpen()) return 'circuit-open';
    nextTurnAt = turnAt + intervalMs * (1 + randomness() * 0.06);
    inFlight += 1;
    return undefined;
  }

  function note({ failure }: CallResult): void {
    const outage = failure !== undefined && OUTAGES.has(failure.code);
    failuresInARow = outage ? failuresInARow + 1 : 0;
    answered ||= !outage;
  }

  return {
    isOpen,
    async run(until, call) {
      const turn = queue.then(() => takeTurn(until));
      queue = turn;
      const noTurn = await turn;
      if (noTurn) return noTurn;
      try {
        const result = await call();
        if (!result) return {};
        note(result);
        return { result };
      } finally {
        inFlight -= 1;
        wakeAll();
      }
    },
  };
}
