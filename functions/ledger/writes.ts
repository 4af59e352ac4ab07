/** What a reservation and a change write: the item and the update expression's parts, with their conditions. */
import { isUnfinished } from '../broker/lease.ts';
import type { Change, Reservation } from '../broker/ports.ts';
import { LEDGER_TABLE } from '../contract/table.ts';
import { statesThatAllow } from './conditions.ts';
import { type Item, bytes, callerDigest, dueShardName, dueShardOf, flag, leaseItemKey, numeric, text } from './item.ts';
import type { Update } from './table.ts';

const DUE_SHARD = LEDGER_TABLE.indexes.due.partitionKey.name;
const DUE_AT = LEDGER_TABLE.indexes.due.sortKey.name;
const CALLER_DIGEST = LEDGER_TABLE.indexes.caller.partitionKey.name;
const RETENTION = LEDGER_TABLE.timeToLive;

/** How long finished rows are kept for questions: days. After that DynamoDB may delete them. */
const RETENTION_DAYS = 30;

export interface WriteContext {
  readonly shards: number;
  readonly now: number;
  /** Unique per write, so that a writer whose answer was lost knows its own work again. */
  readonly write: string;
}

export function reservedItem(reservation: Reservation, { shards, write }: WriteContext): Item {
  const { user: _user, fingerprint: _fingerprint, generation: _generation, caller, ...facts } = reservation;
  const key = leaseItemKey(reservation);
  return {
    pk: text(key.pk),
    sk: text(key.sk),
    state: text('reserved'),
    caller: { M: { issuer: text(caller.issuer), subject: text(caller.subject) } },
    ...(facts.userName === undefined ? {} : { userName: text(facts.userName) }),
    shared: flag(facts.shared),
    orgId: numeric(facts.orgId),
    kind: text(facts.kind),
    rule: text(facts.rule),
    grant: text(facts.grant),
    policyVersion: text(facts.policyVersion),
    reservedAt: numeric(facts.reservedAt),
    mintDeadlineAt: numeric(facts.mintDeadlineAt),
    latestEndAt: numeric(facts.latestEndAt),
    attempts: numeric(0),
    write: text(write),
    [CALLER_DIGEST]: text(callerDigest(caller)),
    [DUE_SHARD]: text(dueShardName(dueShardOf(key, shards))),
    [DUE_AT]: numeric(facts.mintDeadlineAt),
  };
}

/** A token ready to be written. */
export interface SealedToken {
  readonly sealed: Uint8Array;
  readonly digest: string;
}

export function updateOf(
  key: { readonly pk: string; readonly sk: string },
  change: Change,
  token: SealedToken | undefined,
  { shards, now, write }: WriteContext,
): Update {
  const set: Item = { state: text(change.to), write: text(write) };
  const remove: string[] = [];
  const { issuedAt, expiresAt, endsAt, upstreamCreatedAt, lifetimeSeconds, attempts } = change;
  const numbers = { issuedAt, expiresAt, endsAt, upstreamCreatedAt, lifetimeSeconds, attempts };
  for (const [name, value] of Object.entries(numbers)) if (value !== undefined) set[name] = numeric(value);
  if (change.userName !== undefined) set['userName'] = text(change.userName);
  if (change.tokenType !== undefined) set['tokenType'] = text(change.tokenType);
  if (token) set['tokenDigest'] = text(token.digest);

  if (isUnfinished(change.to)) {
    if (token) set['token'] = bytes(token.sealed);
    if (change.dueAt === null) remove.push(DUE_SHARD, DUE_AT);
    else {
      set[DUE_SHARD] = text(dueShardName(dueShardOf(key, shards)));
      set[DUE_AT] = numeric(change.dueAt);
    }
  } else {
    // Off both indexes; and nobody needs a dead token, so the ledger does not keep it.
    remove.push(DUE_SHARD, DUE_AT, CALLER_DIGEST, 'token');
    set[RETENTION] = numeric(Math.floor(now / 1_000) + RETENTION_DAYS * 86_400);
  }

  const allowed = statesThatAllow(change).map((state, index) => [`from${index}`, text(state)] as const);
  const values: Item = Object.fromEntries(allowed);
  let when = `#state IN (${allowed.map(([name]) => `:${name}`).join(', ')})`;
  if (change.ifDueAt !== undefined) {
    when += ` AND #${DUE_AT} = :ifDueAt`;
    values['ifDueAt'] = numeric(change.ifDueAt);
  }
  return { set, remove, when, values };
}
