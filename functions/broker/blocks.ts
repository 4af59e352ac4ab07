/**
 * Who is shut out (docs/adr/0020). A block is a cut-off, which ends what lives, with a sign-out or a suspension beside it.
 * Pure: both ledgers read and write with these rules. Times are epoch ms.
 */
import { Failure } from './failure.ts';
import type { CallerId } from './lease.ts';

/** Blocks on users, subjects and sessions are found by so many shards of the due index. */
export const BLOCK_SHARDS = 4;
/** Later than any due time. */
export const EVER = Number.MAX_SAFE_INTEGER;

/** Whom a block is about. `user`: the person behind a ThoughtSpot user (`personOf`), in every org or in one. */
export type BlockScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'org'; readonly orgId: number }
  | { readonly kind: 'user'; readonly user: string; readonly orgId?: number | undefined }
  | { readonly kind: 'subject'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'session'; readonly issuer: string; readonly session: string }
  /** What the policy gave, by a version or a rule: a cut-off ends it, and shuts nobody out. */
  | { readonly kind: 'policy'; readonly policyVersion: string }
  | { readonly kind: 'rule'; readonly rule: string };

/** What an issuer has ended: one session, or all of a subject. */
export interface Logout {
  readonly scope: Extract<BlockScope, { readonly kind: 'subject' | 'session' }>;
  /** The app that was told, by its id at the issuer. */
  readonly client: string;
  /** When, by the issuer's clock, whole seconds in epoch ms. */
  readonly at: number;
}

/** What is in force for a scope. Every time in it is only ever raised, so that whatever comes twice or late does no harm. */
export interface Block {
  readonly scope: BlockScope;
  /** The cut-off: nothing that was reserved before it is served. 0: none. */
  readonly before: number;
  /** Access tokens whose `iat` is not later count no more. */
  readonly signedOut?: number;
  /** No access token counts while this is later than `reinstatedAt`. */
  readonly suspendedAt?: number;
  readonly reinstatedAt?: number;
  /** The cut-off of a subject or session ends all shared leases too. Else they are the others' as well, and stay. */
  readonly endsShared?: boolean;
  /** Rows that the cut-off covers may still be unfinished; the sweep continues from `cursor`. */
  readonly pending: boolean;
  readonly cursor?: string;
}

/** What to raise. Someone who asks means what there is now: `always` raises; an event never goes beyond its own time. */
export interface Raising extends Partial<
  Pick<Block, 'before' | 'signedOut' | 'suspendedAt' | 'reinstatedAt' | 'endsShared'>
> {
  readonly always?: boolean;
  /** From when on the sweep works on what is `pending`. */
  readonly dueAt?: number;
}

/** A caller as blocks see one: with the session that the issuer names, and the `iat` of the access token. */
export type Asker = CallerId & { readonly session?: string; readonly issuedAt: number };

/** Whom a read of blocks is for: every block on one of them is found. */
export interface Concerned {
  readonly caller?: CallerId & { readonly session?: string };
  /** As in `BlockScope`. */
  readonly user?: string;
  readonly orgId: number;
}

export interface BlockPage {
  readonly blocks: readonly Block[];
  readonly next?: string;
}

/** The port of blocks: a part of the ledger. */
export interface BlockLedger {
  /** Every block on somebody. One read. */
  blocksOn(concerned: Concerned, deadline: number): Promise<readonly Block[]>;
  /** Raises a block by the rules of `raised`: as it was, and as it is then. Doing it again without `always` changes nothing. */
  raiseBlock(
    scope: BlockScope,
    raising: Raising,
    deadline: number,
  ): Promise<{ readonly was: Block; readonly block: Block }>;
  /** Blocks on all, on orgs and on what the policy gave. */
  widestBlocks(deadline: number): Promise<readonly Block[]>;
  /**
   * One page of the other blocks, by shard (0 to BLOCK_SHARDS - 1): what is pending and due by `until`, or with `until` EVER
   * also what needs no work any more. Found by an index that may lag.
   */
  dueBlocks(
    shard: number,
    until: number,
    limit: number,
    cursor: string | undefined,
    deadline: number,
  ): Promise<BlockPage>;
  /**
   * Stores the progress on the cut-off of a block, and when the sweep is to go on with one that is not on all or an org;
   * `cursor` null: done. Only if `before` is still the same and the block pending.
   */
  advanceBlock(block: Block, cursor: string | null, dueAt: number, deadline: number): Promise<void>;
}

/** The scopes that concern a request or a row. Others are in the way of nobody here. */
export function scopesOn({ caller, user, orgId }: Concerned): readonly BlockScope[] {
  return [
    { kind: 'all' },
    { kind: 'org', orgId },
    ...(user === undefined ? [] : [{ kind: 'user', user } as const, { kind: 'user', user, orgId } as const]),
    ...(caller === undefined ? [] : [{ kind: 'subject', issuer: caller.issuer, subject: caller.subject } as const]),
    ...(caller?.session === undefined
      ? []
      : [{ kind: 'session', issuer: caller.issuer, session: caller.session } as const]),
  ];
}

export const isSuspended = ({ suspendedAt = 0, reinstatedAt = 0 }: Block): boolean => suspendedAt > reinstatedAt;

/** A shared lease is not one caller's: such a scope does not cover it. */
export const isOneCallers = ({ kind }: BlockScope): boolean => kind === 'subject' || kind === 'session';

/** Below this, leases are not served. */
export function cutOffOf(blocks: readonly Block[], shared: boolean): number {
  const covering = blocks.filter(({ scope }) => !shared || !isOneCallers(scope));
  return Math.max(0, ...covering.map(({ before }) => before));
}

/** Why a caller is shut out; undefined: not at all. The wait says when an access token that is issued then will count. */
export function refusalOf(blocks: readonly Block[], issuedAt: number, now: number): Failure | undefined {
  const suspended = blocks.filter(isSuspended);
  const named = (those: readonly Block[]) => `by a block on the ${those.map(({ scope }) => scope.kind).join(', ')}`;
  if (suspended.length > 0) return new Failure('suspended', { reason: `suspended ${named(suspended)}` });
  const signedOut = blocks.filter((block) => issuedAt <= (block.signedOut ?? -Infinity));
  if (signedOut.length === 0) return undefined;
  const last = Math.max(...signedOut.map((block) => block.signedOut ?? 0));
  // `iat` has whole seconds.
  const passesAt = (Math.floor(last / 1_000) + 1) * 1_000;
  return new Failure('sign-in-again', {
    reason: `signed out ${named(signedOut)}`,
    retryAfterMs: Math.max(1, passesAt - now),
  });
}

/** Of a scope that nobody has blocked yet. */
export const noBlock = (scope: BlockScope): Block => ({ scope, before: 0, pending: false });

/** The block after it was raised; undefined: nothing changes. */
export function raised(was: Block, raising: Raising): Block | undefined {
  const { always = false, before = 0, signedOut = 0, suspendedAt = 0, reinstatedAt = 0 } = raising;
  // Dated at or before the last reinstatement: it was delivered again, or late.
  if (suspendedAt > 0 && !always && suspendedAt <= (was.reinstatedAt ?? 0)) return undefined;
  // A logout that was heard of before is no reason to end what a new sign-in has got.
  if (signedOut > 0 && !always && signedOut <= (was.signedOut ?? 0)) return undefined;
  /** Above `floor` if it is given at all, and somebody asks. */
  const above = (given: number, floor: number | undefined) =>
    given > 0 && always ? Math.max(given, floor ?? 0) : given;
  const times = {
    before: Math.max(above(before, was.before + 1), was.before),
    signedOut: Math.max(signedOut, was.signedOut ?? 0),
    suspendedAt: Math.max(above(suspendedAt, (was.reinstatedAt ?? 0) + 1), was.suspendedAt ?? 0),
    reinstatedAt: Math.max(above(reinstatedAt, was.suspendedAt), was.reinstatedAt ?? 0),
  };
  const names = ['before', 'signedOut', 'suspendedAt', 'reinstatedAt'] as const;
  if (names.every((name) => times[name] === (was[name] ?? 0))) return undefined;
  const anew = times.before > was.before;
  const endsShared = raising.endsShared === true || (!anew && was.endsShared === true);
  return {
    scope: was.scope,
    before: times.before,
    ...(times.signedOut > 0 && { signedOut: times.signedOut }),
    ...(times.suspendedAt > 0 && { suspendedAt: times.suspendedAt }),
    ...(times.reinstatedAt > 0 && { reinstatedAt: times.reinstatedAt }),
    ...(endsShared && { endsShared }),
    pending: anew || was.pending,
    ...(!anew && was.cursor !== undefined && { cursor: was.cursor }),
  };
}
