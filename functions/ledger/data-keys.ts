/**
 * Data keys, made by KMS and kept in the table wrapped: one per hour, which seals tokens, and one for the table's life, of
 * which handles and digests are made. A sandbox asks KMS once per key; in between, losing KMS costs nothing.
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
  /** The digest key: the same for all, made at first use. Throws as `current`. */
  readonly digest: (deadline: number) => Promise<KeyObject>;
  /** Loads the current key ahead of the first token: for the init phase. Throws as `current`. */
  warm(deadline: number): Promise<void>;
}

export interface DataKeysOptions extends AwsCallOptions {
  readonly table: Pick<Table, 'name' | 'get' | 'create' | 'update'>;
  readonly kms: Pick<KMSClient, 'send'>;
  /** ARN or alias of the KMS key. */
  readonly keyId: string;
  readonly environment: string;
  /** Whether a key that is not there is made: the role of a function that only reads the ledger may not. */
  readonly makes: boolean;
  /** Keys that a sandbox holds; the one used longest ago goes first. */
  readonly maxHeld?: number;
}

const HOUR_MS = 3_600_000;
/** Callers with different deadlines share a load, so it has its own limit. */
const LOAD_TIMEOUT_MS = 5_000;
/**
 * A key to open with whose load failed is not asked for again for this many times as long as that took. So rows whose key
 * cannot be had take at most a fifth of a sweep's time, however slowly KMS refuses.
 */
const COOL_DOWN = 4;

/** A key of the table: the rest of its row's key, and what KMS binds it to besides environment and table. */
interface KeyName {
  readonly sk: string;
  readonly context: Readonly<Record<string, string>>;
}

/** The key policy lets no role use the one as the other (infra/constructs/token-ledger.ts). */
const DIGEST: KeyName = { sk: 'digest', context: { purpose: 'ledger-digest-key' } };
const ofTime = (hour: number): KeyName => {
  const sk = textOf(hour);
  return { sk, context: { purpose: 'ledger-data-key', hour: sk } };
};

type Load<Key> = (name: KeyName, deadline: number) => Promise<Key>;

/** KMS binds a key to the name of the table where it was made, which a restored copy has not. */
const dataKeyItem = z.object({ wrapped: z.instanceof(Uint8Array), table: z.optional(z.string()) });

export function makeDataKeys(options: DataKeysOptions): DataKeys {
  const { table, kms, keyId, environment, clock, makes, maxHeld = 48 } = options;
  const call = makeKmsCall(options);
  const held = new Map<string, KeyObject>();
  const rowOf = ({ sk }: KeyName) => ({ pk: `key#${environment}`, sk });
  const keyOf = ({ context: { purpose = '', ...rest } }: KeyName, madeIn = table.name) => ({
    KeyId: keyId,
    EncryptionContext: { purpose, environment, table: madeIn, ...rest },
  });

  /** From memory, or by the one load under way. Of a failed load only its failure is kept, for the cool-down. */
  function loadedBy(load: Load<KeyObject>, coolDown: number): Load<KeyObject> {
    const loads = new Map<string, Promise<KeyObject>>();
    const failures = new Map<string, { readonly error: unknown; readonly until: number }>();

    async function loadNow(name: KeyName): Promise<KeyObject> {
      const failed = failures.get(name.sk);
      const startedAt = clock.now();
      if (failed && startedAt < failed.until) throw failed.error;
      failures.delete(name.sk);
      try {
        return await load(name, startedAt + LOAD_TIMEOUT_MS);
      } catch (error) {
        const now = clock.now();
        failures.set(name.sk, { error, until: now + coolDown * (now - startedAt) });
        throw error;
      }
    }

    return async (name, deadline) => {
      const { sk } = name;
      const key =
        held.get(sk) ??
        (await call('data key', deadline, () => {
          const loading = loads.get(sk) ?? loadNow(name).finally(() => loads.delete(sk));
          loads.set(sk, loading);
          return loading;
        }));
      held.delete(sk);
      held.set(sk, key);
      for (const usedLongestAgo of held.keys()) if (held.size > maxHeld) held.delete(usedLongestAgo);
      return key;
    };
  }

  const find: Load<KeyObject | undefined> = async (name, deadline) => {
    const row = await table.get(rowOf(name), deadline);
    if (row === undefined) return undefined;
    const { wrapped, table: madeIn } = parseItem(dataKeyItem, row);
    const input = { ...keyOf(name, madeIn), CiphertextBlob: wrapped };
    const { Plaintext: plaintext } = await call('Decrypt', deadline, (options) =>
      kms.send(new DecryptCommand(input), options),
    );
    const key = keyFrom(plaintext);
    // A row of before does not say where it was made: here, since it opens. If this write fails, the next sandbox tries again.
    const said = { set: { table: table.name }, when: 'attribute_exists(#pk)' };
    if (madeIn === undefined && makes) await table.update(rowOf(name), said, deadline).catch(() => undefined);
    return key;
  };

  const mustFind: Load<KeyObject> = async (name, deadline) => {
    const key = await find(name, deadline);
    if (key) return key;
    const what = name === DIGEST ? 'the digest key' : `the data key of ${name.sk}`;
    throw new Failure('key-unavailable', { reason: `${what} is not in the table` });
  };

  const findOrMake: Load<KeyObject> = async (name, deadline) => {
    const found = await find(name, deadline);
    if (found) return found;
    const { Plaintext: plaintext, CiphertextBlob: wrapped } = await call('GenerateDataKey', deadline, (options) =>
      kms.send(new GenerateDataKeyCommand({ ...keyOf(name), KeySpec: 'AES_256' }), options),
    );
    const key = keyFrom(plaintext);
    const row = { ...rowOf(name), wrapped, table: table.name, madeAt: clock.now() };
    if (wrapped && (await table.create(row, deadline)).written) return key;
    // Another sandbox was first: its key is everybody's.
    return mustFind(name, deadline);
  };

  const finding = loadedBy(mustFind, COOL_DOWN);
  const making = makes ? loadedBy(findOrMake, 0) : finding;

  async function current(deadline: number) {
    const hour = Math.floor(clock.now() / HOUR_MS);
    return { hour, key: await making(ofTime(hour), deadline) };
  }

  return {
    current,
    ofHour: (hour, deadline) => finding(ofTime(hour), deadline),
    digest: (deadline) => making(DIGEST, deadline),
    warm: async (deadline) => void (await current(deadline)),
  };
}

/** `2026-11-24T10`, UTC. */
function textOf(hour: number): string {
  return new Date(hour * HOUR_MS).toISOString().slice(0, 13);
}

/** Copies the key out of the SDK's buffer and wipes that. */
function keyFrom(plaintext: Uint8Array | undefined): KeyObject {
  if (plaintext?.length !== 32) throw new Failure('key-unavailable', { reason: 'KMS returned no 256-bit key' });
  const key = createSecretKey(plaintext);
  plaintext.fill(0);
  return key;
}
