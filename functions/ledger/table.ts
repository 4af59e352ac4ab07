/** The few DynamoDB calls that the ledger makes, on one table: paged, strongly consistent, of plain values. */
import {
  type AttributeValue,
  BatchGetItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandOutput,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { Failure } from '../broker/failure.ts';
import type { Clock, Randomness } from '../broker/ports.ts';
import type { LedgerIndex } from '../contract/table.ts';
import { type AwsCallOptions, type Send, isFailedCondition, makeDynamoDbCall } from './aws-calls.ts';
import type { Item, ItemKey } from './item.ts';

export interface TableOptions extends AwsCallOptions {
  readonly client: Pick<DynamoDBClient, 'send'>;
  readonly name: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

/** In expressions `#name` is the attribute of that name, and `:name` the value of that name. */
export interface Query {
  /** The key condition. */
  readonly where: string;
  readonly values: Item;
  /** The table itself where absent. A global index is not read strongly: it cannot be. */
  readonly index?: LedgerIndex;
  readonly newestFirst?: boolean;
  readonly limit?: number;
  readonly after?: Item | undefined;
}

/** Sets, removes and adds to attributes, on condition that `when` holds of the item before it. What is undefined is left out. */
export interface Update {
  readonly set: Item;
  readonly remove?: readonly string[];
  /** Numbers and sets to add to what the attributes hold; what is not there begins with them. */
  readonly add?: Item;
  readonly when?: string;
  /** For `when`, in addition to those in `set`. */
  readonly values?: Item;
}

export interface Table {
  readonly name: string;
  get(key: ItemKey, deadline: number): Promise<Item | undefined>;
  /** Up to 100 items by key, each once, in no order; those that do not exist are left out. */
  getMany(keys: readonly ItemKey[], deadline: number): Promise<readonly Item[]>;
  page(query: Query, deadline: number): Promise<{ readonly items: readonly Item[]; readonly next?: Item }>;
  /** The items of all pages, page by page. */
  pages(query: Query, deadline: number): AsyncIterable<readonly Item[]>;
  /** Puts on condition that there is no such item. */
  create(item: Item & ItemKey, deadline: number): Promise<{ readonly written: boolean } & Tried>;
  /** The item after the update; undefined where the condition failed. */
  update(key: ItemKey, update: Update, deadline: number): Promise<{ readonly item: Item | undefined } & Tried>;
}

export interface Tried {
  /** There was more than one attempt: a failed condition may come from an earlier one whose answer was lost. */
  readonly retried: boolean;
}

/** Rounds in a row that leave every key of a batch unprocessed; DynamoDB leaves keys when it throttles. */
const BATCH_ROUNDS = 5;
const BATCH_BACKOFF_MS = 50;

export function makeTable(options: TableOptions): Table {
  const { client, name, clock, randomness } = options;
  const call = makeDynamoDbCall(options);

  const get: Table['get'] = async (key, deadline) => {
    const command = new GetItemCommand({ TableName: name, Key: marshall(key), ConsistentRead: true });
    const { Item: found } = await call('GetItem', deadline, (options) => client.send(command, options));
    return found && itemOf(found);
  };

  const getMany: Table['getMany'] = async (keys, deadline) => {
    const items: Item[] = [];
    // Each once, or DynamoDB refuses them all: an index may show a row at two places while it moves there.
    let left = [...new Map(keys.map((key) => [`${key.pk}\n${key.sk}`, marshall(key)])).values()];
    for (let round = 0, inVain = 0; left.length > 0; round += 1) {
      if (inVain === BATCH_ROUNDS)
        throw new Failure('ledger-unavailable', { reason: 'DynamoDB BatchGetItem: throttled' });
      if (round > 0) await clock.sleep(randomness() * BATCH_BACKOFF_MS * 2 ** Math.min(round, BATCH_ROUNDS));
      const command = new BatchGetItemCommand({ RequestItems: { [name]: { Keys: left, ConsistentRead: true } } });
      const output = await call('BatchGetItem', deadline, (options) => client.send(command, options));
      items.push(...(output.Responses?.[name] ?? []).map(itemOf));
      const unprocessed = output.UnprocessedKeys?.[name]?.Keys ?? [];
      inVain = unprocessed.length < left.length ? 0 : inVain + 1;
      left = unprocessed;
    }
    return items;
  };

  const page: Table['page'] = async ({ where, values, index, newestFirst, limit, after }, deadline) => {
    const command = new QueryCommand({
      TableName: name,
      IndexName: index?.name,
      KeyConditionExpression: where,
      ...attributesIn(where, values),
      ConsistentRead: index?.scope !== 'global',
      ScanIndexForward: !newestFirst,
      Limit: limit,
      ExclusiveStartKey: after && marshall(after),
    });
    const output = await call('Query', deadline, (options) => client.send(command, options));
    const next = output.LastEvaluatedKey && itemOf(output.LastEvaluatedKey);
    return { items: (output.Items ?? []).map(itemOf), ...(next && { next }) };
  };

  const pages: Table['pages'] = async function* (query, deadline) {
    let after: Item | undefined;
    do {
      const { items, next } = await page({ ...query, after }, deadline);
      yield items;
      after = next;
    } while (after);
  };

  const create: Table['create'] = async (item, deadline) => {
    const command = new PutItemCommand({
      TableName: name,
      Item: marshall(item, { removeUndefinedValues: true }),
      ConditionExpression: 'attribute_not_exists(pk)',
    });
    const { output, retried } = await write('PutItem', deadline, (options) => client.send(command, options));
    return { written: output !== undefined, retried };
  };

  const update: Table['update'] = async (key, { set, remove = [], add = {}, when, values }, deadline) => {
    const given = Object.keys(set).filter((attribute) => set[attribute] !== undefined);
    const sets = given.map((attribute) => `#${attribute} = :${attribute}`).join(', ');
    const removes = remove.map((attribute) => `#${attribute}`).join(', ');
    const adds = Object.keys(add).map((attribute) => `#${attribute} :${attribute}`);
    const expression = `SET ${sets}${removes && ` REMOVE ${removes}`}${adds.length > 0 ? ` ADD ${adds.join(', ')}` : ''}`;
    const command = new UpdateItemCommand({
      TableName: name,
      Key: marshall(key),
      UpdateExpression: expression,
      ConditionExpression: when,
      ...attributesIn(`${expression} ${when}`, { ...set, ...add, ...values }),
      ReturnValues: 'ALL_NEW',
    });
    const { output, retried } = await write('UpdateItem', deadline, (options) => client.send(command, options));
    return { item: output?.Attributes && itemOf(output.Attributes), retried };
  };

  /** No output where the condition failed. */
  async function write<Output extends Pick<PutItemCommandOutput, '$metadata'>>(
    operation: string,
    deadline: number,
    send: Send<Output>,
  ): Promise<{ readonly output?: Output } & Tried> {
    try {
      const output = await call(operation, deadline, send);
      return { output, retried: isRetried(output) };
    } catch (error) {
      if (!isFailedCondition(error)) throw error;
      return { retried: isRetried(error) };
    }
  }

  return { name, get, getMany, page, pages, create, update };
}

/** Numbers as they are, also those beyond 2^53, which are rounded. */
function itemOf(attributes: Record<string, AttributeValue>): Item {
  return unmarshall(attributes, { wrapNumbers: Number });
}

/** The names and values that expressions use. */
function attributesIn(expressions: string, values: Item) {
  const names = new Set(expressions.match(/#\w+/g));
  const byName = Object.entries(values).map(([name, value]) => [`:${name}`, value] as const);
  return {
    ExpressionAttributeNames: Object.fromEntries([...names].map((name) => [name, name.slice(1)])),
    ExpressionAttributeValues: marshall(Object.fromEntries(byName), { removeUndefinedValues: true }),
  };
}

function isRetried({ $metadata: { attempts = 1 } }: Pick<PutItemCommandOutput, '$metadata'>): boolean {
  return attempts > 1;
}
