/**
 * The life of a lease: one lease is one token at ThoughtSpot, or the intent to mint one. States go forward only. The
 * write conditions of the ledger, the due times and the diagram in docs/architecture.md come from the tables here.
 */

export type LeaseState = 'reserved' | 'live' | 'revoking' | 'revoked' | 'failed' | 'orphaned' | 'expired';

/** From which states a lease may enter each state. `revoking` may be re-entered: that is a retry at a later time. */
export const MAY_ENTER_FROM = {
  reserved: [],
  live: ['reserved'],
  revoking: ['reserved', 'live', 'revoking', 'orphaned'],
  revoked: ['reserved', 'live', 'revoking', 'orphaned'],
  failed: ['reserved'],
  orphaned: ['reserved', 'revoking'],
  expired: ['live', 'revoking', 'orphaned'],
} as const satisfies Record<LeaseState, readonly LeaseState[]>;

/** States in which a token may still be alive at ThoughtSpot: the row stays in the due index. */
export const UNFINISHED = ['reserved', 'live', 'revoking', 'orphaned'] as const satisfies readonly LeaseState[];
export const FINISHED = ['revoked', 'failed', 'expired'] as const satisfies readonly LeaseState[];

export function isUnfinished(state: LeaseState): boolean {
  return UNFINISHED.some((unfinished) => unfinished === state);
}

export function mayEnter(from: LeaseState, to: LeaseState): boolean {
  return MAY_ENTER_FROM[to].some((allowed) => allowed === from);
}

/** Row key. `user` is the person (`personOf`), `generation` counts up from 1 within the fingerprint. */
export interface LeaseKey {
  readonly user: string;
  readonly fingerprint: string;
  readonly generation: number;
}

/** Who asked: the verified `iss` and `sub`. A shared lease keeps the caller that minted it. */
export interface CallerId {
  readonly issuer: string;
  readonly subject: string;
}

export function sameCaller(one: CallerId, other: CallerId): boolean {
  return one.issuer === other.issuer && one.subject === other.subject;
}

/** The session under which every shared lease is found, of no issuer's: it is nobody's own. */
export const SHARED = { kind: 'session', issuer: '', session: 'shared' } as const;

/** One spelling for all names that may be the same ThoughtSpot user: NFKC, lower case, no space around. Idempotent. */
export function normaliseUser(name: string): string {
  return name.normalize('NFKC').toLowerCase().normalize('NFKC').trim();
}

/** A ThoughtSpot user that is one set of entitlements of a person: `alice~` and 16 characters (policy/persisted.ts). */
const PER_ENTITLEMENT = /~[a-z2-7]{16}$/;

export function isPerEntitlement(name: string): boolean {
  return PER_ENTITLEMENT.test(normaliseUser(name));
}

/** The person behind a ThoughtSpot user name, normalised: the ledger's partition, whatever entitlements the user has. */
export function personOf(name: string): string {
  return normaliseUser(name).replace(PER_ENTITLEMENT, '');
}

/** What a lease knows of its token: set from `live` on. */
export interface Issuance {
  readonly issuedAt?: number;
  /** Earliest time at which the token can die by ThoughtSpot's clock: serve it only with margin before this. */
  readonly expiresAt?: number;
  /** Latest time at which it is dead by ThoughtSpot's clock: only then may a row become `expired`. */
  readonly endsAt?: number;
  /** ThoughtSpot's own words, for the answer: creation in epoch ms of its clock, and validity in whole seconds. */
  readonly upstreamCreatedAt?: number;
  readonly lifetimeSeconds?: number;
  readonly tokenType?: string;
}

/** All times are epoch milliseconds of the broker's clock unless said otherwise. */
export interface Lease extends LeaseKey, Issuance {
  /** Opaque handle that callers see; names the row and reveals nothing else. */
  readonly leaseId: string;
  /** The user in ThoughtSpot's spelling, which the revocation must send; absent: as in `user`. */
  readonly userName?: string;
  /** Set where ThoughtSpot's reply was not for that user: the user that it named, or '' if it named none. */
  readonly answeredUser?: string;
  readonly state: LeaseState;
  readonly caller: CallerId;
  readonly shared: boolean;
  readonly orgId: number;
  readonly kind: 'full' | 'object' | 'custom';
  readonly rule: string;
  readonly grant: string;
  readonly policyVersion: string;
  /** The grant's entitlement digest; absent if the policy leaves nothing on any user. */
  readonly entitlements?: string;
  readonly reservedAt: number;
  /** Generation of the lease that served as this was reserved, so that it is found however many mints fail; absent: none did. */
  readonly kept?: number;
  /** Until when the process that mints may still be working; after it no process works on a reserved row. */
  readonly mintDeadlineAt: number;
  /** Latest time at which a token from this reservation can still be alive, even if the reply was lost. */
  readonly latestEndAt: number;
  /** Whether a sealed token is in the row: without one there is nothing to revoke with. */
  readonly sealed: boolean;
  /** Keyed digest of the token, for audit and look-up. */
  readonly tokenDigest?: string;
  /** When the sweep must process the row; absent once finished. */
  readonly dueAt?: number;
  /** Attempts to revoke the token that ThoughtSpot has not confirmed. */
  readonly attempts: number;
}

/** When the token has certainly expired, by the clock that wrote the row. */
export function certainEnd(lease: Pick<Lease, 'endsAt' | 'latestEndAt'>): number {
  return lease.endsAt ?? lease.latestEndAt;
}

/** How far the clock of a process that closes rows may run ahead of the one that wrote them, with room to spare, ms. */
export const CLOSING_MS = 60_000;

/** From when on a row may be closed as expired. Until then its token may be alive, whatever the clock here says. */
export function closesAt(lease: Pick<Lease, 'endsAt' | 'latestEndAt'>): number {
  return certainEnd(lease) + CLOSING_MS;
}

/** What an audit line says of a lease: handles, names and a digest; nothing that could be used as a token. */
export function leaseFacts({ caller, user, rule, grant, policyVersion, ...lease }: Lease) {
  const { leaseId, generation, orgId, kind, state, tokenDigest } = lease;
  const digest = tokenDigest === undefined ? {} : { tokenDigest };
  return { caller, user, rule, grant, policyVersion, lease: { leaseId, generation, orgId, kind, state, ...digest } };
}
