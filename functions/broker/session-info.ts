/** Use case sessioninfo: what ThoughtSpot says of the caller's live token. The token itself never leaves. */
import { Failure } from './failure.ts';
import { type Lease, normaliseUser } from './lease.ts';
import { ownLeases, type OwnLeasesDeps } from './own-leases.ts';
import type { Caller, Clock, Decision, SessionIssuer, TokenLedger, TokenRequest } from './ports.ts';
import type { GetSessionInfo } from './use-cases.ts';

export interface GetSessionInfoDeps extends OwnLeasesDeps {
  readonly ledger: TokenLedger;
  readonly issuer: Pick<SessionIssuer, 'sessionInfo'>;
  readonly clock: Clock;
  /** As for gettoken: finds a shared lease, which is nobody's own. */
  readonly decide: (caller: Caller, request: TokenRequest, now: number) => Decision;
}

/** Generations of a shared lease that are looked at. */
const GENERATIONS_READ = 8;

/** Asks about the newest live token. Throws `lease-not-found` if the caller has none, or ThoughtSpot knows it no more. */
export function makeGetSessionInfo(deps: GetSessionInfoDeps): GetSessionInfo {
  return async (caller, deadline) => {
    let newest: Lease | undefined;
    for await (const lease of leasesInUse(deps, caller, deadline)) {
      if (!newest || lease.reservedAt > newest.reservedAt) newest = lease;
    }
    const token = newest && (await deps.ledger.token(newest, deadline));
    const session = token === undefined ? undefined : await deps.issuer.sessionInfo(token, deadline);
    if (!session) throw new Failure('lease-not-found', { reason: 'no live token' });
    return session;
  };
}

async function* leasesInUse(deps: GetSessionInfoDeps, caller: Caller, deadline: number): AsyncGenerator<Lease> {
  const cutOffs = new Map<number, number>();
  for await (const lease of candidates(deps, caller, deadline)) {
    if (lease.state !== 'live' || !(deps.clock.now() < (lease.expiresAt ?? 0))) continue;
    const cutOff = cutOffs.get(lease.orgId) ?? (await deps.ledger.cutOffFor(lease.orgId, deadline));
    cutOffs.set(lease.orgId, cutOff);
    if (lease.reservedAt >= cutOff) yield lease;
  }
}

async function* candidates(deps: GetSessionInfoDeps, caller: Caller, deadline: number): AsyncGenerator<Lease> {
  yield* ownLeases(deps, caller, deadline);
  const decision = deps.decide(caller, {}, deps.clock.now());
  if (!decision.allowed || !decision.grant.share) return;
  const { user, fingerprint } = decision.grant;
  yield* await deps.ledger.newest(normaliseUser(user), fingerprint, GENERATIONS_READ, deadline);
}
