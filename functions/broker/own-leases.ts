import { normaliseUser } from './entitlement.ts';
import type { Lease } from './lease.ts';
import { sameCaller } from './lease-choice.ts';
import type { Caller, TokenLedger } from './ports.ts';

export interface OwnLeasesDeps {
  readonly ledger: Pick<TokenLedger, 'unfinishedOfCaller' | 'unfinishedOfUser'>;
  /** entitlement.ts `usersOf` with its policy filled in: ThoughtSpot users that the policy names for a caller now. */
  readonly usersOf: (caller: Caller) => readonly string[];
}

/**
 * A caller's unfinished leases, each once, shared ones left out. Looked for by caller (finds leases of ThoughtSpot users
 * that the policy no longer names, but through an index that may lag) and by user (which never lags).
 */
export async function* ownLeases(deps: OwnLeasesDeps, caller: Caller, deadline: number): AsyncGenerator<Lease> {
  const seen = new Set<string>();
  const users = new Set(deps.usersOf(caller).map(normaliseUser));
  const sources = [
    deps.ledger.unfinishedOfCaller({ issuer: caller.issuer, subject: caller.subject }, deadline),
    ...[...users].map((user) => deps.ledger.unfinishedOfUser(user, deadline)),
  ];
  for (const source of sources) {
    for await (const lease of source) {
      if (seen.has(lease.leaseId) || !isOwn(lease, caller)) continue;
      seen.add(lease.leaseId);
      yield lease;
    }
  }
}

/** A shared lease is nobody's own: one of its callers must not end it for the others. */
export function isOwn(lease: Lease, caller: Caller): boolean {
  return !lease.shared && sameCaller(lease.caller, caller);
}
