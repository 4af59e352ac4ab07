/**
 * Use case sweep: once a minute it does whatever is due. Cut-offs first, then the due index, all shards at once; it stops
 * well before its deadline and leaves the rest due for the next run.
 */
import { workOffCutOffs, type CutOffSettings } from './cut-off-work.ts';
import type { EndDeps } from './end-at-thoughtspot.ts';
import { inParallel } from './in-parallel.ts';
import type { Lease } from './lease.ts';
import type { Signals } from './ports.ts';
import { type RowDeps, type RowEnd, sweepRow } from './sweep-row.ts';
import { BUDGET_DEFAULTS, type BudgetSettings, makeUpstreamBudget } from './upstream-budget.ts';
import type { Sweep, SweepTally } from './use-cases.ts';

export interface SweepDeps extends EndDeps {
  readonly signals: Signals;
  /** Parts of SWEEP_DEFAULTS to replace. */
  readonly settings?: Partial<SweepSettings>;
}

/** All in ms, but the rates and numbers. */
export interface SweepSettings extends BudgetSettings, CutOffSettings {
  /** No row is begun in this last part of the time: longer than a call may take. */
  readonly stopBeforeMs: number;
  /** Longest that one revocation may take. */
  readonly callTimeoutMs: number;
  /** How long a claimed row is left alone by other sweeps. */
  readonly claimMs: number;
  /** Rows of one shard that are worked at once. */
  readonly shardWidth: number;
  /** Failed attempts from which a revocation counts as stuck. It goes on all the same. */
  readonly stuckAfter: number;
}

export const SWEEP_DEFAULTS: SweepSettings = {
  ...BUDGET_DEFAULTS,
  pageSize: 100,
  cutOffWidth: 16,
  settleMs: 120_000,
  stopBeforeMs: 7_000,
  callTimeoutMs: 5_000,
  claimMs: 30_000,
  shardWidth: 8,
  stuckAfter: 5,
};

interface Run extends RowDeps {
  readonly settings: SweepSettings;
  /** Rows due by then are this run's. */
  readonly dueBy: number;
  readonly stopAt: number;
  readonly deadline: number;
  readonly tally: { -readonly [Name in keyof SweepTally]: SweepTally[Name] };
}

/** Throws `Failure` only if it could do nothing at all: no shard of the ledger could be worked. */
export function makeSweep(deps: SweepDeps): Sweep {
  const settings = { ...SWEEP_DEFAULTS, ...deps.settings };
  const { clock, ledger, log } = deps;

  return async (deadline) => {
    const stopAt = deadline - settings.stopBeforeMs;
    const now = clock.now();
    // The rows of a mass revocation must not keep the due ones waiting: half of the time is theirs.
    const complete = await workOffCutOffs(deps, settings, now + (stopAt - now) / 2, deadline).catch(
      (error: unknown) => {
        log.warn('cut-offs could not be worked off', { error });
        return false;
      },
    );
    const run: Run = {
      ...deps,
      ...settings,
      settings,
      budget: makeUpstreamBudget(clock, deps.randomness, settings),
      dueBy: clock.now(),
      stopAt,
      deadline,
      tally: { ...NOTHING, unfinished: !complete },
    };
    const shards = Array.from({ length: ledger.shards }, (_, shard) => sweepShard(run, shard));
    const failed = (await Promise.allSettled(shards)).filter((end) => end.status === 'rejected');
    emitTally(deps.signals, run.tally);
    if (failed.length > 0) {
      run.tally.unfinished = true;
      const error: unknown = failed[0]?.reason;
      log.error('shards of the ledger could not be worked', { failed: failed.length, of: ledger.shards, error });
      if (failed.length === ledger.shards) throw error;
    }
    return run.tally;
  };
}

const NOTHING: SweepTally = {
  due: 0,
  revoked: 0,
  expired: 0,
  retried: 0,
  stuck: 0,
  orphaned: 0,
  oldestDueAgeMs: 0,
  unfinished: false,
};

async function sweepShard(run: Run, shard: number): Promise<void> {
  const { ledger, settings, dueBy, deadline } = run;
  let cursor: string | undefined;
  do {
    const { leases, next } = await ledger.due(shard, dueBy, settings.pageSize, cursor, deadline);
    let done = 0;
    await inParallel(leases, settings.shardWidth, async (lease) => {
      if (count(run, lease, await sweepInTime(run, lease))) done += 1;
    });
    cursor = next;
    const last = leases.at(-1);
    // With the circuit open only rows that need no call are worked, and only while there are any to be found.
    const stop = run.clock.now() >= run.stopAt || (run.budget.isOpen() && done === 0);
    if (stop && next !== undefined && last) return leave(run, last);
  } while (cursor !== undefined);
}

async function sweepInTime(run: Run, lease: Lease): Promise<RowEnd> {
  return run.clock.now() >= run.stopAt ? 'left' : sweepRow(run, lease, run.stopAt, run.deadline);
}

/** Counts the row, and returns whether anything was done about it. */
function count(run: Run, lease: Lease, end: RowEnd): boolean {
  const { tally, settings } = run;
  tally.due += 1;
  if (end === 'passed') return false;
  if (end === 'left') {
    leave(run, lease);
    return false;
  }
  if (typeof end === 'string') tally[end] += 1;
  else {
    tally.retried += 1;
    if (end.failedAttempts >= settings.stuckAfter) tally.stuck += 1;
  }
  return true;
}

/** `lease`, and all that is due after it, is left for the next run. */
function leave({ tally, clock }: Run, lease: Lease): void {
  tally.unfinished = true;
  tally.oldestDueAgeMs = Math.max(tally.oldestDueAgeMs, clock.now() - (lease.dueAt ?? clock.now()));
}

/** Zeros of what is watched by age are told too: an alarm has to see that all is well again. */
function emitTally(signals: Signals, tally: SweepTally): void {
  const { due, revoked, expired, retried, stuck, orphaned, oldestDueAgeMs } = tally;
  const counts = { due, revoked, expired, retried, stuck, 'orphan-seen': orphaned } as const;
  for (const signal of ['due', 'revoked', 'expired', 'retried', 'stuck', 'orphan-seen'] as const) {
    if (counts[signal] > 0) signals.emit(signal, counts[signal]);
  }
  signals.emit('oldest-due-age', Math.round(oldestDueAgeMs / 1_000));
}
