import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  ProvisionedThroughputExceededException,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DecryptCommand,
  DisabledException,
  EncryptCommand,
  GenerateDataKeyCommand,
  IncorrectKeyException,
  InvalidCiphertextException,
  KMSClient,
  NotFoundException,
} from '@aws-sdk/client-kms';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  InvalidParameterException,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { startLocalAws, type LocalAws } from '../../../local/aws/local-aws.ts';
import type { Fault } from '../../../local/aws/faults.ts';

const TABLE = 'leases';
let aws: LocalAws;
let secrets: SecretsManagerClient;
let kms: KMSClient;
let dynamodb: DynamoDBClient;

beforeAll(async () => {
  aws = await startLocalAws({ secrets: 0, kms: 0, dynamodb: 0 }, TABLE);
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const common = { region: 'eu-west-1', credentials, maxAttempts: 1 };
  secrets = new SecretsManagerClient({ ...common, endpoint: aws.secrets.url });
  kms = new KMSClient({ ...common, endpoint: aws.kms.url });
  dynamodb = new DynamoDBClient({ ...common, endpoint: aws.dynamodb.url });
});
afterAll(async () => {
  for (const client of [secrets, kms, dynamodb]) client.destroy();
  await aws.close();
});
afterEach(() => {
  for (const endpoint of [aws.secrets, aws.kms, aws.dynamodb]) endpoint.faults.clear();
});

describe('Secrets Manager', () => {
  const read = (SecretId: string, VersionStage?: string) =>
    secrets.send(new GetSecretValueCommand({ SecretId, ...(VersionStage && { VersionStage }) }));

  it('keeps a secret under name and ARN', async () => {
    const { ARN } = await secrets.send(new CreateSecretCommand({ Name: 'plain', SecretString: 'v1' }));
    expect(await read('plain')).toMatchObject({ SecretString: 'v1', VersionStages: ['AWSCURRENT'] });
    expect((await read(ARN ?? '')).Name).toBe('plain');
    await expect(read('absent')).rejects.toThrow(ResourceNotFoundException);
    await expect(read('plain', 'AWSPENDING')).rejects.toThrow(ResourceNotFoundException);
    const again = new CreateSecretCommand({ Name: 'plain', SecretString: 'v1' });
    await expect(secrets.send(again)).rejects.toThrow(ResourceExistsException);
  });

  it('moves the labels as a rotation does', async () => {
    aws.secrets.put('rotated', 'old');
    aws.secrets.put('rotated', 'new', ['AWSPENDING']);
    expect((await read('rotated')).SecretString).toBe('old');
    const pending = await read('rotated', 'AWSPENDING');
    const current = await read('rotated');
    const move = { SecretId: 'rotated', VersionStage: 'AWSCURRENT', MoveToVersionId: pending.VersionId };
    await expect(secrets.send(new UpdateSecretVersionStageCommand(move))).rejects.toThrow(InvalidParameterException);
    const RemoveFromVersionId = current.VersionId;
    await secrets.send(new UpdateSecretVersionStageCommand({ ...move, RemoveFromVersionId }));
    expect((await read('rotated')).SecretString).toBe('new');
    expect((await read('rotated', 'AWSPREVIOUS')).SecretString).toBe('old');
    const { VersionIdsToStages } = await secrets.send(new DescribeSecretCommand({ SecretId: 'rotated' }));
    expect(VersionIdsToStages?.[pending.VersionId ?? '']).toEqual(['AWSPENDING', 'AWSCURRENT']);
  });

  it('takes the same version twice, but not another value for it', async () => {
    aws.secrets.put('repeated', 'v0');
    const put = (SecretString: string) =>
      secrets.send(
        new PutSecretValueCommand({
          SecretId: 'repeated',
          SecretString,
          ClientRequestToken: 'token-of-at-least-32-characters-0',
        }),
      );
    expect((await put('v1')).VersionId).toBe((await put('v1')).VersionId);
    await expect(put('v2')).rejects.toThrow(ResourceExistsException);
  });

  it('promotes a pending version in one call for tests', async () => {
    aws.secrets.put('promoted', 'old');
    aws.secrets.put('promoted', 'new', ['AWSPENDING']);
    aws.secrets.promotePending('promoted');
    expect((await read('promoted')).SecretString).toBe('new');
    await expect(read('promoted', 'AWSPENDING')).rejects.toThrow(ResourceNotFoundException);
  });
});

describe('KMS', () => {
  const context = { table: TABLE, environment: 'test' };
  const dataKey = () =>
    kms.send(new GenerateDataKeyCommand({ KeyId: aws.keyId, KeySpec: 'AES_256', EncryptionContext: context }));

  it('opens a data key with the context that closed it, in any order, and with no other', async () => {
    const { Plaintext, CiphertextBlob } = await dataKey();
    expect(Plaintext).toHaveLength(32);
    const turned = { environment: 'test', table: TABLE };
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: turned, KeyId: aws.keyId }));
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Buffer.from(Plaintext ?? []));
    for (const EncryptionContext of [undefined, {}, { ...context, environment: 'prod' }, { ...context, more: 'x' }])
      await expect(kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))).rejects.toThrow(
        InvalidCiphertextException,
      );
  });

  it('opens nothing that was damaged', async () => {
    const { CiphertextBlob } = await dataKey();
    const damaged = Uint8Array.from(CiphertextBlob ?? []);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    const command = new DecryptCommand({ CiphertextBlob: damaged, EncryptionContext: context });
    await expect(kms.send(command)).rejects.toThrow(InvalidCiphertextException);
  });

  it('knows its keys by id, ARN and alias, and tells them apart', async () => {
    const other = aws.kms.createKey('alias/other');
    const { CiphertextBlob, KeyId } = await kms.send(
      new EncryptCommand({ KeyId: 'alias/other', Plaintext: Buffer.from('hello') }),
    );
    expect(KeyId).toBe(other);
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob, KeyId: other.split('/')[1] }));
    expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('hello');
    await expect(kms.send(new DecryptCommand({ CiphertextBlob, KeyId: aws.keyId }))).rejects.toThrow(
      IncorrectKeyException,
    );
    await expect(kms.send(new DecryptCommand({ CiphertextBlob, KeyId: 'alias/absent' }))).rejects.toThrow(
      NotFoundException,
    );
  });

  it('does nothing with a key that an operator has disabled, until it is enabled', async () => {
    const { CiphertextBlob } = await dataKey();
    const decrypt = () => kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: context }));
    aws.kms.setEnabled(aws.keyId, false);
    await expect(dataKey()).rejects.toThrow(DisabledException);
    await expect(decrypt()).rejects.toThrow(DisabledException);
    aws.kms.setEnabled(aws.keyId, true);
    await expect(decrypt()).resolves.toMatchObject({ KeyId: aws.keyId });
  });
});

describe('DynamoDB', () => {
  const key = (pk: string, sk = '1') => ({ pk: { S: pk }, sk: { S: sk } });
  const put = (pk: string, extra = {}) =>
    dynamodb.send(
      new PutItemCommand({
        TableName: TABLE,
        Item: { ...key(pk), ...extra },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );
  const get = (pk: string) =>
    dynamodb.send(new GetItemCommand({ TableName: TABLE, Key: key(pk), ConsistentRead: true }));

  it('has the table of the contract: conditional puts, and the sparse index of what is due', async () => {
    await put('alice', { dueShard: { S: '3' }, dueAt: { N: '100' } });
    await put('bob');
    await expect(put('alice')).rejects.toThrow(ConditionalCheckFailedException);
    const { Items } = await dynamodb.send(
      new QueryCommand({
        TableName: TABLE,
        IndexName: 'due',
        KeyConditionExpression: 'dueShard = :s AND dueAt <= :t',
        ExpressionAttributeValues: { ':s': { S: '3' }, ':t': { N: '200' } },
      }),
    );
    expect(Items?.map(({ pk }) => pk?.S)).toEqual(['alice']);
  });

  it('refuses by throttling, and then has done nothing', async () => {
    const type = 'ProvisionedThroughputExceededException';
    aws.dynamodb.faults.inject(({ operation }) => (operation === 'PutItem' ? { kind: 'error', type } : undefined));
    await expect(put('throttled')).rejects.toThrow(ProvisionedThroughputExceededException);
    expect((await get('throttled')).Item).toBeUndefined();
  });

  it('resets before the call and has done nothing, or after it and has done it', async () => {
    const reset = (when: 'before' | 'after'): Fault => ({ kind: 'reset', when });
    aws.dynamodb.faults.inject(({ operation }) => (operation === 'PutItem' ? reset('before') : undefined));
    await expect(put('reset-before')).rejects.toThrow('ECONNRESET');
    expect((await get('reset-before')).Item).toBeUndefined();
    aws.dynamodb.faults.inject(({ operation }) => (operation === 'PutItem' ? reset('after') : undefined));
    await expect(put('reset-after')).rejects.toThrow('ECONNRESET');
    expect((await get('reset-after')).Item).toEqual(key('reset-after'));
  });

  it('faults by what the call says', async () => {
    aws.dynamodb.faults.inject(({ input }) =>
      JSON.stringify(input).includes('picked')
        ? { kind: 'error', type: 'InternalServerError', status: 500 }
        : undefined,
    );
    await expect(put('picked')).rejects.toMatchObject({ name: 'InternalServerError' });
    await expect(put('left-alone')).resolves.toBeDefined();
  });
});

describe('faults of every endpoint', () => {
  const list = () => secrets.send(new GetSecretValueCommand({ SecretId: 'any' }));

  it('end when they are taken back, and only the newest counts', async () => {
    aws.secrets.put('any', 'v');
    const first = aws.secrets.faults.inject(() => ({ kind: 'error', type: 'AccessDeniedException' }));
    const second = aws.secrets.faults.inject(() => ({ kind: 'error', type: 'ThrottlingException' }));
    first();
    await expect(list()).rejects.toMatchObject({ name: 'ThrottlingException' });
    second();
    await expect(list()).resolves.toMatchObject({ SecretString: 'v' });
  });

  it('hang until the client gives up', async () => {
    aws.secrets.faults.inject(() => ({ kind: 'hang' }));
    const abortController = new AbortController();
    const call = secrets.send(new GetSecretValueCommand({ SecretId: 'any' }), { abortSignal: abortController.signal });
    const seen = aws.secrets.calls.length;
    setImmediate(function check() {
      if (aws.secrets.calls.length > seen) abortController.abort();
      else setImmediate(check);
    });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('delay the answer', async () => {
    aws.secrets.put('any', 'v');
    const started = performance.now();
    aws.secrets.faults.inject(() => ({ kind: 'latency', ms: 60 }));
    await expect(list()).resolves.toMatchObject({ SecretString: 'v' });
    expect(performance.now() - started).toBeGreaterThanOrEqual(59);
  });

  it('meet a signed request only: who sends none is told so', async () => {
    const response = await fetch(aws.kms.url, { method: 'POST', headers: { 'x-amz-target': 'TrentService.Encrypt' } });
    expect(await response.json()).toMatchObject({ __type: 'MissingAuthenticationTokenException' });
  });
});
