/** The ledger on DynamoDB: single-item conditional writes, whose conditions are the lease machine's. */
import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import { type CallerId, type Lease, type LeaseKey, isUnfinished } from '../broker/lease.ts';
import type { TokenLedger } from '../broker/ports.ts';
import { LEDGER_TABLE } from '../contract/table.ts';
import { statesThatAllow } from './conditions.ts';
import { makeCutOffs } from './cut-offs.ts';
import type { DataKeys } from './data-keys.ts';
import { decodeCursor, encodeCursor } from './due-cursor.ts';
import {
  type Item,
  callerDigest,
  dueShardName,
  fingerprintPrefix,
  itemKey,
  leaseItemKey,
  leaseOf,
  numeric,
  parseItem,
  text,
  userPartition,
} from './item.ts';
import { type NamesOptions, makeNames } from './names.ts';
import { makeSealing } from './sealing.ts';
import { type Query, type TableOptions, makeTable } from './table.ts';
import { reservedItem, updateOf } from './writes.ts';

export interface DynamoDbLedgerOptions extends TableOptions, NamesOptions {
  /** Shards of the due index; never lower it while leases live, the sweep would not look into the upper ones. */
  readonly shards: number;
  readonly dataKeys: DataKeys;
}

/** Keys per strongly consistent batch read; DynamoDB takes up to 100. */
const BATCH = 100;
const { due: dueIndex, caller: callerIndex, unfinished: unfinishedIndex } = LEDGER_TABLE.indexes;

export function makeDynamoDbLedger(options: DynamoDbLedgerOptions): TokenLedger {
  const { shards, environment, dataKeys, clock } = options;
  const table = makeTable(options);
  const sealing = makeSealing(dataKeys, environment);
  const namesNow = makeNames(options);
  const keyOf = (key: LeaseKey): Item => {
    const { pk, sk } = leaseItemKey(key);
    return itemKey(pk, sk);
  };
  const writeContext = () => ({ shards, now: clock.now(), write: randomUUID() });
  /** Sealed tokens of the leases that were read, apart from them: a lease may be listed and printed. */
  const sealedOf = new WeakMap<LeaseKey, Uint8Array>();

  function leaseFrom(item: Item, leaseId: (key: LeaseKey) => string): Lease {
    const lease = leaseOf(item, leaseId);
    const sealed = item['token']?.B;
    if (sealed) sealedOf.set(lease, sealed);
    return lease;
  }

  async function read(key: LeaseKey, deadline: number): Promise<Lease | undefined> {
    const { leaseId } = await namesNow(deadline);
    const item = await table.get(keyOf(key), deadline);
    return item && leaseFrom(item, leaseId);
  }

  async function readSealed(key: LeaseKey, deadline: number): Promise<Uint8Array | undefined> {
    const item = await table.get(keyOf(key), deadline);
    return item && parseItem(tokenItem, item).token;
  }

  /** After a failed condition on a second try: the item, if our own first try wrote it and only its answer was lost. */
  async function ownWork(key: LeaseKey, write: string, deadline: number): Promise<Item | undefined> {
    const item = await table.get(keyOf(key), deadline);
    return item && parseItem(writtenItem, item).write === write ? item : undefined;
  }

  /**
   * Rows that an index of keys finds, but for those `known`. It may lag, and a row may change in between: what counts is
   * the row as it is now.
   */
  async function* unfinishedBy(query: Query, deadline: number, known: readonly LeaseKey[] = []): AsyncGenerator<Lease> {
    const { leaseId } = await namesNow(deadline);
    const nameOf = ({ pk, sk }: { pk: string; sk: string }) => `${pk}\n${sk}`;
    const leftOut = new Set(known.map((key) => nameOf(leaseItemKey(key))));
    let from: Item | undefined;
    do {
      const { items, next } = await table.page({ ...query, Limit: BATCH, ExclusiveStartKey: from }, deadline);
      const found = items.map((item) => parseItem(rowKey, item)).filter((row) => !leftOut.has(nameOf(row)));
      const keys = found.map(({ pk, sk }) => itemKey(pk, sk));
      for (const item of await table.getMany(keys, deadline)) {
        const lease = leaseFrom(item, leaseId);
        if (isUnfinished(lease.state)) yield lease;
      }
      from = next;
    } while (from);
  }

  return {
    shards,
    ...makeCutOffs(table),

    async newest(user, fingerprint, limit, deadline) {
      const { leaseId } = await namesNow(deadline);
      const { items } = await table.page(
        {
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: {
            ':pk': text(userPartition(user)),
            ':prefix': text(fingerprintPrefix(fingerprint)),
          },
          ScanIndexForward: false,
          Limit: limit,
          ConsistentRead: true,
        },
        deadline,
      );
      return items.map((item) => leaseFrom(item, leaseId));
    },

    get: read,

    unfinishedOfUser(user, deadline) {
      return unfinishedBy(
        {
          IndexName: unfinishedIndex.name,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': text(userPartition(user)) },
          ConsistentRead: true,
        },
        deadline,
      );
    },

    async withDigest(user, digest, deadline) {
      const { leaseId } = await namesNow(deadline);
      const rows = table.all(
        {
          KeyConditionExpression: 'pk = :pk',
          FilterExpression: 'tokenDigest = :digest',
          ExpressionAttributeValues: { ':pk': text(userPartition(user)), ':digest': text(digest) },
          ConsistentRead: true,
        },
        deadline,
      );
      for await (const item of rows) return leaseFrom(item, leaseId);
      return undefined;
    },

    async *unfinishedOfCaller(caller, deadline, known) {
      const query = {
        IndexName: callerIndex.name,
        KeyConditionExpression: '#digest = :digest',
        ExpressionAttributeNames: { '#digest': callerIndex.partitionKey.name },
        ExpressionAttributeValues: { ':digest': text(callerDigest(caller)) },
      };
      for await (const lease of unfinishedBy(query, deadline, known)) if (isSame(lease.caller, caller)) yield lease;
    },

    async byLeaseId(leaseId, deadline) {
      const key = (await namesNow(deadline)).leaseKey(leaseId);
      return key && read(key, deadline);
    },

    async digest(token) {
      return (await namesNow()).tokenDigest(token);
    },

    async reserve(reservation, deadline) {
      // Whoever cannot seal must not mint: a token that no row can hold could not be taken back.
      await dataKeys.current(deadline);
      const context = writeContext();
      const { written, retried } = await table.create(reservedItem(reservation, context), deadline);
      if (written || !retried) return written;
      return (await ownWork(reservation, context.write, deadline)) !== undefined;
    },

    async transition(key, change, deadline) {
      if (statesThatAllow(change).length === 0) return undefined;
      const names = await namesNow(deadline);
      const place = leaseItemKey(key);
      const token = change.token !== undefined && {
        sealed: await sealing.seal(change.token, place, deadline),
        digest: names.tokenDigest(change.token),
      };
      const context = writeContext();
      const update = updateOf(place, change, token || undefined, context);
      const { item, retried } = await table.update(keyOf(key), update, deadline);
      const result = item ?? (retried ? await ownWork(key, context.write, deadline) : undefined);
      return result && leaseFrom(result, names.leaseId);
    },

    async token(key, deadline) {
      const sealed = sealedOf.get(key) ?? (await readSealed(key, deadline));
      return sealed && sealing.open(sealed, leaseItemKey(key), deadline);
    },

    async due(shard, until, limit, cursor, deadline) {
      const { leaseId } = await namesNow(deadline);
      const { items, next } = await table.page(
        {
          IndexName: dueIndex.name,
          KeyConditionExpression: '#shard = :shard AND #dueAt <= :until',
          ExpressionAttributeNames: { '#shard': dueIndex.partitionKey.name, '#dueAt': dueIndex.sortKey.name },
          ExpressionAttributeValues: {
            ':shard': text(dueShardName(shard)),
            ':until': numeric(Math.min(until, Number.MAX_SAFE_INTEGER)),
          },
          ExclusiveStartKey: cursor === undefined ? undefined : decodeCursor(cursor, shard),
          Limit: limit,
        },
        deadline,
      );
      const leases = items.map((item) => leaseFrom(item, leaseId));
      return { leases, ...(next && { next: encodeCursor(next) }) };
    },
  };
}

const rowKey = z.object({ pk: z.string(), sk: z.string() });
const writtenItem = z.object({ write: z.string() });
const tokenItem = z.object({ token: z.exactOptional(z.instanceof(Uint8Array)) });

function isSame(one: CallerId, other: CallerId): boolean {
  return one.issuer === other.issuer && one.subject === other.subject;
}
