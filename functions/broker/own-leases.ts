import { type Lease, normaliseUser, sameCaller } from './lease.ts';
import type { Caller, TokenLedger } from './ports.ts';

export interface OwnLeasesDeps {
  readonly ledger: Pick<TokenLedger, 'unfinishedOfCaller' | 'unfinishedOfUser'>;
  /** entitlement.ts `usersOf` with its policy filled in: ThoughtSpot users that the policy names for a caller now. */
  readonly usersOf: (caller: Caller) => readonly string[];
}

/**
 * A caller's unfinished leases, each once, shared ones left out. Looked for by user (which never lags) and by caller
 * (finds leases of ThoughtSpot users that the policy no longer names, but through an index that may lag).
 */
export async function* ownLeases(deps: OwnLeasesDeps, caller: Caller, deadline: number): AsyncGenerator<Lease> {
  const known: Lease[] = [];
  for (const user of new Set(deps.usersOf(caller).map(normaliseUser))) {
    for await (const lease of deps.ledger.unfinishedOfUser(user, deadline)) {
      if (!isOwn(lease, caller)) continue;
      known.push(lease);
      yield lease;
    }
  }
  const { issuer, subject } = caller;
  for await (const lease of deps.ledger.unfinishedOfCaller({ issuer, subject }, deadline, known)) {
    if (isOwn(lease, caller)) yield lease;
  }
}

/** A shared lease is nobody's own: one of its callers must not end it for the others. */
export function isOwn(lease: Lease, caller: Caller): boolean {
  return !lease.shared && sameCaller(lease.caller, caller);
}
