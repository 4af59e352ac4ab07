/**
 * Secrets Manager on loopback: secrets with versions and staging labels, in memory. The rules on labels follow the
 * Secrets Manager API reference: a label is on one version at a time, and AWSPREVIOUS is where AWSCURRENT came from.
 */
import { randomUUID } from 'node:crypto';
import { ACCOUNT, REGION } from '../lambda/environment.ts';
import { AwsError, byTable, required, startAwsEndpoint, text, type Operations } from './json-endpoint.ts';

interface Version {
  readonly id: string;
  readonly secretString: string | undefined;
  readonly secretBinary: string | undefined;
  readonly createdAt: number;
  readonly stages: Set<string>;
}

interface Secret {
  readonly arn: string;
  readonly name: string;
  readonly versions: Map<string, Version>;
}

type Input = Readonly<Record<string, unknown>>;

export async function startSecretsManager(port = 0) {
  const secrets = new Map<string, Secret>();

  const find = (id: string): Secret => {
    const secret = secrets.get(id) ?? [...secrets.values()].find(({ arn }) => arn === id);
    if (secret) return secret;
    throw new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
  };

  const operations: Operations = {
    CreateSecret(input) {
      const name = required(input, 'Name');
      if (secrets.has(name))
        throw new AwsError(
          'ResourceExistsException',
          `The operation failed because the secret ${name} already exists.`,
        );
      const arn = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-Local1`;
      const secret = { arn, name, versions: new Map<string, Version>() };
      secrets.set(name, secret);
      // Without a value it is as CloudFormation creates it: empty.
      if (text(input, 'SecretString') === undefined && text(input, 'SecretBinary') === undefined)
        return { ARN: arn, Name: name };
      return addVersion(secret, input);
    },
    PutSecretValue: (input) => addVersion(find(required(input, 'SecretId')), input),
    GetSecretValue(input) {
      const secret = find(required(input, 'SecretId'));
      const stage = text(input, 'VersionStage');
      const id = text(input, 'VersionId');
      const version = id === undefined ? holderOf(secret, stage ?? 'AWSCURRENT') : secret.versions.get(id);
      if (version === undefined || (id !== undefined && stage !== undefined && !version.stages.has(stage)))
        throw new AwsError(
          'ResourceNotFoundException',
          `Secrets Manager can't find the specified secret value for ${id ? `VersionId: ${id}` : `staging label: ${stage ?? 'AWSCURRENT'}`}`,
        );
      return {
        ...describe(secret, version),
        SecretString: version.secretString,
        SecretBinary: version.secretBinary,
        CreatedDate: version.createdAt,
      };
    },
    DescribeSecret(input) {
      const { arn, name, versions } = find(required(input, 'SecretId'));
      const labelled = [...versions.values()].filter(({ stages }) => stages.size > 0);
      return {
        ARN: arn,
        Name: name,
        VersionIdsToStages: Object.fromEntries(labelled.map(({ id, stages }) => [id, [...stages]])),
      };
    },
    UpdateSecretVersionStage(input) {
      const secret = find(required(input, 'SecretId'));
      const stage = required(input, 'VersionStage');
      const from = text(input, 'RemoveFromVersionId');
      const to = text(input, 'MoveToVersionId');
      const holder = holderOf(secret, stage);
      if (holder !== undefined && from !== holder.id && to !== holder.id)
        throw new AwsError(
          'InvalidParameterException',
          `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
        );
      if (to === undefined) holder?.stages.delete(stage);
      else moveStage(secret, stage, versionOf(secret, to));
      return { ARN: secret.arn, Name: secret.name };
    },
  };

  const endpoint = await startAwsEndpoint('Secrets Manager', port, byTable(operations));
  return {
    ...endpoint,
    /** Creates a secret or gives it a new version, which is AWSCURRENT unless `stages` says otherwise. */
    put(name: string, value: string, stages?: readonly string[]): void {
      const input = { SecretString: value, ...(stages && { VersionStages: stages }) };
      const operation = secrets.has(name) ? 'PutSecretValue' : 'CreateSecret';
      operations[operation]?.({ ...input, Name: name, SecretId: name });
    },
    /** Makes it a secret that has never had a value. */
    empty(name: string): void {
      secrets.delete(name);
      operations['CreateSecret']?.({ Name: name });
    },
    /** What every version of a secret holds, old ones too. */
    values(name: string): readonly string[] {
      return [...find(name).versions.values()].flatMap(({ secretString }) => secretString ?? []);
    },
    /** Makes the AWSPENDING version the current one, as a rotation does at its end. */
    promotePending(name: string): void {
      const secret = find(name);
      const pending = holderOf(secret, 'AWSPENDING');
      if (pending === undefined) throw new Error(`Secret ${name} has no AWSPENDING version.`);
      moveStage(secret, 'AWSCURRENT', pending);
      pending.stages.delete('AWSPENDING');
    },
  };
}

function addVersion(secret: Secret, input: Input): object {
  const id = text(input, 'ClientRequestToken') ?? randomUUID();
  const secretString = text(input, 'SecretString');
  const secretBinary = text(input, 'SecretBinary');
  const known = secret.versions.get(id);
  if (known !== undefined) {
    // The same request again is fine; the same token for something else is not.
    if (known.secretString === secretString && known.secretBinary === secretBinary) return describe(secret, known);
    throw new AwsError(
      'ResourceExistsException',
      "You can't use ClientRequestToken " +
        id +
        ' because that value is already in use for a version of secret ' +
        secret.arn +
        '.',
    );
  }
  const version = { id, secretString, secretBinary, createdAt: Date.now() / 1000, stages: new Set<string>() };
  secret.versions.set(id, version);
  const stages = input['VersionStages'];
  for (const stage of Array.isArray(stages) ? stages : ['AWSCURRENT']) moveStage(secret, String(stage), version);
  return describe(secret, version);
}

function describe(secret: Secret, version: Version): object {
  return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages: [...version.stages] };
}

function versionOf(secret: Secret, id: string): Version {
  const version = secret.versions.get(id);
  if (version) return version;
  throw new AwsError('ResourceNotFoundException', `Secrets Manager can't find the specified secret version: ${id}.`);
}

function holderOf(secret: Secret, stage: string): Version | undefined {
  return [...secret.versions.values()].find(({ stages }) => stages.has(stage));
}

function moveStage(secret: Secret, stage: string, to: Version): void {
  const from = holderOf(secret, stage);
  if (from === to) return;
  from?.stages.delete(stage);
  to.stages.add(stage);
  if (stage !== 'AWSCURRENT' || from === undefined) return;
  holderOf(secret, 'AWSPREVIOUS')?.stages.delete('AWSPREVIOUS');
  from.stages.add('AWSPREVIOUS');
}
