/** The AWS that the local set stands on: a secret, a key and a table, as the stack would have made them. */
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createTableInput } from '../../functions/contract/table.ts';
import { REGION } from '../lambda/environment.ts';
import { startDynamoDb } from './dynamodb.ts';
import type { AwsEndpoint } from './json-endpoint.ts';
import { startKms, type Kms } from './kms.ts';
import { startSecretsManager, type SecretsManager } from './secrets-manager.ts';

export interface LocalAws {
  readonly secrets: SecretsManager;
  readonly kms: Kms;
  readonly dynamodb: AwsEndpoint;
  /** ARN of the key that wraps data keys. */
  readonly keyId: string;
  close(): Promise<void>;
}

export interface LocalAwsPorts {
  readonly secrets: number;
  readonly kms: number;
  readonly dynamodb: number;
}

/** Throws `PortTaken`; nothing is left running then. */
export async function startLocalAws(ports: LocalAwsPorts, tableName: string): Promise<LocalAws> {
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
    const dynamodb = keep(await startDynamoDb(ports.dynamodb));
    await createTable(dynamodb.url, tableName);
    return { secrets, kms, dynamodb, keyId: kms.createKey('alias/thoughtspot-broker-local'), close };
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
