/** What the edge may ask of the domain: one function type per use case. Each throws `Failure` and nothing else on purpose. */
import type { Lease, LeaseState } from './lease.ts';
import type { AwsCaller, Caller, SessionInfo, TokenRequest } from './ports.ts';

/** A token that may be released: its row is live, and no cut-off covers it. */
export interface IssuedToken {
  readonly token: string;
  readonly lease: Lease;
  readonly userName: string;
  readonly orgId: number;
  /** Epoch ms by the broker's clock; the token is good until then at least. */
  readonly expiresAt: number;
  /** Epoch ms: from then on ask again, the broker will have a newer one. */
  readonly refreshAfter: number;
  readonly reused: boolean;
}

export type GetToken = (caller: Caller, request: TokenRequest, deadline: number) => Promise<IssuedToken>;

/** Which leases to revoke. From `user` on they need the revoke scope; http checks shapes, the use case checks rights. */
export type RevokeSelection =
  | { readonly kind: 'mine' }
  | { readonly kind: 'lease'; readonly leaseId: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'user'; readonly userNames: readonly string[] }
  /** Of a version of the policy, or of a rule of any version: minted under it, whatever the policy says now. */
  | { readonly kind: 'policy'; readonly policyVersion: string }
  | { readonly kind: 'rule'; readonly rule: string }
  | { readonly kind: 'org'; readonly orgId: number }
  | { readonly kind: 'all' };

/**
 * Who revokes: a caller or an operator over HTTP, or the environment itself (schedule, deprovision event). `asOf` (epoch
 * ms) bounds what an event revokes to leases reserved before it, so that its second delivery changes nothing.
 */
export type Revoker =
  | { readonly kind: 'caller'; readonly caller: Caller; readonly mayRevokeOthers: boolean }
  | { readonly kind: 'operator'; readonly operator: AwsCaller }
  | { readonly kind: 'event'; readonly source: 'schedule' | 'deprovisioned'; readonly name: string };

export interface RevokeTally {
  /** Leases whose token is over, or that ThoughtSpot does not accept now: those the sweep presents again. */
  readonly revoked: number;
  /** Leases that the sweep still has to revoke; null if their number is not known (org and all). */
  readonly pending: number | null;
  /** User names that no unfinished lease is of; absent if there is none. A misspelt name must not look like success. */
  readonly unmatched?: number;
}

export type RevokeTokens = (
  revoker: Revoker,
  selection: RevokeSelection,
  asOf: number,
  deadline: number,
) => Promise<RevokeTally>;

export type GetSessionInfo = (caller: Caller, deadline: number) => Promise<SessionInfo>;

export interface LeaseFilter {
  readonly user?: string;
  readonly orgId?: number;
  readonly state?: LeaseState;
  readonly policyVersion?: string;
  readonly rule?: string;
}
/** Unfinished leases, one page. `cursor` continues; absent in the answer: that was the last page. */
export type ListLeases = (
  filter: LeaseFilter,
  limit: number,
  cursor: string | undefined,
  deadline: number,
) => Promise<{ readonly leases: readonly Lease[]; readonly next?: string }>;

export interface SweepTally {
  readonly due: number;
  readonly revoked: number;
  readonly expired: number;
  /** Revocations that ThoughtSpot has not confirmed. */
  readonly retried: number;
  readonly stuck: number;
  readonly orphaned: number;
  /** Age in ms of the oldest due row that is left undone; 0 if none is. */
  readonly oldestDueAgeMs: number;
  /** The circuit to ThoughtSpot opened, or time ran out: work is left for the next run. */
  readonly unfinished: boolean;
}
export type Sweep = (deadline: number) => Promise<SweepTally>;
