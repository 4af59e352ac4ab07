/**
 * Use case revoketoken. State first: a row that says `revoking` is never served again and its minter takes the token
 * back, whatever happens afterwards. ThoughtSpot second, within a time budget; the sweep carries on with the rest.
 */
import { leaseFacts } from './audit-facts.ts';
import { endAtThoughtSpot, type EndDeps, type Ending } from './end-at-thoughtspot.ts';
import { Failure } from './failure.ts';
import { inParallel } from './in-parallel.ts';
import { certainEnd, isUnfinished, type Lease } from './lease.ts';
import type { AuditEvent, CutOffScope, SessionIssuer, Signals } from './ports.ts';
import { requireOperator, selectLeases, type SelectionDeps, type Unledgered } from './revoke-selection.ts';
import { BUDGET_DEFAULTS, type BudgetSettings, makeUpstreamBudget } from './upstream-budget.ts';
import type { Revoker, RevokeTally, RevokeTokens } from './use-cases.ts';

export interface RevokeTokensDeps extends EndDeps, SelectionDeps {
  readonly ledger: EndDeps['ledger'];
  readonly issuer: Pick<SessionIssuer, 'revoke' | 'sessionInfo'>;
  readonly signals: Signals;
  /** Parts of REVOKE_DEFAULTS to replace. */
  readonly settings?: Partial<RevokeSettings>;
}

/** All in ms, but the rates and numbers. */
export interface RevokeSettings extends BudgetSettings {
  /** Rows that are written at once. */
  readonly width: number;
  /** Longest that an answer waits for ThoughtSpot, all rows together. */
  readonly upstreamMs: number;
  /** Kept of the deadline for writing outcomes. */
  readonly writeMs: number;
  /** How far clocks of sandboxes may differ: a cut-off covers rows of clocks that run ahead by this much. */
  readonly clockAllowanceMs: number;
  /** An `asOf` further ahead than this is refused: it would cover rows that do not exist yet. */
  readonly futureMs: number;
}

export const REVOKE_DEFAULTS: RevokeSettings = {
  ...BUDGET_DEFAULTS,
  width: 8,
  upstreamMs: 10_000,
  writeMs: 2_000,
  clockAllowanceMs: 1_000,
  futureMs: 300_000,
};

/**
 * Resolves once the revocation is durable: every selected row is `revoking` or finished (or, for `org` and `all`, the
 * cut-off is written). Doing it again changes nothing. Throws `Failure`: then ask again, what was done stays done.
 */
export function makeRevokeTokens(deps: RevokeTokensDeps): RevokeTokens {
  const settings = { ...REVOKE_DEFAULTS, ...deps.settings };

  return async (revoker, selection, asOf, deadline) => {
    if (!(asOf <= deps.clock.now() + settings.futureMs)) {
      throw new Failure('invalid-request', { reason: 'the revocation is dated in the future' });
    }
    if (selection.kind === 'org' || selection.kind === 'all') {
      requireOperator(revoker);
      return cutOff(deps, settings, revoker, selection, asOf, deadline);
    }
    const selected = await selectLeases(deps, revoker, selection, asOf, deadline);
    if ('unledgered' in selected) return endUnledgered(deps, revoker, selected.unledgered, deadline);
    return endLeases(deps, settings, revoker, selected.leases, deadline);
  };
}

/** One write covers everything at once; the sweep works off the rows. */
async function cutOff(
  deps: RevokeTokensDeps,
  settings: RevokeSettings,
  revoker: Revoker,
  scope: CutOffScope,
  asOf: number,
  deadline: number,
): Promise<RevokeTally> {
  // A mint that begins after this is written takes a `reservedAt` that is not covered, whatever its clock says.
  await deps.ledger.raiseCutOff(scope, asOf + settings.clockAllowanceMs, deadline);
  const { reasons = [], ...who } = requester(revoker);
  const what = scope.kind === 'org' ? `org ${scope.orgId}` : 'all orgs';
  deps.audit.record({ action: 'cut-off', ...who, reasons: [...reasons, `covers ${what}`] });
  return { revoked: 0, pending: null };
}

async function endLeases(
  deps: RevokeTokensDeps,
  settings: RevokeSettings,
  revoker: Revoker,
  leases: Iterable<Lease> | AsyncIterable<Lease>,
  deadline: number,
): Promise<RevokeTally> {
  const { clock, signals } = deps;
  const until = Math.min(clock.now() + settings.upstreamMs, deadline - settings.writeMs);
  let revoked = 0;
  let pending = 0;
  const toPresent: Lease[] = [];
  await inParallel(leases, settings.width, async (lease) => {
    const accepted = await accept(deps, revoker, lease, deadline);
    if (accepted === 'ended') revoked += 1;
    else if (accepted === 'pending') pending += 1;
    else toPresent.push(accepted);
  });

  const budget = makeUpstreamBudget(clock, deps.randomness, settings);
  let confirmed = 0;
  await inParallel(toPresent, settings.maxInFlight, async (lease) => {
    const spent = await budget.spend(until, () => present(deps, lease, until, deadline));
    if (typeof spent !== 'string' && spent.heard && !spent.heard.failure) confirmed += 1;
    else pending += 1;
  });
  if (confirmed > 0) signals.emit('revoked', confirmed);
  return { revoked: revoked + confirmed, pending };
}

/** The revocation is durable already: if the ledger fails now, the sweep carries on. */
async function present(
  deps: RevokeTokensDeps,
  lease: Lease,
  until: number,
  deadline: number,
): Promise<Ending | undefined> {
  try {
    return await endAtThoughtSpot(deps, lease, until, deadline);
  } catch (error) {
    deps.log.warn('a revocation is left to the sweep', { error });
    return undefined;
  }
}

/** Makes a row `revoking`. Returns it if ThoughtSpot has to be told; `pending` if somebody else does or will do that. */
async function accept(
  deps: RevokeTokensDeps,
  revoker: Revoker,
  lease: Lease,
  deadline: number,
): Promise<'ended' | 'pending' | Lease> {
  const { ledger, clock } = deps;
  const now = clock.now();
  if (!isUnfinished(lease.state) || now >= certainEnd(lease)) return 'ended';
  // There is no token to revoke with: it waits for its latest possible end.
  if (lease.state === 'orphaned') return 'pending';
  if (lease.state === 'revoking' && (!lease.sealed || lease.dueAt === undefined || lease.dueAt > now)) return 'pending';

  // If this process dies, the sweep takes over after the deadline; without a token not before the minter's own time.
  const takeOverAt = Math.max(deadline, lease.state === 'reserved' ? lease.mintDeadlineAt : 0);
  const row = await ledger.transition(
    lease,
    lease.state === 'revoking' && lease.dueAt !== undefined
      ? { to: 'revoking', from: ['revoking'], ifDueAt: lease.dueAt, dueAt: takeOverAt }
      : { to: 'revoking', from: ['reserved', 'live'], dueAt: takeOverAt },
    deadline,
  );
  if (row) {
    deps.audit.record({ action: 'revoke-requested', ...leaseFacts(row), ...requester(revoker) });
    return row.sealed ? row : 'pending';
  }
  const current = await ledger.get(lease, deadline);
  return current && isUnfinished(current.state) ? 'pending' : 'ended';
}

/** An operator holds a token that no row knows, from before a restore of the table for instance: it is ended all the same. */
async function endUnledgered(
  deps: RevokeTokensDeps,
  revoker: Revoker,
  { token, session }: Unledgered,
  deadline: number,
): Promise<RevokeTally> {
  if (!session) return { revoked: 1, pending: 0 };
  const outcome = await deps.issuer.revoke(token, session.userName, deadline);
  if (outcome.outcome === 'retry') throw outcome.failure;
  const { reasons = [], ...who } = requester(revoker);
  deps.audit.record({ action: 'revoke', ...who, reasons: [...reasons, 'no lease knew the token'] });
  deps.signals.emit('revoked');
  return { revoked: 1, pending: 0 };
}

/** Who asked, for the audit: a caller, or the event in words. */
function requester(revoker: Revoker): Pick<AuditEvent, 'caller' | 'reasons'> {
  if (revoker.kind === 'event') return { reasons: [`asked by ${revoker.source} "${revoker.name}"`] };
  const { issuer, subject } = revoker.caller;
  return { caller: { issuer, subject } };
}
