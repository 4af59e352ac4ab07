/**
 * Use case sweep: once a minute it does all that is due. Cut-offs first, then the due index, all shards at once; it stops
 * well before its deadline and leaves the rest due for the next run.
 */
import { CUT_OFF_SETTINGS, workOffCutOffs } from './cut-off-work.ts';
import { asSeen, endAtThoughtSpot, type Ending, type Ender, type Opened, openToken } from './end-at-thoughtspot.ts';
import { inParallel } from './in-parallel.ts';
import { closesAt, type Lease, leaseFacts } from './lease.ts';
import type { Randomness, Signals, World } from './ports.ts';
import { BUDGET_SETTINGS, makeUpstreamBudget, type UpstreamBudget } from './upstream-budget.ts';
import type { Sweep, SweepTally } from './use-cases.ts';

/** Settings of the sweep; times in ms. */
export const SWEEP_SETTINGS = {
  ...BUDGET_SETTINGS,
  ...CUT_OFF_SETTINGS,
  /** No row is begun in this last part of the time: longer than a call may take. */
  stopBeforeMs: 7_000,
  /** Longest that one revocation may take. */
  callTimeoutMs: 5_000,
  /** How long a claimed row is left alone by other sweeps: longer than one call may take. */
  claimMs: 30_000,
  /** Rows that are worked at once: so many tokens are open at most, which telemetry knows all (known-secrets.ts). */
  width: 64,
  /** Failed attempts from which a revocation counts as stuck. It goes on all the same. */
  stuckAfter: 5,
  /** Failed attempts, or time in the queue, with which a revocation has missed its service level. */
  lateAfter: 2,
  lateAfterMs: 60_000,
};
export type SweepSettings = Readonly<typeof SWEEP_SETTINGS>;

/** What the rows of one run share. */
interface RowWorld extends Ender, Pick<SweepSettings, 'claimMs' | 'callTimeoutMs'> {
  readonly budget: UpstreamBudget;
}

interface Run extends RowWorld, SweepSettings {
  /** Rows due by then are this run's. */
  readonly dueBy: number;
  readonly stopAt: number;
  readonly deadline: number;
  readonly tally: { -readonly [Name in keyof SweepTally]: SweepTally[Name] };
}

/**
 * `passed`: another sweep or the minter was faster, or there is nothing to do yet. `left`: still due, there was no turn
 * at ThoughtSpot for it. `not-accepted`: ThoughtSpot does not accept the token now, which confirms nothing.
 */
export type RowEnd =
  'revoked' | 'not-accepted' | 'expired' | 'orphaned' | 'passed' | 'left' | { readonly failedAttempts: number };

/**
 * Throws `Failure` only if it could do nothing at all: no shard of the ledger could be worked. `settings` replaces parts
 * of SWEEP_SETTINGS.
 */
export function makeSweep(world: World & { readonly settings?: Partial<SweepSettings> }): Sweep {
  const settings = { ...SWEEP_SETTINGS, ...world.settings };
  const { clock, ledger, log } = world;

  return async (deadline) => {
    const stopAt = deadline - settings.stopBeforeMs;
    const now = clock.now();
    // The rows of a mass revocation must not keep the due ones waiting: half of the time is theirs.
    const complete = await workOffCutOffs(world, settings, now + (stopAt - now) / 2, deadline).catch(
      (error: unknown) => {
        log.warn('cut-offs could not be worked off', { error });
        return false;
      },
    );
    const budget = makeUpstreamBudget(clock, world.randomness, settings);
    const tally = { ...NOTHING, unfinished: !complete };
    const run: Run = { ...world, ...settings, budget, dueBy: clock.now(), stopAt, deadline, tally };
    const shards = shuffled(ledger.shards, world.randomness);
    const failed: unknown[] = [];
    await inParallel(shards, settings.width, (shard) =>
      sweepShard(run, shard).catch((error: unknown) => void failed.push(error)),
    );
    emitTally(world.signals, tally);
    if (failed.length > 0) {
      tally.unfinished = true;
      const [error] = failed;
      log.error('shards of the ledger could not be worked', { failed: failed.length, of: ledger.shards, error });
      if (failed.length === ledger.shards) throw error;
    }
    return tally;
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

/** 0 to `count` - 1, so that no shard is first in line at every run. */
function shuffled(count: number, randomness: Randomness): number[] {
  return Array.from({ length: count }, (_, shard) => ({ shard, at: randomness() }))
    .sort((one, other) => one.at - other.at)
    .map(({ shard }) => shard);
}

async function sweepShard(run: Run, shard: number): Promise<void> {
  const { ledger, clock, stopAt, deadline } = run;
  const width = Math.max(1, Math.floor(run.width / ledger.shards));
  let cursor: string | undefined;
  do {
    const { leases, next } = await ledger.due(shard, run.dueBy, run.pageSize, cursor, deadline);
    let done = 0;
    await inParallel(leases, width, async (lease) => {
      const end = clock.now() >= stopAt ? 'left' : await sweepRow(run, lease, stopAt, deadline);
      if (count(run, lease, end)) done += 1;
    });
    cursor = next;
    const last = leases.at(-1);
    // With the circuit open only rows that need no call are worked, and only while there are any to be found.
    const stop = clock.now() >= stopAt || (run.budget.isOpen() && done === 0);
    if (stop && next !== undefined && last) return leave(run, last);
  } while (cursor !== undefined);
}

/** Counts the row, and returns whether anything was done about it. */
function count(run: Run, lease: Lease, end: RowEnd): boolean {
  const { tally } = run;
  tally.due += 1;
  if (isLate(run, lease, end)) run.signals.emit('revoked-late');
  if (end === 'passed') return false;
  if (end === 'left') {
    leave(run, lease);
    return false;
  }
  if (end === 'not-accepted') tally.retried += 1;
  else if (typeof end === 'string') tally[end] += 1;
  else {
    tally.retried += 1;
    if (end.failedAttempts >= run.stuckAfter) tally.stuck += 1;
  }
  return true;
}

/** Its end took a third attempt, a minute in the queue, or came by itself. */
function isLate({ clock, lateAfter, lateAfterMs }: Run, { state, attempts, dueAt = 0 }: Lease, end: RowEnd): boolean {
  if (state !== 'revoking') return false;
  return end === 'expired' || (end === 'revoked' && (attempts >= lateAfter || clock.now() - dueAt > lateAfterMs));
}

/** `lease`, and all that is due after it, is left for the next run. */
function leave({ tally, clock }: Run, lease: Lease): void {
  tally.unfinished = true;
  tally.oldestDueAgeMs = Math.max(tally.oldestDueAgeMs, clock.now() - (lease.dueAt ?? clock.now()));
}

/** The age is emitted even when it is zero, so that the alarm clears. */
function emitTally(signals: Signals, tally: SweepTally): void {
  const { due, revoked, expired, retried, stuck, orphaned, oldestDueAgeMs } = tally;
  const counts = { due, revoked, expired, retried, stuck, 'orphan-seen': orphaned } as const;
  for (const signal of ['due', 'revoked', 'expired', 'retried', 'stuck', 'orphan-seen'] as const) {
    if (counts[signal] > 0) signals.emit(signal, counts[signal]);
  }
  signals.emit('oldest-due-age', Math.round(oldestDueAgeMs / 1_000));
}

/**
 * What the sweep does with one due row. Each write is conditional on the row being as seen, so no two sweeps do it twice.
 * `stopAt`: no call is begun from then on; `deadline`: the ledger's. Throws `Failure` if the ledger fails.
 */
export async function sweepRow(world: RowWorld, lease: Lease, stopAt: number, deadline: number): Promise<RowEnd> {
  const now = world.clock.now();
  const atEnd = now >= closesAt(lease);
  switch (lease.state) {
    case 'reserved':
      return now >= lease.mintDeadlineAt ? orphan(world, lease, deadline) : 'passed';
    case 'live':
    case 'revoking':
      if (atEnd) return expire(world, lease, deadline);
      if (lease.sealed) return revoke(world, lease, stopAt, deadline);
      return now >= lease.mintDeadlineAt ? orphan(world, lease, deadline) : awaitMinter(world, lease, deadline);
    case 'orphaned':
      return atEnd ? expire(world, lease, deadline) : 'passed';
    case 'revoked':
    case 'failed':
    case 'expired':
      return 'passed';
  }
}

/** Its minting process is gone and left no token: if there is one, it only ends by expiring. */
async function orphan({ ledger, audit }: RowWorld, lease: Lease, deadline: number): Promise<RowEnd> {
  const change = { to: 'orphaned', from: [lease.state], ...asSeen(lease), dueAt: closesAt(lease) } as const;
  const row = await ledger.transition(lease, change, deadline);
  if (row) audit.record({ action: 'orphan', ...leaseFacts(row) });
  return row ? 'orphaned' : 'passed';
}

async function expire({ ledger, audit }: RowWorld, lease: Lease, deadline: number): Promise<RowEnd> {
  const row = await ledger.transition(lease, { to: 'expired', ...asSeen(lease), dueAt: null }, deadline);
  if (row) audit.record({ action: 'expire', ...leaseFacts(row) });
  return row ? 'expired' : 'passed';
}

/** Its minting process may still be working, and revokes the token itself. */
async function awaitMinter({ ledger }: RowWorld, lease: Lease, deadline: number): Promise<RowEnd> {
  const dueAt = lease.mintDeadlineAt;
  await ledger.transition(lease, { to: 'revoking', from: ['revoking'], ...asSeen(lease), dueAt }, deadline);
  return 'passed';
}

async function revoke(world: RowWorld, lease: Lease, stopAt: number, deadline: number): Promise<RowEnd> {
  const opened = await openToken(world, lease, deadline);
  if (!('token' in opened)) return rowEnd(opened);
  const end = await world.budget.run(stopAt, () => claimAndEnd(world, lease, opened, deadline));
  if (typeof end === 'string') return 'left';
  return end.result ? rowEnd(end.result) : 'passed';
}

function rowEnd(end: Ending): RowEnd {
  if (end.failure) return { failedAttempts: end.attempts };
  return end.confirmed ? 'revoked' : 'not-accepted';
}

/** Claims only once the turn has come, so that a claim never runs out while its row waits. */
async function claimAndEnd(
  world: RowWorld,
  lease: Lease,
  opened: Opened,
  deadline: number,
): Promise<Ending | undefined> {
  const now = world.clock.now();
  const change = { to: 'revoking', from: [lease.state], ...asSeen(lease), dueAt: now + world.claimMs } as const;
  const claimed = await world.ledger.transition(lease, change, deadline);
  if (!claimed) return undefined;
  return endAtThoughtSpot(world, claimed, opened, Math.min(now + world.callTimeoutMs, deadline), deadline);
}
