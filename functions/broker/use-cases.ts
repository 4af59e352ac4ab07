/** What the edge may ask of the domain: one function type per use case. Each throws `Failure` and nothing else on purpose. */
import type { BlockScope } from './blocks.ts';
import type { CallerId, Lease, LeaseState } from './lease.ts';
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
  | WhoSelection
  /** Of a version of the policy, or of a rule of any version: minted under it, whatever the policy says now. */
  | { readonly kind: 'policy'; readonly policyVersion: string }
  | { readonly kind: 'rule'; readonly rule: string };

/** Whom to revoke, or to shut out. `who`: users, in every org or in one, and subjects of issuers. */
export type WhoSelection =
  | {
      readonly kind: 'user';
      readonly userNames: readonly string[];
      readonly orgId?: number | undefined;
      readonly subjects?: readonly CallerId[] | undefined;
    }
  | { readonly kind: 'session'; readonly issuer: string; readonly session: string }
  | { readonly kind: 'org'; readonly orgId: number }
  | { readonly kind: 'all' };

/**
 * How to shut out, besides ending leases. `sign-out`: access tokens that were issued up to now count no more; up to
 * `issuedUpTo` where the issuer has said until when by its own clock (epoch ms). `suspend`: none counts until `reinstate`.
 * `endShared`: ends all shared leases too, of which the subject or session may hold any.
 */
export interface ShutOut {
  readonly kind?: 'sign-out' | 'suspend';
  readonly issuedUpTo?: number;
  readonly endShared?: boolean;
}

/**
 * Who revokes: a caller or an operator over HTTP, or the environment itself (schedule, deprovision event). `asOf` (epoch
 * ms) bounds what an event revokes to leases reserved before it, so that its second delivery changes nothing.
 */
export type Revoker =
  | { readonly kind: 'caller'; readonly caller: Caller; readonly mayRevokeOthers: boolean }
  | { readonly kind: 'operator'; readonly operator: AwsCaller }
  | { readonly kind: 'event'; readonly source: 'schedule' | 'deprovisioned' | 'logout'; readonly name: string };

export interface RevokeTally {
  /** Leases whose token is over, or that ThoughtSpot does not accept now: those the sweep presents again. */
  readonly revoked: number;
  /** Leases that the sweep still has to revoke; null if their number is not known: an index may hide some. */
  readonly pending: number | null;
  /** Names that no unfinished lease is of; absent if there is none. A misspelt name must not look like success. */
  readonly unmatched?: number;
  /** Live shared leases, which the subject or session may have been given, and which stay for the others; absent: none. */
  readonly sharedLeft?: number;
  /** Suspensions that are older than the last reinstatement: nothing was done; absent: none. */
  readonly ignored?: number;
}

export type RevokeTokens = (
  revoker: Revoker,
  selection: RevokeSelection,
  asOf: number,
  deadline: number,
  shutOut?: ShutOut,
) => Promise<RevokeTally>;

/** What begins with a block. */
export type BlockedSelection = Exclude<RevokeSelection, { readonly kind: 'mine' | 'lease' | 'token' }>;

/** Lifts suspensions. `reinstated`: of how many users, subjects or orgs; 0: none of them was suspended. */
export type Reinstate = (
  revoker: Revoker,
  selection: WhoSelection,
  deadline: number,
) => Promise<{ readonly reinstated: number }>;

/** What a caller has power over who is no operator: one org. */
export interface Administered {
  readonly orgId: number;
  /**
   * What is asked about users, within the org; the whole org where nobody is suspended. Throws Failure `insufficient-scope` for
   * all else.
   */
  readonly narrowed: (selection: RevokeSelection, shutOut?: ShutOut) => WhoSelection;
}
/** Throws Failure `insufficient-scope` for whoever has no such power, `suspended` or `sign-in-again` for who is shut out. */
export type GetAdministered = (caller: Caller, deadline: number) => Promise<Administered>;

/** A sign-out or suspension in force. Times are epoch ms. */
export interface ListedBlock {
  readonly scope: BlockScope;
  /** Access tokens that were issued up to then count no more, until `until`, when all of them have ended. */
  readonly signedOut?: { readonly issuedUpTo: number; readonly until: number };
  readonly suspendedSince?: number;
}
/** One page. `cursor` continues; absent in the answer: that was the last page. */
export type ListBlocks = (
  cursor: string | undefined,
  deadline: number,
) => Promise<{ readonly blocks: readonly ListedBlock[]; readonly next?: string }>;

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
