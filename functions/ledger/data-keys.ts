/**
 * Data keys that seal tokens: one per hour and environment, made by KMS, kept in the table wrapped, so that every
 * sandbox opens what another sealed. A sandbox asks KMS once per hour that it touches; in between, losing KMS costs
 * nothing, and a key that is disabled there goes on working in warm sandboxes for the hours that they hold.
 */
import { type KeyObject, createSecretKey } from 'node:crypto';
import { DecryptCommand, GenerateDataKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import { type AwsCallOptions, makeKmsCall } from './aws-calls.ts';
import { parseItem } from './item.ts';
import type { Table } from './table.ts';

/** The key of an hour (hours since the epoch). */
export interface SealingKey {
  readonly hour: number;
  readonly key: KeyObject;
}

export interface DataKeys {
  /** The key to seal with now. */
  current(deadline: number): Promise<SealingKey>;
  /** The key of an hour, to open with. Failure `key-unavailable` if it is lost or KMS does not unwrap it. */
  ofHour(hour: number, deadline: number): Promise<KeyObject>;
  /** Loads the current key ahead of the first token: for the init phase. Throws as `current`. */
  warm(deadline: number): Promise<void>;
}

export interface DataKeysOptions extends AwsCallOptions {
  readonly table: Pick<Table, 'name' | 'get' | 'create'>;
  readonly kms: Pick<KMSClient, 'send'>;
  /** ARN or alias of the KMS key. */
  readonly keyId: string;
  readonly environment: string;
  /** Hours whose keys a sandbox holds; the one used longest ago goes first. */
  readonly maxHeld?: number;
}

const HOUR_MS = 3_600_000;
/** Callers with different deadlines share a load, so it has its own limit. */
const LOAD_TIMEOUT_MS = 5_000;
/**
 * A load that failed is not tried again for this many times as long as it took. So rows whose key cannot be had take at
 * most a fifth of a sweep's time, however slowly KMS refuses.
 */
const COOL_DOWN = 4;

type Load<Key> = (hour: number, deadline: number) => Promise<Key>;

const dataKeyItem = z.object({ wrapped: z.instanceof(Uint8Array) });

export function makeDataKeys(options: DataKeysOptions): DataKeys {
  const { table, kms, keyId, environment, clock, maxHeld = 48 } = options;
  const call = makeKmsCall(options);
  const held = new Map<number, KeyObject>();
  const rowOf = (hour: number) => ({ pk: `key#${environment}`, sk: nameOf(hour) });
  const keyOf = (hour: number) => ({
    KeyId: keyId,
    EncryptionContext: { purpose: 'ledger-data-key', environment, table: table.name, hour: nameOf(hour) },
  });

  /** From memory, or by the one load under way. Of a failed load only its failure is kept, for the cool-down. */
  function loadedBy(load: Load<KeyObject>): Load<KeyObject> {
    const loads = new Map<number, Promise<KeyObject>>();
    const failures = new Map<number, { readonly error: unknown; readonly until: number }>();

    async function loadNow(hour: number): Promise<KeyObject> {
      const failed = failures.get(hour);
      const startedAt = clock.now();
      if (failed && startedAt < failed.until) throw failed.error;
      failures.delete(hour);
      try {
        return await load(hour, startedAt + LOAD_TIMEOUT_MS);
      } catch (error) {
        const now = clock.now();
        failures.set(hour, { error, until: now + COOL_DOWN * (now - startedAt) });
        throw error;
      }
    }

    return async (hour, deadline) => {
      const key =
        held.get(hour) ??
        (await call('data key', deadline, () => {
          const loading = loads.get(hour) ?? loadNow(hour).finally(() => loads.delete(hour));
          loads.set(hour, loading);
          return loading;
        }));
      held.delete(hour);
      held.set(hour, key);
      for (const usedLongestAgo of held.keys()) if (held.size > maxHeld) held.delete(usedLongestAgo);
      return key;
    };
  }

  const find: Load<KeyObject | undefined> = async (hour, deadline) => {
    const row = await table.get(rowOf(hour), deadline);
    if (row === undefined) return undefined;
    const input = { ...keyOf(hour), CiphertextBlob: parseItem(dataKeyItem, row).wrapped };
    const { Plaintext: plaintext } = await call('Decrypt', deadline, (options) =>
      kms.send(new DecryptCommand(input), options),
    );
    return keyFrom(plaintext);
  };

  const mustFind: Load<KeyObject> = async (hour, deadline) => {
    const key = await find(hour, deadline);
    if (key) return key;
    throw new Failure('key-unavailable', { reason: `the data key of ${nameOf(hour)} is not in the table` });
  };

  const findOrMake: Load<KeyObject> = async (hour, deadline) => {
    const found = await find(hour, deadline);
    if (found) return found;
    const { Plaintext: plaintext, CiphertextBlob: wrapped } = await call('GenerateDataKey', deadline, (options) =>
      kms.send(new GenerateDataKeyCommand({ ...keyOf(hour), KeySpec: 'AES_256' }), options),
    );
    const key = keyFrom(plaintext);
    const row = { ...rowOf(hour), wrapped, madeAt: clock.now() };
    if (wrapped && (await table.create(row, deadline)).written) return key;
    // Another sandbox was first: its key is the hour's.
    return mustFind(hour, deadline);
  };

  const making = loadedBy(findOrMake);
  const ofHour = loadedBy(mustFind);

  async function current(deadline: number) {
    const hour = Math.floor(clock.now() / HOUR_MS);
    return { hour, key: await making(hour, deadline) };
  }

  return { current, ofHour, warm: async (deadline) => void (await current(deadline)) };
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
