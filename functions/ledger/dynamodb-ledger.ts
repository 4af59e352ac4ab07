/** The ledger on DynamoDB: single-item conditional writes, whose conditions are the lease machine's. */
import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import { type Lease, type LeaseKey, isUnfinished, sameCaller } from '../broker/lease.ts';
import type { Clock, TokenLedger } from '../broker/ports.ts';
import { LEDGER_TABLE } from '../contract/table.ts';
import { blockKeys, blocksIn, makeBlocks } from './blocks.ts';
import type { DataKeys, SealingKey } from './data-keys.ts';
import { type Handles, type HandlesOptions, makeHandles } from './handles.ts';
import {
  type Item,
  type ItemKey,
  callerDigest,
  decodeCursor,
  dueShardName,
  encodeCursor,
  fingerprintPrefix,
  leaseItemKey,
  leaseOf,
  parseItem,
  sessionDigest,
  userPartition,
} from './item.ts';
import { makeMintCounts } from './mint-counts.ts';
import { makeSealing } from './sealing.ts';
import type { Query, Table } from './table.ts';
import { makeUserHolds } from './user-holds.ts';
import { reservedItem, statesThatAllow, updateOf } from './writes.ts';

export interface DynamoDbLedgerOptions extends HandlesOptions {
  readonly table: Table;
  /** Shards of the due index; never lower it while leases live, the sweep would not look into the upper ones. */
  readonly shards: number;
  readonly dataKeys: DataKeys;
  readonly clock: Pick<Clock, 'now'>;
}

/** Keys per strongly consistent batch read; DynamoDB takes up to 100. */
const BATCH = 100;
/** For a digest outside of any call of the table. */
const DIGEST_TIMEOUT_MS = 3_000;
const { due: dueIndex, caller: callerIndex, session: sessionIndex, token: tokenIndex } = LEDGER_TABLE.indexes;
const { unfinished: unfinishedIndex } = LEDGER_TABLE.indexes;

const rowKey = z.object({ pk: z.string(), sk: z.string() });
const writtenItem = z.object({ write: z.string() });
const tokenItem = z.object({ token: z.exactOptional(z.instanceof(Uint8Array)) });

export function makeDynamoDbLedger(options: DynamoDbLedgerOptions): TokenLedger {
  const { table, shards, environment, dataKeys, clock } = options;
  const sealing = makeSealing(dataKeys, environment);
  const handlesNow = makeHandles(options);
  const writeContext = () => ({ shards, now: clock.now(), write: randomUUID() });
  /** Sealed tokens of the leases that were read, apart from them: a lease may be listed and printed. */
  const sealedOf = new WeakMap<LeaseKey, Uint8Array>();
  /** The key that a reservation was promised: KMS may be gone by the time of the token, and the hour may have turned. */
  const promised = new WeakMap<LeaseKey, SealingKey>();

  /**
   * Rows are read first, then the key of their handles: where there is a row there is a key. Without KMS a row can still
   * be worked on; its handle is empty then.
   */
  async function leasesFrom(items: readonly Item[], deadline: number): Promise<Lease[]> {
    if (items.length === 0) return [];
    const { leaseId } = await handlesNow(deadline).catch(noHandles);
    return items.map((item) => {
      const lease = leaseOf(item, leaseId);
      const { token } = item;
      if (token instanceof Uint8Array) sealedOf.set(lease, token);
      return lease;
    });
  }

  async function read(key: LeaseKey, deadline: number): Promise<Lease | undefined> {
    const item = await table.get(leaseItemKey(key), deadline);
    return item && (await leasesFrom([item], deadline))[0];
  }

  /** After a failed condition on a second try: the item, if our own first try wrote it and only its answer was lost. */
  async function ownWork(key: LeaseKey, write: string, deadline: number): Promise<Item | undefined> {
    const item = await table.get(leaseItemKey(key), deadline);
    return item && parseItem(writtenItem, item).write === write ? item : undefined;
  }

  /** The rows of these keys as they are now, in no order. */
  async function rowsAt(keys: readonly ItemKey[], deadline: number): Promise<Lease[]> {
    const items: Item[] = [];
    for (let from = 0; from < keys.length; from += BATCH)
      items.push(...(await table.getMany(keys.slice(from, from + BATCH), deadline)));
    return leasesFrom(items, deadline);
  }

  /**
   * Rows that an index finds, but for those `known`. It may lag, and a row may change in between: what counts is
   * the row as it is now.
   */
  async function* rowsBy(query: Query, deadline: number, known: readonly LeaseKey[] = []): AsyncGenerator<Lease> {
    const asText = ({ pk, sk }: ItemKey) => `${pk}\n${sk}`;
    const leftOut = new Set(known.map((key) => asText(leaseItemKey(key))));
    for await (const items of table.pages({ ...query, limit: BATCH }, deadline)) {
      const keys = items.map((item) => parseItem(rowKey, item)).filter((key) => !leftOut.has(asText(key)));
      yield* await rowsAt(keys, deadline);
    }
  }

  async function* unfinishedBy(...by: Parameters<typeof rowsBy>): AsyncGenerator<Lease> {
    for await (const lease of rowsBy(...by)) if (isUnfinished(lease.state)) yield lease;
  }

  return {
    shards,
    ...makeBlocks(table),
    ...makeMintCounts(table, () => clock.now()),
    ...makeUserHolds(table),

    async newest(user, fingerprint, limit, deadline) {
      const where = '#pk = :pk AND begins_with(#sk, :prefix)';
      const values = { pk: userPartition(user), prefix: fingerprintPrefix(fingerprint) };
      const { items } = await table.page({ where, values, newestFirst: true, limit }, deadline);
      // These are served, and nothing is served without its handle.
      if (items.length > 0) await handlesNow(deadline);
      return leasesFrom(items, deadline);
    },

    get: read,

    unfinishedOfUser(user, deadline, caller) {
      const mine = caller && { name: unfinishedIndex.sortKey.name, digest: callerDigest(caller) };
      const where = `#pk = :pk${mine ? ` AND #${mine.name} = :digest` : ''}`;
      const query = { index: unfinishedIndex, where, values: { pk: userPartition(user), digest: mine?.digest } };
      return unfinishedBy(query, deadline);
    },

    withDigest(digest, deadline) {
      const where = `#${tokenIndex.partitionKey.name} = :digest`;
      return rowsBy({ index: tokenIndex, where, values: { digest } }, deadline);
    },

    async *unfinishedOfCaller(caller, deadline, known) {
      const where = `#${callerIndex.partitionKey.name} = :digest`;
      const query = { index: callerIndex, where, values: { digest: callerDigest(caller) } };
      for await (const lease of unfinishedBy(query, deadline, known)) if (sameCaller(lease.caller, caller)) yield lease;
    },

    unfinishedOfSession(issuer, session, deadline) {
      const where = `#${sessionIndex.partitionKey.name} = :digest`;
      const values = { digest: sessionDigest(issuer, session) };
      return unfinishedBy({ index: sessionIndex, where, values }, deadline);
    },

    async recheck(row, caller, deadline) {
      const key = leaseItemKey(row);
      const { user, orgId } = row;
      const items = await table.getMany([...blockKeys({ caller, user, orgId }), key], deadline);
      const [lease] = await leasesFrom(
        items.filter(({ pk }) => pk === key.pk),
        deadline,
      );
      return { lease, blocks: blocksIn(items) };
    },

    async byLeaseId(leaseId, deadline) {
      const key = (await handlesNow(deadline)).leaseKey(leaseId);
      return key && read(key, deadline);
    },

    digest: async (token) => (await handlesNow(clock.now() + DIGEST_TIMEOUT_MS)).tokenDigest(token),

    async reserve(reservation, deadline) {
      // A caller that cannot seal must not mint: a token that no row can hold could not be taken back.
      const [key] = await Promise.all([dataKeys.current(deadline), handlesNow(deadline)]);
      promised.set(reservation, key);
      const context = writeContext();
      const { written, retried } = await table.create(reservedItem(reservation, context), deadline);
      if (written || !retried) return written;
      return (await ownWork(reservation, context.write, deadline)) !== undefined;
    },

    async transition(key, change, deadline) {
      if (statesThatAllow(change).length === 0) return undefined;
      const row = leaseItemKey(key);
      const token = change.token !== undefined && {
        sealed: sealing.seal(change.token, row, promised.get(key) ?? (await dataKeys.current(deadline))),
        digest: (await handlesNow(deadline)).tokenDigest(change.token),
      };
      const context = writeContext();
      const update = updateOf(row, change, token || undefined, context);
      const { item, retried } = await table.update(row, update, deadline);
      const result = item ?? (retried ? await ownWork(key, context.write, deadline) : undefined);
      return result && (await leasesFrom([result], deadline))[0];
    },

    async token(key, deadline) {
      const row = leaseItemKey(key);
      const sealed = sealedOf.get(key) ?? parseItem(tokenItem, (await table.get(row, deadline)) ?? {}).token;
      return sealed && sealing.open(sealed, row, deadline);
    },

    async due(shard, until, limit, cursor, deadline) {
      const { items, next } = await table.page(
        {
          index: dueIndex,
          where: `#${dueIndex.partitionKey.name} = :shard AND #${dueIndex.sortKey.name} <= :until`,
          values: { shard: dueShardName(shard), until: Math.min(until, Number.MAX_SAFE_INTEGER) },
          after: cursor === undefined ? undefined : decodeCursor(cursor, dueShardName(shard)),
          limit,
        },
        deadline,
      );
      const rows = await rowsAt(
        items.map((item) => parseItem(rowKey, item)),
        deadline,
      );
      // Those that have changed since are due at another time, or finished.
      const leases = rows.filter(({ dueAt = Infinity }) => dueAt <= until).sort(byDueAt);
      return { leases, ...(next && { next: encodeCursor(next) }) };
    },
  };
}

const byDueAt = ({ dueAt: one = 0 }: Lease, { dueAt: other = 0 }: Lease) => one - other;

function noHandles(error: unknown): Pick<Handles, 'leaseId'> {
  if (error instanceof Failure && error.code === 'key-unavailable') return { leaseId: () => '' };
  throw error;
}
