/**
 * KMS on loopback: symmetric keys in memory, AES-256-GCM with the encryption context as additional data, so that a
 * ciphertext opens only with the key and the context that closed it, as in AWS.
 */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { ACCOUNT, REGION } from '../lambda/environment.ts';
import { AwsError, byTable, required, startAwsEndpoint, text, type Operations } from './json-endpoint.ts';

interface Key {
  readonly id: string;
  readonly arn: string;
  readonly alias: string;
  readonly material: Buffer;
  enabled: boolean;
}

export type Kms = Awaited<ReturnType<typeof startKms>>;

const IV_BYTES = 12;
const TAG_BYTES = 16;
const ID_BYTES = 36;

export async function startKms(port = 0) {
  const keys: Key[] = [];

  const find = (id: string): Key => {
    const key = keys.find(({ id: uuid, arn, alias }) =>
      [uuid, arn, alias, `arn:aws:kms:${REGION}:${ACCOUNT}:${alias}`].includes(id),
    );
    if (key) return key;
    throw new AwsError('NotFoundException', `Key '${id}' does not exist`);
  };
  const usable = (id: string): Key => {
    const key = find(id);
    if (key.enabled) return key;
    throw new AwsError('DisabledException', `${key.arn} is disabled.`);
  };
  const setEnabled = (id: string, enabled: boolean): void => {
    find(id).enabled = enabled;
  };
  const described = (key: Key) => ({ KeyId: key.arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });

  const operations: Operations = {
    Encrypt(input) {
      const key = usable(required(input, 'KeyId'));
      const plaintext = Buffer.from(required(input, 'Plaintext'), 'base64');
      return { ...described(key), CiphertextBlob: close(key, plaintext, contextOf(input)) };
    },
    GenerateDataKey(input) {
      const key = usable(required(input, 'KeyId'));
      const plaintext = randomBytes(bytesOf(required(input, 'KeySpec')));
      return {
        KeyId: key.arn,
        Plaintext: plaintext.toString('base64'),
        CiphertextBlob: close(key, plaintext, contextOf(input)),
      };
    },
    Decrypt(input) {
      const blob = Buffer.from(required(input, 'CiphertextBlob'), 'base64');
      const key = keys.find(({ id }) => id === blob.subarray(0, ID_BYTES).toString('latin1'));
      if (key === undefined) throw new AwsError('InvalidCiphertextException', '');
      const named = text(input, 'KeyId');
      if (named !== undefined && find(named) !== key)
        throw new AwsError(
          'IncorrectKeyException',
          'The key ID in the request does not identify a CMK that can perform this operation.',
        );
      const plaintext = open(usable(key.id), blob, contextOf(input));
      return { ...described(key), Plaintext: plaintext.toString('base64') };
    },
    DescribeKey(input) {
      const { id, arn, enabled } = find(required(input, 'KeyId'));
      return { KeyMetadata: { KeyId: id, Arn: arn, Enabled: enabled, KeyState: enabled ? 'Enabled' : 'Disabled' } };
    },
    DisableKey: (input) => (setEnabled(required(input, 'KeyId'), false), {}),
    EnableKey: (input) => (setEnabled(required(input, 'KeyId'), true), {}),
  };

  const endpoint = await startAwsEndpoint('KMS', port, byTable(operations));
  return {
    ...endpoint,
    /** The switch an operator has: a disabled key neither closes nor opens anything. Takes id, ARN or alias. */
    setEnabled,
    /** Opens what a key has closed, whatever its state: for those who compare the ledger with the truth. */
    unwrapped(blob: Uint8Array, context: object): Buffer {
      const bytes = Buffer.from(blob);
      const key = keys.find(({ id }) => id === bytes.subarray(0, ID_BYTES).toString('latin1'));
      if (key === undefined) throw new Error('no key of this KMS has closed it');
      return open(key, bytes, contextOf({ EncryptionContext: context }));
    },
    /** Creates a key and returns its ARN. `alias` is like `alias/ledger`. */
    createKey(alias: string): string {
      const id = randomUUID();
      const arn = `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`;
      keys.push({ id, arn, alias, material: randomBytes(32), enabled: true });
      return arn;
    },
  };
}

function bytesOf(keySpec: string): number {
  if (keySpec === 'AES_256') return 32;
  if (keySpec === 'AES_128') return 16;
  throw new AwsError('ValidationException', `Value '${keySpec}' at 'keySpec' failed to satisfy constraint`);
}

/** The encryption context in one canonical form: the order of its pairs does not count. */
function contextOf(input: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(
    JSON.stringify(Object.entries(input['EncryptionContext'] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}

function close(key: Key, plaintext: Buffer, context: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.material, iv).setAAD(context);
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.from(key.id, 'latin1'), iv, cipher.getAuthTag(), sealed]).toString('base64');
}

function open(key: Key, blob: Buffer, context: Buffer): Buffer {
  try {
    const body = blob.subarray(ID_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key.material, body.subarray(0, IV_BYTES))
      .setAAD(context)
      .setAuthTag(body.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(body.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    // AWS gives no reason either: a wrong context and a damaged blob look the same.
    throw new AwsError('InvalidCiphertextException', '');
  }
}
