/** Which rows a revocation is about, and whether the one who asks may. */
import { Failure } from './failure.ts';
import { type Lease, normaliseUser } from './lease.ts';
import { isOwn, ownLeases, type OwnLeasesDeps } from './own-leases.ts';
import type { Caller, SessionInfo, SessionIssuer, TokenLedger } from './ports.ts';
import type { Revoker, RevokeSelection } from './use-cases.ts';

export interface SelectionDeps extends OwnLeasesDeps {
  readonly ledger: TokenLedger;
  readonly issuer: Pick<SessionIssuer, 'sessionInfo'>;
}

/** A token that no row of the ledger knows; without a session ThoughtSpot does not accept it any more. */
export interface Unledgered {
  readonly token: string;
  readonly session: SessionInfo | undefined;
}

export type Selected =
  { readonly leases: Iterable<Lease> | AsyncIterable<Lease> } | { readonly unledgered: Unledgered };

/** Selections by row. Throws `insufficient-scope`, or `lease-not-found` for a row that is not there or not one's own. */
export async function selectLeases(
  deps: SelectionDeps,
  revoker: Revoker,
  selection: Exclude<RevokeSelection, { kind: 'org' | 'all' }>,
  asOf: number,
  deadline: number,
): Promise<Selected> {
  switch (selection.kind) {
    case 'mine':
      if (revoker.kind !== 'caller') throw new Failure('invalid-request', { reason: 'an event has no leases' });
      return { leases: ownLeases(deps, revoker.caller, deadline) };
    case 'lease':
      return { leases: [await leaseFor(deps, revoker, selection.leaseId, deadline)] };
    case 'token':
      return leaseOfToken(deps, revoker, selection.token, deadline);
    case 'user':
      requireOperator(revoker);
      return { leases: leasesOfUsers(deps, revoker, selection.userNames, asOf, deadline) };
  }
}

export function isOperator(revoker: Revoker): boolean {
  return revoker.kind === 'event' || revoker.mayRevokeOthers;
}

export function requireOperator(revoker: Revoker): void {
  if (!isOperator(revoker)) throw new Failure('insufficient-scope', { reason: 'revoking for others' });
}

/** Somebody else's lease and no lease at all are the same to whoever may not revoke for others. */
async function leaseFor(deps: SelectionDeps, revoker: Revoker, leaseId: string, deadline: number): Promise<Lease> {
  const lease = await deps.ledger.byLeaseId(leaseId, deadline);
  if (lease && (isOperator(revoker) || (revoker.kind === 'caller' && isOwn(lease, revoker.caller)))) return lease;
  throw new Failure('lease-not-found');
}

async function leaseOfToken(deps: SelectionDeps, revoker: Revoker, token: string, deadline: number): Promise<Selected> {
  const digest = await deps.ledger.digest(token);
  if (revoker.kind === 'caller') {
    const own =
      (await withDigest(ownLeases(deps, revoker.caller, deadline), digest)) ??
      (await endedAlready(deps, revoker.caller, digest, deadline));
    if (own) return { leases: [own] };
  }
  // ThoughtSpot is not asked on behalf of somebody who may revoke only what is their own.
  if (!isOperator(revoker)) throw new Failure('lease-not-found');
  const session = await deps.issuer.sessionInfo(token, deadline);
  if (!session) return { unledgered: { token, session } };
  const rows = deps.ledger.unfinishedOfUser(normaliseUser(session.userName), deadline);
  const row = await withDigest(rows, digest);
  return row ? { leases: [row] } : { unledgered: { token, session } };
}

/** A token that was revoked before counts as revoked again. */
async function endedAlready(
  deps: SelectionDeps,
  caller: Caller,
  digest: string,
  deadline: number,
): Promise<Lease | undefined> {
  for (const user of new Set(deps.usersOf(caller).map(normaliseUser))) {
    const lease = await deps.ledger.withDigest(user, digest, deadline);
    if (lease && isOwn(lease, caller)) return lease;
  }
  return undefined;
}

async function withDigest(leases: AsyncIterable<Lease>, digest: string): Promise<Lease | undefined> {
  for await (const lease of leases) if (lease.tokenDigest === digest) return lease;
  return undefined;
}

/**
 * An event may be delivered twice, so it covers only what was reserved before it happened. A caller asks once and means
 * everything there is.
 */
async function* leasesOfUsers(
  deps: SelectionDeps,
  revoker: Revoker,
  userNames: readonly string[],
  asOf: number,
  deadline: number,
): AsyncGenerator<Lease> {
  for (const user of new Set(userNames.map(normaliseUser))) {
    for await (const lease of deps.ledger.unfinishedOfUser(user, deadline)) {
      if (revoker.kind === 'caller' || lease.reservedAt < asOf) yield lease;
    }
  }
}
