/** What a reservation and a change write: the item and the update's parts, with their conditions. */
import { type LeaseState, MAY_ENTER_FROM, SHARED, isUnfinished, mayEnter } from '../broker/lease.ts';
import type { Change, Reservation } from '../broker/ports.ts';
import { LEDGER_TABLE } from '../contract/table.ts';
import {
  type Item,
  type ItemKey,
  attributesOf,
  callerDigest,
  dueShardName,
  dueShardOf,
  leaseItemKey,
  sessionDigest,
} from './item.ts';
import type { Update } from './table.ts';

const { due, caller: byCaller, session: bySession } = LEDGER_TABLE.indexes;
const DUE_SHARD = due.partitionKey.name;
const DUE_AT = due.sortKey.name;
const CALLER_DIGEST = byCaller.partitionKey.name;
const SESSION_DIGEST = bySession.partitionKey.name;

/** How long finished rows are kept for investigations: 30 days. After that DynamoDB may delete them. */
export const RETENTION_SECONDS = 30 * 86_400;

export interface WriteContext {
  readonly shards: number;
  readonly now: number;
  /** Unique per write, so that a writer whose answer was lost recognises its own write. */
  readonly write: string;
}

/** A token ready to be written. */
export interface SealedToken {
  readonly sealed: Uint8Array;
  readonly digest: string;
}

export function reservedItem(reservation: Reservation, { shards, write }: WriteContext): Item & ItemKey {
  const { user: _user, fingerprint: _fingerprint, generation: _generation, caller, session, ...facts } = reservation;
  const key = leaseItemKey(reservation);
  const found = facts.shared ? SHARED : { issuer: caller.issuer, session };
  const lease = { ...facts, caller: { issuer: caller.issuer, subject: caller.subject }, attempts: 0 };
  return {
    ...key,
    ...attributesOf(lease),
    state: 'reserved',
    write,
    [CALLER_DIGEST]: callerDigest(caller),
    ...(found.session === undefined ? {} : { [SESSION_DIGEST]: sessionDigest(found.issuer, found.session) }),
    [DUE_SHARD]: dueShardName(dueShardOf(key, shards)),
    [DUE_AT]: facts.mintDeadlineAt,
  };
}

export function updateOf(
  key: ItemKey,
  change: Change,
  token: SealedToken | undefined,
  { shards, now, write }: WriteContext,
): Update {
  // By name, because a change also contains the unencrypted token.
  const { to, dueAt, ifDueAt, answeredUser, issuedAt, expiresAt, endsAt, tokenType, attempts } = change;
  const { upstreamCreatedAt, lifetimeSeconds } = change;
  const times = { issuedAt, expiresAt, endsAt, upstreamCreatedAt, lifetimeSeconds };
  const changed = attributesOf({ answeredUser, ...times, tokenType, attempts });
  const facts = { state: to, write, ...changed, tokenDigest: token?.digest };
  const states = statesThatAllow(change).map((state, index) => [`from${index}`, state] as const);
  const inState = `#state IN (${states.map(([name]) => `:${name}`).join(', ')})`;
  const when = ifDueAt === undefined ? inState : `${inState} AND #${DUE_AT} = :ifDueAt`;
  const condition = { when, values: { ...Object.fromEntries(states), ifDueAt } };
  if (!isUnfinished(to)) {
    const retention = Math.floor(now / 1_000) + RETENTION_SECONDS;
    // Removes the row from the indexes. Nobody needs a dead token, so the ledger does not keep it.
    const remove = [DUE_SHARD, DUE_AT, CALLER_DIGEST, SESSION_DIGEST, 'token'];
    return { set: { ...facts, [LEDGER_TABLE.timeToLive]: retention }, remove, ...condition };
  }
  const set = { ...facts, token: token?.sealed };
  if (dueAt === null) return { set, remove: [DUE_SHARD, DUE_AT], ...condition };
  const dueShard = dueShardName(dueShardOf(key, shards));
  return { set: { ...set, [DUE_SHARD]: dueShard, [DUE_AT]: dueAt }, ...condition };
}

/**
 * The states in which a row may be for a change to be written. `change.from` narrows what the lease machine allows and
 * never widens it; an empty list means that no row can take the change.
 */
export function statesThatAllow(change: Pick<Change, 'to' | 'from'>): readonly LeaseState[] {
  return change.from?.filter((state) => mayEnter(state, change.to)) ?? MAY_ENTER_FROM[change.to];
}
