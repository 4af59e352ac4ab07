/** The AWS that the local set uses: a secret, a key and a table, as the stack and its operators would have made them. */
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createTableInput } from '../../functions/contract/table.ts';
import { REGION } from '../lambda/environment.ts';
import type { ThoughtSpotChoice } from '../settings.ts';
import type { Cluster } from '../thoughtspot/cluster.ts';
import { startDynamoDb } from './dynamodb.ts';
import type { AwsEndpoint } from './json-endpoint.ts';
import { startKms } from './kms.ts';
import { startSecretsManager } from './secrets-manager.ts';

export type LocalAws = Awaited<ReturnType<typeof startLocalAws>>;

/** Throws `PortTaken`; nothing is left running then. `beforeDynamoDb`: as in `startDynamoDb`. */
export async function startLocalAws(
  ports: Readonly<Record<'secrets' | 'kms' | 'dynamodb', number>>,
  tableName: string,
  beforeDynamoDb?: Parameters<typeof startDynamoDb>[1],
) {
  const started: AwsEndpoint[] = [];
  const close = async () => {
    await Promise.all(started.map((endpoint) => endpoint.close()));
  };
  const keep = <T extends AwsEndpoint>(endpoint: T): T => {
    started.push(endpoint);
    return endpoint;
  };
  try {
    const secrets = keep(await startSecretsManager(ports.secrets));
    const kms = keep(await startKms(ports.kms));
    const dynamodb = keep(await startDynamoDb(ports.dynamodb, beforeDynamoDb));
    await createTable(dynamodb.url, tableName);
    /** ARN of the key that wraps data keys and the digest key. */
    const keyId = kms.createKey('alias/thoughtspot-broker-local');
    return { secrets, kms, dynamodb, keyId, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Creates the ledger's table at a DynamoDB endpoint. */
export async function createTable(endpoint: string, tableName: string): Promise<void> {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ endpoint, region: REGION, credentials });
  try {
    await client.send(new CreateTableCommand(createTableInput(tableName)));
  } finally {
    client.destroy();
  }
}

/** The secret's JSON: for a real cluster the credential given; for the simulator what its cluster file says, by dialect. */
export function secretDocument(thoughtspot: ThoughtSpotChoice, cluster: Cluster): object {
  if (thoughtspot.kind === 'cluster') return thoughtspot.credential;
  if (thoughtspot.dialect === 'session-v2') {
    const account = cluster.users.find(({ name }) => name === 'svc-broker');
    return { userName: account?.name, password: account?.password };
  }
  const own = cluster.orgs.flatMap(({ id, secretKey }) =>
    secretKey === undefined ? [] : [[id, { secretKey }] as const],
  );
  return { secretKey: cluster.secretKey, ...(own.length > 0 && { orgs: Object.fromEntries(own) }) };
}
