/** The few DynamoDB calls that the ledger makes, on one table: paged, strongly consistent, in its own words. */
import {
  BatchGetItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandOutput,
  QueryCommand,
  type QueryCommandInput,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { Failure } from '../broker/failure.ts';
import type { Clock, Randomness } from '../broker/ports.ts';
import { type CallsOptions, isFailedCondition, makeTableCalls } from './calls.ts';
import type { Item } from './item.ts';

export interface TableOptions extends CallsOptions {
  readonly client: Pick<DynamoDBClient, 'send'>;
  readonly table: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

export type Query = Omit<QueryCommandInput, 'TableName'>;

/** An update: `set` by attribute, `remove` attributes, on the condition that `when` holds of the item before it. */
export interface Update {
  readonly set: Item;
  readonly remove?: readonly string[];
  /** A condition over `#name` and `:name`; the names in it need an entry in `values` unless they are in `set`. */
  readonly when: string;
  readonly values?: Item;
}

export interface Table {
  get(key: Item, deadline: number): Promise<Item | undefined>;
  /** Up to 100 items by key, in no order; those that do not exist are left out. */
  getMany(keys: readonly Item[], deadline: number): Promise<readonly Item[]>;
  page(query: Query, deadline: number): Promise<{ readonly items: readonly Item[]; readonly next?: Item }>;
  /** All pages. */
  all(query: Query, deadline: number): AsyncIterable<Item>;
  /** Puts on condition that there is no such item. */
  create(item: Item, deadline: number): Promise<{ readonly written: boolean } & Tried>;
  /** The item after the update; undefined where the condition failed. */
  update(key: Item, update: Update, deadline: number): Promise<{ readonly item: Item | undefined } & Tried>;
}

export interface Tried {
  /** More than one try was made: a failed condition may be the trace of an earlier one whose answer was lost. */
  readonly retried: boolean;
}

/** Rounds for the keys that a batch left unprocessed; DynamoDB does that when it throttles. */
const BATCH_ROUNDS = 5;
const BATCH_BACKOFF_MS = 50;

export function makeTable(options: TableOptions): Table {
  const { client, table, clock, randomness } = options;
  const call = makeTableCalls(options);

  const get: Table['get'] = async (key, deadline) => {
    const command = new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true });
    const output = await call('GetItem', deadline, (abortSignal) => client.send(command, { abortSignal }));
    return output.Item;
  };

  const getMany: Table['getMany'] = async (keys, deadline) => {
    const items: Item[] = [];
    let left: Item[] = [...keys];
    for (let round = 0; left.length > 0; round += 1) {
      if (round === BATCH_ROUNDS)
        throw new Failure('ledger-unavailable', { reason: 'DynamoDB BatchGetItem: throttled' });
      if (round > 0) await clock.sleep(randomness() * BATCH_BACKOFF_MS * 2 ** round);
      const command = new BatchGetItemCommand({ RequestItems: { [table]: { Keys: left, ConsistentRead: true } } });
      const output = await call('BatchGetItem', deadline, (abortSignal) => client.send(command, { abortSignal }));
      items.push(...(output.Responses?.[table] ?? []));
      left = output.UnprocessedKeys?.[table]?.Keys ?? [];
    }
    return items;
  };

  const page: Table['page'] = async (query, deadline) => {
    const command = new QueryCommand({ ...query, TableName: table });
    const output = await call('Query', deadline, (abortSignal) => client.send(command, { abortSignal }));
    return { items: output.Items ?? [], ...(output.LastEvaluatedKey && { next: output.LastEvaluatedKey }) };
  };

  const all: Table['all'] = async function* (query, deadline) {
    let from: Item | undefined;
    do {
      const { items, next } = await page({ ...query, ExclusiveStartKey: from }, deadline);
      yield* items;
      from = next;
    } while (from);
  };

  const create: Table['create'] = async (item, deadline) => {
    const command = new PutItemCommand({
      TableName: table,
      Item: item,
      ConditionExpression: 'attribute_not_exists(pk)',
    });
    const { output, retried } = await write('PutItem', deadline, (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    return { written: output !== undefined, retried };
  };

  const update: Table['update'] = async (key, { set, remove = [], when, values = {} }, deadline) => {
    const sets = Object.keys(set).map((name) => `#${name} = :${name}`);
    const removes = remove.map((name) => `#${name}`);
    const expression = `SET ${sets.join(', ')}${removes.length > 0 ? ` REMOVE ${removes.join(', ')}` : ''}`;
    const names = new Set(`${expression} ${when}`.match(/#\w+/g));
    const command = new UpdateItemCommand({
      TableName: table,
      Key: key,
      UpdateExpression: expression,
      ConditionExpression: when,
      ExpressionAttributeNames: Object.fromEntries([...names].map((name) => [name, name.slice(1)])),
      ExpressionAttributeValues: Object.fromEntries(
        Object.entries({ ...set, ...values }).map(([name, value]) => [`:${name}`, value]),
      ),
      ReturnValues: 'ALL_NEW',
    });
    const { output, retried } = await write('UpdateItem', deadline, (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    return { item: output?.Attributes, retried };
  };

  /** No output where the condition failed. */
  async function write<Output extends Pick<PutItemCommandOutput, '$metadata'>>(
    operation: string,
    deadline: number,
    send: (abortSignal: AbortSignal) => Promise<Output>,
  ): Promise<{ readonly output?: Output } & Tried> {
    try {
      const output = await call(operation, deadline, send);
      return { output, retried: isRetried(output) };
    } catch (error) {
      if (!isFailedCondition(error)) throw error;
      return { retried: isRetried(error) };
    }
  }

  return { get, getMany, page, all, create, update };
}

function isRetried({ $metadata: { attempts = 1 } }: Pick<PutItemCommandOutput, '$metadata'>): boolean {
  return attempts > 1;
}
