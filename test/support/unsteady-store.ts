/**
 * The store as it may be, for the ledger in memory and for the local DynamoDB: what the documentation of DynamoDB allows and
 * its emulation never does. Global indexes are eventually consistent: each row is shown as it was some time ago, and since a
 * move within an index is two writes, at both places too. Batches are throttled in part. What is read strongly is right.
 */
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { Failure } from '../../functions/broker/failure.ts';
import { isObject } from '../../functions/contract/shapes.ts';
import { LEDGER_INDEXES, type LedgerIndex } from '../../functions/contract/table.ts';
import type { Item, ItemKey } from '../../functions/ledger/item.ts';
import type { CarryOut } from '../../local/aws/json-endpoint.ts';
import { chance } from './seeded.ts';

/** Longest that an index lags here, ms. */
export const LONGEST_LAG_MS = 60_000;

/** May be changed at any time. What is absent is as it should be. */
export interface Unsteadiness {
  now: () => number;
  /** How old what an index shows of a row is, ms: asked of each row at each read. */
  ageOf?: ((index: string, row: ItemKey) => number) | undefined;
  /** Whether a row that has moved in an index is shown at its new place too. Asked like `ageOf`. */
  inTwoPlaces?: (() => boolean) | undefined;
  /** How many keys of a batch DynamoDB leaves unprocessed. */
  leaves?: ((keys: number) => number) | undefined;
}

/** UNSTEADY=n: every ledger in memory lags so, for whole suites; each test then needs its own patience. */
export function unsteadyByEnvironment(now: () => number): Unsteadiness | undefined {
  const seed = process.env['UNSTEADY'];
  return seed === undefined ? undefined : unsteadyBy(Number(seed), now);
}

/** Ages from 0 to the longest, of each row at each read; every other row that has moved is in two places. */
export function unsteadyBy(seed: number, now: () => number): Unsteadiness {
  const random = chance(seed);
  return { now, ageOf: () => random() * LONGEST_LAG_MS, inTwoPlaces: () => random.maybe(0.5) };
}

const nameOf = ({ pk, sk }: Item) => `${String(pk)}\n${String(sk)}`;

function keyOf(cursor: string | undefined): Item | undefined {
  try {
    return cursor === undefined ? undefined : (JSON.parse(cursor) as Item);
  } catch {
    throw new Failure('invalid-request', { errors: [{ field: 'cursor', detail: 'is not a cursor of the ledger' }] });
  }
}

export interface IndexPage {
  readonly partition: string;
  /** The highest sort key. */
  readonly upTo?: number;
  readonly after?: Item | undefined;
  readonly limit?: number | undefined;
}

interface Version<Of> {
  readonly at: number;
  readonly item: Item & ItemKey;
  readonly of: Of;
}

/** What the global indexes of a table show, by every write to it. `Of`: what an item is of, which is found again by it. */
export class LaggingIndexes<Of = undefined> {
  readonly #versions = new Map<string, Version<Of>[]>();
  readonly #how: Unsteadiness;

  constructor(how: Unsteadiness) {
    this.#how = how;
  }

  /** An item as a write has left it. */
  written(item: Item & ItemKey, of: Of): void {
    const versions = this.#versions.get(nameOf(item)) ?? [];
    this.#versions.set(nameOf(item), versions);
    versions.push({ at: this.#how.now(), item, of });
  }

  /** What a query finds, each once. */
  find(index: LedgerIndex, { cursor, ...asked }: Omit<IndexPage, 'after'> & { readonly cursor?: string | undefined }) {
    const { items, next } = this.page(index, { ...asked, after: keyOf(cursor) });
    const versions = [...new Set(items.map(nameOf))].map((name) => this.#versions.get(name)?.at(-1));
    const found = versions.flatMap((version) => (version ? [version.of] : []));
    return { found, ...(next && { next: JSON.stringify(next) }) };
  }

  /** Keys alone. As in DynamoDB, a page that is full has a `next`, though it be the last. */
  page(index: LedgerIndex, { partition, upTo, after, limit = Infinity }: IndexPage) {
    const sortKey = 'sortKey' in index ? index.sortKey?.name : undefined;
    const names = ['pk', 'sk', index.partitionKey.name, ...(sortKey === undefined ? [] : [sortKey])];
    const shown = [...this.#versions.values()].flatMap((versions) => this.#shownOf(index, versions));
    const keys = shown
      .filter((item) => item[index.partitionKey.name] === partition && (!sortKey || item[sortKey] !== undefined))
      .filter((item) => upTo === undefined || Number(item[sortKey ?? '']) <= upTo)
      .map((item): Item => Object.fromEntries(names.map((name) => [name, item[name]])));
    const placeOf = (item: Item) => [Number(item[sortKey ?? ''] ?? 0), nameOf(item)];
    const compare = (one: Item, other: Item) => {
      const [[sort = 0, name = ''], [otherSort = 0, otherName = '']] = [placeOf(one), placeOf(other)];
      if (sort !== otherSort) return sort < otherSort ? -1 : 1;
      return name < otherName ? -1 : Number(name > otherName);
    };
    const rest = keys.sort(compare).filter((item) => after === undefined || compare(item, after) > 0);
    const items = rest.slice(0, limit);
    const last = items.at(-1);
    return { items, ...(items.length >= limit && last && { next: last }) };
  }

  #shownOf(index: LedgerIndex, versions: readonly Version<Of>[]): Item[] {
    const { now, ageOf, inTwoPlaces } = this.#how;
    const [last] = versions.slice(-1);
    if (last === undefined) return [];
    const asOf = now() - (ageOf?.(index.name, last.item) ?? 0);
    const seen = versions.findLast(({ at }) => at <= asOf)?.item;
    if (seen === undefined) return [];
    const sortKey = 'sortKey' in index ? index.sortKey?.name : undefined;
    const moved = sortKey !== undefined && seen[sortKey] !== last.item[sortKey];
    return moved && inTwoPlaces?.() === true ? [seen, last.item] : [seen];
  }
}

/** Stands before the local DynamoDB: writes go through and are kept in mind, queries of global indexes are answered here. */
export function beforeDynamoDb(how: Unsteadiness): (dynamodb: CarryOut) => CarryOut {
  const indexes = new LaggingIndexes(how);
  return (dynamodb) => (call, body, request, response) => {
    const { operation, input } = call;
    const index = LEDGER_INDEXES.find(({ name, scope }) => name === input['IndexName'] && scope === 'global');
    if (operation === 'Query' && index) {
      const { items, next } = indexes.page(index, pageOf(input));
      const found = { Items: items.map((item) => marshall(item)), Count: items.length, ScannedCount: items.length };
      const answer = { ...found, ...(next && { LastEvaluatedKey: marshall(next) }) };
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer));
      return;
    }
    /** What is asked of DynamoDB instead, and its answer before it is sent on. */
    const go = (asked: unknown, answered: (answer: Item) => unknown) => {
      const end = response.end.bind(response);
      response.end = (text: unknown) => {
        const answer: unknown = JSON.parse(String(text));
        if (response.statusCode !== 200 || !isObject(answer)) return end(text);
        const said = Buffer.from(JSON.stringify(answered(answer)));
        response.removeHeader('x-amz-crc32');
        response.setHeader('content-length', said.length);
        return end(said);
      };
      dynamodb(call, Buffer.from(JSON.stringify(asked)), request, response);
    };
    if (operation === 'PutItem' || operation === 'UpdateItem') {
      return go(input, (answer) => {
        // Every update of the ledger asks for the item as it is then.
        const item = unmarshall((input['Item'] ?? answer['Attributes']) as Parameters<typeof unmarshall>[0]);
        indexes.written(item as Item & ItemKey, undefined);
        return answer;
      });
    }
    if (operation === 'DeleteItem') {
      const key = unmarshall(input['Key'] as Parameters<typeof unmarshall>[0]);
      indexes.written(key as ItemKey, undefined);
    }
    const [[table, batch] = []] = Object.entries((input['RequestItems'] ?? {}) as Record<string, { Keys: unknown[] }>);
    if (operation === 'BatchGetItem' && table !== undefined && batch && how.leaves) {
      const done = batch.Keys.length - Math.min(batch.Keys.length - 1, how.leaves(batch.Keys.length));
      const left = batch.Keys.slice(done);
      // A list with a key twice is refused as a whole.
      const asked = { RequestItems: { [table]: { ...batch, Keys: batch.Keys.slice(0, done) } } };
      const twice = new Set(batch.Keys.map((key) => JSON.stringify(key))).size < batch.Keys.length;
      if (!twice && left.length > 0)
        return go(asked, (answer) => ({ ...answer, UnprocessedKeys: { [table]: { ...batch, Keys: left } } }));
    }
    dynamodb(call, body, request, response);
  };
}

/** The two shapes of the ledger's key conditions on global indexes. */
function pageOf(input: Readonly<Record<string, unknown>>): IndexPage {
  const values = unmarshall(input['ExpressionAttributeValues'] as Parameters<typeof unmarshall>[0]);
  const where = String(input['KeyConditionExpression']);
  const [, partition, upTo] = /^#\w+ = (:\w+)(?: AND #\w+ <= (:\w+))?$/.exec(where) ?? [];
  if (partition === undefined) throw new Error(`not a key condition of the ledger: ${where}`);
  const after = input['ExclusiveStartKey'] as Parameters<typeof unmarshall>[0] | undefined;
  return {
    partition: String(values[partition]),
    ...(upTo !== undefined && { upTo: Number(values[upTo]) }),
    after: after && unmarshall(after),
    limit: input['Limit'] as number | undefined,
  };
}
