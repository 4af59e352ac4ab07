/** The second half of a revocation: the row says `revoking` already, now ThoughtSpot has to confirm. */
import { leaseFacts } from './audit-facts.ts';
import { backOffMs } from './back-off.ts';
import { Failure } from './failure.ts';
import { certainEnd, type Lease } from './lease.ts';
import type { AuditTrail, Change, Clock, Log, Randomness, RevokeOutcome, SessionIssuer, TokenLedger } from './ports.ts';

export interface EndDeps {
  readonly ledger: TokenLedger;
  readonly issuer: Pick<SessionIssuer, 'revoke'>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly audit: AuditTrail;
  readonly log: Log;
}

/** With `failure` the token's end is not confirmed and put off, for the `attempts`th time; without, the token is dead. */
export type Ending = { readonly failure?: undefined } | { readonly failure: Failure; readonly attempts: number };

/**
 * Presents the token of a `revoking` row to ThoughtSpot and writes down what became of it. Never gives up: a failure is
 * put off with back-off, at most to the token's certain end. Throws `Failure` if the ledger cannot give the token.
 */
export async function endAtThoughtSpot(deps: EndDeps, lease: Lease, callBy: number, deadline: number): Promise<Ending> {
  const outcome = await present(deps, lease, callBy, deadline);
  if (outcome.outcome === 'dead') {
    const row = await write(deps, lease, { to: 'revoked', dueAt: null }, deadline);
    if (row) deps.audit.record({ action: 'revoke', ...leaseFacts(row) });
    return {};
  }
  const attempts = lease.attempts + 1;
  const dueAt = Math.min(deps.clock.now() + backOffMs(attempts, deps.randomness), certainEnd(lease));
  await write(deps, lease, { to: 'revoking', from: ['revoking'], dueAt, attempts }, deadline);
  return { failure: outcome.failure, attempts };
}

async function present(deps: EndDeps, lease: Lease, callBy: number, deadline: number): Promise<RevokeOutcome> {
  let token: string | undefined;
  try {
    token = await deps.ledger.token(lease, deadline);
  } catch (error) {
    if (error instanceof Failure && error.code === 'key-unavailable') return { outcome: 'retry', failure: error };
    throw error;
  }
  // Only a finished row loses its token: somebody else was faster.
  if (token === undefined) return { outcome: 'dead' };
  return deps.issuer.revoke(token, lease.userName ?? lease.user, callBy);
}

/** If this fails, the row stays `revoking` and due: it is done again, and a second revocation of a token is harmless. */
async function write(deps: EndDeps, lease: Lease, change: Change, deadline: number): Promise<Lease | undefined> {
  try {
    return await deps.ledger.transition(lease, change, deadline);
  } catch (error) {
    deps.log.warn('outcome of a revocation is not in the ledger; it will be done again', { to: change.to, error });
    return undefined;
  }
}
