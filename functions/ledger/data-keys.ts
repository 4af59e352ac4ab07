/**
 * Data keys that seal tokens: one per hour and environment, made by KMS, kept in the table wrapped, so that every
 * sandbox opens what another sealed. A sandbox asks KMS once per hour that it touches; in between, losing KMS costs
 * nothing, and a key that is disabled there goes on working in warm sandboxes for the hours that they hold.
 */
import { type KeyObject, createSecretKey } from 'node:crypto';
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DecryptCommand, GenerateDataKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import type { Clock, Signals } from '../broker/ports.ts';
import { isFailedCondition, makeKeyCalls, makeTableCalls } from './calls.ts';
import { bytes, itemKey, numeric, parseItem } from './item.ts';

export interface DataKeys {
  /** The key to seal with now, by its hour (hours since the epoch). */
  current(deadline: number): Promise<{ readonly hour: number; readonly key: KeyObject }>;
  /** The key of an hour, to open with. Failure `key-unavailable` if it is lost or KMS does not unwrap it. */
  ofHour(hour: number, deadline: number): Promise<KeyObject>;
  /** Loads the current key ahead of the first token: for the init phase. Throws as `current`. */
  warm(deadline: number): Promise<void>;
}

export interface DataKeysOptions {
  readonly dynamodb: Pick<DynamoDBClient, 'send'>;
  readonly kms: Pick<KMSClient, 'send'>;
  readonly table: string;
  /** ARN or alias of the KMS key. */
  readonly keyId: string;
  readonly environment: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly signals?: Signals;
  /** Hours whose keys a sandbox holds; the one used longest ago goes first. */
  readonly maxHeld?: number;
}

const HOUR_MS = 3_600_000;
/** A load is shared by callers of different deadlines, so it has a limit of its own. */
const LOAD_TIMEOUT_MS = 5_000;

const dataKeyItem = z.object({ wrapped: z.instanceof(Uint8Array) });

export function makeDataKeys(options: DataKeysOptions): DataKeys {
  const { dynamodb, kms, table, keyId, environment, clock, maxHeld = 48 } = options;
  const callTable = makeTableCalls(options);
  const callKms = makeKeyCalls(options);
  const held = new Map<number, KeyObject>();
  const making = new Map<number, Promise<KeyObject>>();
  const finding = new Map<number, Promise<KeyObject>>();

  /** From memory, or by the one load under way. A failed load leaves nothing behind: the next caller tries anew. */
  async function obtain(
    hour: number,
    deadline: number,
    loads: Map<number, Promise<KeyObject>>,
    load: (hour: number, deadline: number) => Promise<KeyObject>,
  ): Promise<KeyObject> {
    const key = held.get(hour);
    if (key) {
      keep(hour, key);
      return key;
    }
    const loaded = await callKms('data key', deadline, () => {
      const loading = loads.get(hour) ?? load(hour, clock.now() + LOAD_TIMEOUT_MS).finally(() => loads.delete(hour));
      loads.set(hour, loading);
      return loading;
    });
    keep(hour, loaded);
    return loaded;
  }

  function keep(hour: number, key: KeyObject): void {
    held.delete(hour);
    held.set(hour, key);
    for (const usedLongestAgo of held.keys()) {
      if (held.size <= maxHeld) return;
      held.delete(usedLongestAgo);
    }
  }

  async function find(hour: number, deadline: number): Promise<KeyObject> {
    const wrapped = await read(hour, deadline);
    if (wrapped) return unwrap(wrapped, hour, deadline);
    throw new Failure('key-unavailable', { reason: `the data key of ${nameOf(hour)} is not in the table` });
  }

  async function findOrMake(hour: number, deadline: number): Promise<KeyObject> {
    const wrapped = await read(hour, deadline);
    if (wrapped) return unwrap(wrapped, hour, deadline);
    const made = await callKms('GenerateDataKey', deadline, (abortSignal) =>
      kms.send(new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: 'AES_256', EncryptionContext: contextOf(hour) }), {
        abortSignal,
      }),
    );
    const key = keyFrom(made.Plaintext);
    if (made.CiphertextBlob && (await put(hour, made.CiphertextBlob, deadline))) return key;
    // Another sandbox was first: its key is the hour's.
    return find(hour, deadline);
  }

  async function read(hour: number, deadline: number): Promise<Uint8Array | undefined> {
    const { Item: item } = await callTable('GetItem', deadline, (abortSignal) =>
      dynamodb.send(new GetItemCommand({ TableName: table, Key: rowOf(hour), ConsistentRead: true }), { abortSignal }),
    );
    return item && parseItem(dataKeyItem, item).wrapped;
  }

  async function put(hour: number, wrapped: Uint8Array, deadline: number): Promise<boolean> {
    const item = { ...rowOf(hour), wrapped: bytes(wrapped), madeAt: numeric(clock.now()) };
    try {
      await callTable('PutItem', deadline, (abortSignal) =>
        dynamodb.send(
          new PutItemCommand({ TableName: table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' }),
          { abortSignal },
        ),
      );
      return true;
    } catch (error) {
      if (isFailedCondition(error)) return false;
      throw error;
    }
  }

  async function unwrap(wrapped: Uint8Array, hour: number, deadline: number): Promise<KeyObject> {
    const { Plaintext: plaintext } = await callKms('Decrypt', deadline, (abortSignal) =>
      kms.send(new DecryptCommand({ KeyId: keyId, CiphertextBlob: wrapped, EncryptionContext: contextOf(hour) }), {
        abortSignal,
      }),
    );
    return keyFrom(plaintext);
  }

  const rowOf = (hour: number) => itemKey(`key#${environment}`, nameOf(hour));
  const contextOf = (hour: number) => ({ purpose: 'ledger-data-key', environment, table, hour: nameOf(hour) });

  async function current(deadline: number) {
    const hour = Math.floor(clock.now() / HOUR_MS);
    return { hour, key: await obtain(hour, deadline, making, findOrMake) };
  }

  return {
    current,
    ofHour: (hour, deadline) => obtain(hour, deadline, finding, find),
    async warm(deadline) {
      await current(deadline);
    },
  };
}

/** `2026-11-24T10`, UTC. */
function nameOf(hour: number): string {
  return new Date(hour * HOUR_MS).toISOString().slice(0, 13);
}

/** Copies the key out of the SDK's buffer and wipes that. */
function keyFrom(plaintext: Uint8Array | undefined): KeyObject {
  if (plaintext?.length !== 32) throw new Failure('key-unavailable', { reason: 'KMS returned no 256-bit key' });
  const key = createSecretKey(plaintext);
  plaintext.fill(0);
  return key;
}
