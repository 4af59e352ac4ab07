/**
 * The ports: what the domain needs from outside, in its own terms. Adapters implement them; wiring passes them in. Every
 * port throws `Failure` (broker/failure.ts) and nothing else on purpose. Times are epoch ms, durations ms, unless the
 * name says otherwise. `deadline` is the epoch ms at which a call must have given up, by the injected clock.
 */
import type { Scope } from '../contract/functions.ts';
import type { SignalName } from '../contract/signals.ts';
import type { Asker, BlockLedger } from './blocks.ts';
import type { FieldError, Failure } from './failure.ts';
import type { CallerId, Issuance, Lease, LeaseKey, LeaseState } from './lease.ts';
import type { Limits, MintCounts, Rechecked } from './mint-counts.ts';

// --- time, chance, digests -------------------------------------------------------------------------------------------

export interface Clock {
  now(): number;
  /** Resolves after `ms`. */
  sleep(ms: number): Promise<void>;
}

/** Uniform in [0, 1). */
export type Randomness = () => number;

/** SHA-256 of UTF-8 text, base64url without padding (43 characters). */
export type Sha256 = (text: string) => string;

// --- the caller ------------------------------------------------------------------------------------------------------

export type ClaimValue =
  string | number | boolean | null | readonly ClaimValue[] | { readonly [name: string]: ClaimValue };
export type Claims = Readonly<Record<string, ClaimValue>>;

/** A caller whose token the function has verified. `claims` are typed as signed, never the gateway's flattened copy. */
export interface Caller extends CallerId {
  /** Its `iat`, epoch ms. */
  readonly issuedAt: number;
  /** The session at the issuer, where the issuer's `sessionClaim` says which claim names it. */
  readonly session?: string;
  readonly claims: Claims;
  /** End of the caller's own JWT, epoch ms. */
  readonly expiresAt: number;
  readonly scopes: readonly Scope[];
}

/** An operator whose AWS credentials API Gateway has verified. `session` is the name of his session, where he has one. */
export type AwsCaller = { readonly arn: string; readonly session?: string; readonly scopes: readonly Scope[] };

export type { Logout } from './blocks.ts';

// --- what a caller may have ------------------------------------------------------------------------------------------

export interface NamedValues {
  readonly name: string;
  readonly values: readonly string[];
}
export interface FilterRule {
  readonly column: string;
  readonly operator: string;
  readonly values: readonly string[];
}
export interface ObjectRef {
  readonly type?: string;
  readonly identifier: string;
}
export type PersistOption = 'NONE' | 'APPEND' | 'REPLACE' | 'RESET';

export type Rights =
  | { readonly kind: 'full' }
  | { readonly kind: 'object'; readonly objectId: string }
  | {
      readonly kind: 'custom';
      readonly persist: PersistOption;
      readonly variables: readonly NamedValues[];
      readonly filters: readonly FilterRule[];
      readonly parameters: readonly NamedValues[];
      readonly groups: readonly string[];
      readonly objects: readonly ObjectRef[];
    };

/** Just-in-time provisioning: ThoughtSpot creates or updates the user at the mint. */
export interface Provisioning {
  readonly displayName?: string;
  readonly email?: string;
  readonly groups: readonly string[];
}

/** The decision of the policy: everything that shapes one token. Nothing in it comes from the request but narrowing. */
export interface Grant {
  readonly rule: string;
  readonly name: string;
  readonly policyVersion: string;
  /** ThoughtSpot user name as sent on the wire and as checked in the reply. */
  readonly user: string;
  /** The user is the broker's service account (the only one that dialect session-v2 can mint for). */
  readonly serviceAccount: boolean;
  readonly orgId: number;
  readonly rights: Rights;
  /** The object of `rights` is any that the caller named: whether ThoughtSpot has it is the caller's affair. */
  readonly callersObject?: true;
  /** The caller has power over the people of this org (administrators.ts). */
  readonly administers?: true;
  readonly validitySeconds: number;
  /** If set, no token of this grant may outlive this: the end of the caller's JWT, where the rule binds to it. */
  readonly notAfter?: number;
  /** Serve a live token again while it has at least this much life left; null: every request mints. */
  readonly reuse: { readonly minLifeLeftSeconds: number } | null;
  readonly share: boolean;
  readonly provisioning: Provisioning | null;
  /**
   * The entitlement digest: equal for two grants just when their mints leave the same on their user; `none` for nothing.
   * Absent if no rule of the policy leaves anything.
   */
  readonly entitlements?: string;
  /** Digest over everything that shapes the token and, unless shared, the caller. The sort key of its leases. */
  readonly fingerprint: string;
}

/** What a caller may say of the token it wants. It can only narrow what the policy allows. */
export interface TokenRequest {
  readonly grant?: string;
  readonly objectId?: string;
  readonly validitySeconds?: number;
  /** Nothing that was reserved before this request will do. */
  readonly fresh?: boolean;
  /** The lease whose token the caller no longer wants: any servable lease that is newer will do. */
  readonly replace?: string;
}

/**
 * `reasons` are for operators (audit), one per rule tried; they name claims, never their values. A caller sees the code,
 * `errors` if the request itself has faults, and `maxAge` if only the sign-in is too old; every other denial is only
 * `not-entitled`.
 */
export type Decision =
  | { readonly allowed: true; readonly grant: Grant; readonly reasons: readonly string[] }
  | {
      readonly allowed: false;
      readonly code: 'not-entitled' | 'invalid-request' | 'sign-in-again';
      /** With `sign-in-again`: how old the sign-in may be, s. */
      readonly maxAge?: number;
      readonly errors: readonly FieldError[];
      readonly reasons: readonly string[];
      /** The rule that matched and still could not give a grant; absent if none matched. */
      readonly rule?: string;
    };

/** The policy of this environment: who may have which token. Pure: equal questions get equal answers. */
export interface Entitlements {
  /** `now`: epoch ms. */
  decide(caller: Caller, request: TokenRequest, now: number): Decision;
  /** Every person that the policy names for a caller now (`personOf`). For finding the caller's own leases; grants nothing. */
  usersOf(caller: Caller): readonly string[];
  readonly limits: Limits;
}

// --- ThoughtSpot -----------------------------------------------------------------------------------------------------

/** A token as ThoughtSpot returned it, with what the reply says it is for. */
export interface MintedToken {
  readonly token: string;
  readonly userName: string;
  /** Absent where the dialect's reply does not name the org. */
  readonly orgId?: number;
  /** Absent where the dialect's reply does not name the kind. */
  readonly kind?: 'full' | 'object' | 'custom';
  readonly objectId?: string;
  /** Shortest life that every reading of the reply allows: rely on this much, ms. */
  readonly lifetimeMs: number;
  /** Longest life that any reading of the reply allows, ms. */
  readonly longestLifetimeMs: number;
  /** Creation by ThoughtSpot's clock, epoch ms; absent where the reply's format is unknown. */
  readonly createdAt?: number;
  readonly tokenType: string;
}

export type MintOutcome =
  | { readonly outcome: 'minted'; readonly minted: MintedToken }
  /** ThoughtSpot certainly holds no token from this call. */
  | { readonly outcome: 'not-minted'; readonly failure: Failure }
  /** The request may have reached ThoughtSpot and the reply is lost: a token may live that nobody knows. */
  | { readonly outcome: 'unknown'; readonly failure: Failure };

export type RevokeOutcome =
  /** ThoughtSpot confirmed that it revoked the token. */
  | { readonly outcome: 'dead' }
  /**
   * ThoughtSpot does not accept the token now. No confirmation: the token of an inactive user may work again once the
   * user is active (wire facts 3.8).
   */
  | { readonly outcome: 'not-accepted' }
  /** Try again later. `failure.code` says why: busy, unavailable, timeout or refused. */
  | { readonly outcome: 'retry'; readonly failure: Failure };

export interface SessionInfo {
  readonly userName: string;
  readonly userId?: string;
  readonly orgId?: number;
  /** The rest of the seed's SessionInfoResponse that ThoughtSpot sent, without any token. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** ThoughtSpot, as far as the broker needs it. Never retries a mint that may have left the socket. */
export interface SessionIssuer {
  mint(grant: Grant, deadline: number): Promise<MintOutcome>;
  /**
   * Presents the token itself as the bearer, with `{ user_identifier, token }` (wire facts 3.4); `user` undefined: with
   * `{ token }` alone. Never throws.
   */
  revoke(token: string, user: string | undefined, deadline: number): Promise<RevokeOutcome>;
  /** What ThoughtSpot says of a token's session; undefined if it does not accept the token. Throws Failure. */
  sessionInfo(token: string, deadline: number): Promise<SessionInfo | undefined>;
}

/** A session of the service account that is open, with its row. `until`: epoch ms, to be used no longer. */
export interface ServiceSession {
  readonly bearer: string;
  readonly row: LeaseKey;
  readonly until: number;
}

/** Sessions of the service account, for a dialect that mints with one: none is without a row in the ledger. */
export interface ServiceSessions {
  /**
   * Opens one by `issuer.mint`, which logs in. `orgId` is that of the mint that needs it. Throws Failure; then no session
   * is alive without a row.
   */
  open(
    account: { readonly userName: string; readonly orgId: number; readonly policyVersion: string },
    issuer: SessionIssuer,
    deadline: number,
  ): Promise<ServiceSession>;
  /** It is not used any more: `issuer` ends it now, without one the sweep does. Throws Failure. */
  close(session: ServiceSession, deadline: number, issuer?: SessionIssuer): Promise<void>;
}

// --- the credential --------------------------------------------------------------------------------------------------

/** The broker's power at ThoughtSpot. Redacts itself when printed. `version` names the secret's version. */
export type Credential =
  | {
      readonly kind: 'secret-key';
      readonly version: string;
      secretKeyFor(orgId: number): string;
      readonly serviceUser?: string;
    }
  | { readonly kind: 'password'; readonly version: string; readonly userName: string; password(): string };

export interface CredentialSource {
  /** Cached up to a maximum age; one reload in flight; bounded stale if Secrets Manager is unreachable. */
  current(deadline: number): Promise<Credential>;
  /**
   * ThoughtSpot refused `refused`: reads the secret again (AWSCURRENT, then AWSPENDING) and returns one that differs,
   * which then is `current`; undefined if there is none or the cool-down after the last reload has not passed.
   */
  replacementFor(refused: Credential, deadline: number): Promise<Credential | undefined>;
}

// --- the ledger ------------------------------------------------------------------------------------------------------

/** A row to reserve: state `reserved`, no token yet. */
export type Reservation = Omit<
  Lease,
  'leaseId' | 'state' | 'sealed' | 'attempts' | 'dueAt' | 'tokenDigest' | keyof Issuance
> & {
  /** The caller's session, for `unfinishedOfSession`. */
  readonly session?: string;
};

/** What a transition sets. `token` is sealed by the ledger before it is written; `dueAt` null takes the row off the index. */
export interface Change extends Issuance {
  readonly to: LeaseState;
  /** Further narrows the write condition; without it MAY_ENTER_FROM[to] is the condition. */
  readonly from?: readonly LeaseState[];
  readonly dueAt: number | null;
  readonly token?: string;
  /** As in `Lease`: whom the token may belong to instead. */
  readonly answeredUser?: string;
  readonly attempts?: number;
  /** The row's `dueAt` must still be this: how overlapping sweeps claim a row once. */
  readonly ifDueAt?: number;
}

/** A ThoughtSpot user in an org: what entitlements belong to. */
export interface HeldUser {
  /** As sent on the wire. */
  readonly userName: string;
  readonly orgId: number;
}

/** What a mint asks of the hold on its user (user-hold.ts). */
export interface HoldRequest {
  /** Entitlement digest of the grant. */
  readonly digest: string;
  /** The caller, or `many`. */
  readonly subject: string;
  /** Latest time at which a token of the mint can live, epoch ms. */
  readonly until: number;
  /** Until when tokens of the subject with another digest may live, epoch ms. */
  readonly mixedUntil?: number;
}

export interface UserHold extends HoldRequest {
  /** Another one after every write. */
  readonly write: string;
}

/** Users that the broker made. `until`: after it, none of their tokens has lived. */
export interface UserPage {
  readonly users: readonly (HeldUser & { readonly until: number })[];
  readonly next?: string;
}

export interface DuePage {
  readonly leases: readonly Lease[];
  readonly next?: string;
}

/**
 * The durable record of every token. Single-item conditional writes only. Reads are strongly consistent unless noted.
 * Throws Failure `ledger-unavailable`, `ledger-denied` or `key-unavailable`.
 */
export interface TokenLedger extends MintCounts, BlockLedger {
  /** Newest generations of one fingerprint first, at most `limit`. One read. */
  newest(user: string, fingerprint: string, limit: number, deadline: number): Promise<readonly Lease[]>;
  get(key: LeaseKey, deadline: number): Promise<Lease | undefined>;
  /** All unfinished leases of a ThoughtSpot user, or those of `caller` among them; every page, read strongly, in no order. */
  unfinishedOfUser(user: string, deadline: number, caller?: CallerId): AsyncIterable<Lease>;
  /**
   * Unfinished leases of a caller, over all ThoughtSpot users, in no order: found by an index that may lag. Those in
   * `known` are left out, and not read again.
   */
  unfinishedOfCaller(caller: CallerId, deadline: number, known?: readonly LeaseKey[]): AsyncIterable<Lease>;
  /** The row behind a handle, or undefined if the handle is not ours or the row is gone. */
  byLeaseId(leaseId: string, deadline: number): Promise<Lease | undefined>;
  /**
   * Leases whose token has that digest, finished ones too, in no order: found by an index that may lag. Mostly one; more
   * only if ThoughtSpot answers two mints with the same token.
   */
  withDigest(digest: string, deadline: number): AsyncIterable<Lease>;
  /** Keyed digest of a token, as in `Lease.tokenDigest`. */
  digest(token: string): Promise<string>;
  /** Puts generation `key.generation` on condition that it does not exist. False: another request has it. */
  reserve(reservation: Reservation, deadline: number): Promise<boolean>;
  /** Conditional update by the lease machine; undefined: the row was not in a state (or due time) that allows it. */
  transition(key: LeaseKey, change: Change, deadline: number): Promise<Lease | undefined>;
  /**
   * Opens the sealed token of a row; undefined if the row holds none. For a lease that this ledger has returned it is the
   * token that the row held then, without another read: a caller that needs to know that the row has not been finished
   * since must read again.
   */
  token(key: LeaseKey, deadline: number): Promise<string | undefined>;
  /** Unfinished leases of a session at an issuer, in no order: found by an index that may lag. */
  unfinishedOfSession(issuer: string, session: string, deadline: number): AsyncIterable<Lease>;
  /** A row as it is now, with every block on its user and org and on `caller`. One read. */
  recheck(row: Pick<Lease, keyof LeaseKey | 'orgId'>, caller: Asker, deadline: number): Promise<Rechecked>;
  /**
   * Writes the hold if there is none, or it ended before `endedBefore`, or it has the same digest and subject and ends no
   * later. One write; false: none of that.
   */
  holdUser(user: HeldUser, request: HoldRequest, endedBefore: number, deadline: number): Promise<boolean>;
  userHold(user: HeldUser, deadline: number): Promise<UserHold | undefined>;
  /** Replaces a hold as it was read; false if it has been written since. */
  replaceUserHold(user: HeldUser, read: UserHold, next: HoldRequest, deadline: number): Promise<boolean>;
  /**
   * One page of the users that the broker made (`perEntitlement` of a rule) and that had no token since `before`. A page
   * may hold fewer than `limit`, or none, and still have a `next`.
   */
  usersUnusedSince(before: number, limit: number, cursor: string | undefined, deadline: number): Promise<UserPage>;
  /** Number of shards of the due index. */
  readonly shards: number;
  /** Rows of a shard with dueAt <= `until`, oldest first, one page. Eventually consistent: claim before acting. */
  due(shard: number, until: number, limit: number, cursor: string | undefined, deadline: number): Promise<DuePage>;
}

// --- telemetry -------------------------------------------------------------------------------------------------------

export interface AuditEvent {
  readonly action:
    | 'deny'
    | 'mint'
    | 'reuse'
    | 'revoke'
    | 'revoke-requested'
    | 'cut-off'
    | 'sign-out'
    | 'suspend'
    | 'reinstate'
    | 'list'
    | 'compensate'
    | 'orphan'
    | 'expire';
  readonly caller?: CallerId | Omit<AwsCaller, 'scopes'>;
  readonly lease?: Pick<Lease, 'leaseId' | 'generation' | 'orgId' | 'kind' | 'state' | 'tokenDigest'>;
  readonly user?: string;
  readonly rule?: string;
  readonly grant?: string;
  readonly policyVersion?: string;
  /** Why, for operators: for a denial which condition of which rule failed; names and digests, never claim values. */
  readonly reasons?: readonly string[];
  readonly code?: string;
}

/** One line per decision, written at once. */
export interface AuditTrail {
  record(event: AuditEvent): void;
}

export interface Signals {
  emit(signal: SignalName, value?: number): void;
}

/** Diagnostics for operators; fields are redacted by the logger. */
export type Log = Readonly<
  Record<'info' | 'warn' | 'error', (message: string, fields?: Readonly<Record<string, unknown>>) => void>
>;

// --- all of it -------------------------------------------------------------------------------------------------------

/** The world of a use case: one record for all of them. A use case that asks the policy takes `Entitlements` as well. */
export interface World {
  readonly ledger: TokenLedger;
  readonly issuer: SessionIssuer;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly audit: AuditTrail;
  readonly signals: Signals;
  readonly log: Log;
}
