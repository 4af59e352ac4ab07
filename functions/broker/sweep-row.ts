/** What the sweep does with one due row. Each write is conditional on the row being as seen, so no two sweeps do it twice. */
import { leaseFacts } from './audit-facts.ts';
import { endAtThoughtSpot, type EndDeps, type Ending } from './end-at-thoughtspot.ts';
import { certainEnd, type Lease } from './lease.ts';
import type { UpstreamBudget } from './upstream-budget.ts';

/**
 * `passed`: another sweep or the minter was faster, or there is nothing to do yet. `left`: still due, there was no turn
 * at ThoughtSpot for it.
 */
export type RowEnd = 'revoked' | 'expired' | 'orphaned' | 'passed' | 'left' | { readonly failedAttempts: number };

export interface RowDeps extends EndDeps {
  readonly budget: UpstreamBudget;
  /** How long a claimed row is left alone by other sweeps, ms; longer than one call may take. */
  readonly claimMs: number;
  readonly callTimeoutMs: number;
}

/** `stopAt`: no call is begun from then on; `deadline`: the ledger's. Throws `Failure` if the ledger fails. */
export async function sweepRow(deps: RowDeps, lease: Lease, stopAt: number, deadline: number): Promise<RowEnd> {
  const now = deps.clock.now();
  const atEnd = now >= certainEnd(lease);
  switch (lease.state) {
    case 'reserved':
      return now >= lease.mintDeadlineAt ? orphan(deps, lease, deadline) : 'passed';
    case 'live':
    case 'revoking':
      if (atEnd) return expire(deps, lease, deadline);
      if (lease.sealed) return revoke(deps, lease, stopAt, deadline);
      return now >= lease.mintDeadlineAt ? orphan(deps, lease, deadline) : putOff(deps, lease, deadline);
    case 'orphaned':
      return atEnd ? expire(deps, lease, deadline) : 'passed';
    case 'revoked':
    case 'failed':
    case 'expired':
      return 'passed';
  }
}

/** Its minter is gone and left no token: if there is one, only time ends it. */
async function orphan(deps: RowDeps, lease: Lease, deadline: number): Promise<RowEnd> {
  const { latestEndAt } = lease;
  const row = await deps.ledger.transition(
    lease,
    { to: 'orphaned', from: [lease.state], ...asSeen(lease), dueAt: latestEndAt },
    deadline,
  );
  if (row) deps.audit.record({ action: 'orphan', ...leaseFacts(row) });
  return row ? 'orphaned' : 'passed';
}

async function expire(deps: RowDeps, lease: Lease, deadline: number): Promise<RowEnd> {
  const row = await deps.ledger.transition(lease, { to: 'expired', ...asSeen(lease), dueAt: null }, deadline);
  if (row) deps.audit.record({ action: 'expire', ...leaseFacts(row) });
  return row ? 'expired' : 'passed';
}

/** Its minter may still be at work, and takes the token back itself. */
async function putOff(deps: RowDeps, lease: Lease, deadline: number): Promise<RowEnd> {
  const dueAt = lease.mintDeadlineAt;
  await deps.ledger.transition(lease, { to: 'revoking', from: ['revoking'], ...asSeen(lease), dueAt }, deadline);
  return 'passed';
}

async function revoke(deps: RowDeps, lease: Lease, stopAt: number, deadline: number): Promise<RowEnd> {
  const spent = await deps.budget.spend(stopAt, () => claimAndEnd(deps, lease, deadline));
  if (typeof spent === 'string') return 'left';
  if (!spent.heard) return 'passed';
  return spent.heard.failure ? { failedAttempts: spent.heard.attempts } : 'revoked';
}

/** Claims only once the turn has come, so that a claim never runs out while its row waits. */
async function claimAndEnd(deps: RowDeps, lease: Lease, deadline: number): Promise<Ending | undefined> {
  const now = deps.clock.now();
  const claimed = await deps.ledger.transition(
    lease,
    { to: 'revoking', from: [lease.state], ...asSeen(lease), dueAt: now + deps.claimMs },
    deadline,
  );
  if (!claimed) return undefined;
  return endAtThoughtSpot(deps, claimed, Math.min(now + deps.callTimeoutMs, deadline), deadline);
}

/** The index may show an older row than the table holds: then somebody else has been there. */
function asSeen(lease: Lease): { readonly ifDueAt?: number } {
  return lease.dueAt === undefined ? {} : { ifDueAt: lease.dueAt };
}
