/**
 * A ledger table for tests, through the real AWS clients. It is on dynalite and the local KMS, both on loopback. If
 * LEDGER_ENDPOINT is set, it is on the server there that speaks DynamoDB's protocol (KMS stays local). Each call creates
 * its own table.
 */
import { createSecretKey, randomUUID } from 'node:crypto';
import {
  type AttributeValue,
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  paginateScan,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { createTableInput } from '../../functions/contract/table.ts';
import { type DataKeys, type DataKeysOptions, makeDataKeys } from '../../functions/ledger/data-keys.ts';
import { type DynamoDbLedgerOptions, makeDynamoDbLedger } from '../../functions/ledger/dynamodb-ledger.ts';
import { type TableOptions, makeTable } from '../../functions/ledger/table.ts';
import { AWS_CLIENT_OPTIONS } from '../../functions/wiring/system.ts';
import type { TokenLedger } from '../../functions/broker/ports.ts';
import type { Clock } from '../../functions/broker/ports.ts';
import { startDynamoDb } from '../../local/aws/dynamodb.ts';
import type { AwsEndpoint } from '../../local/aws/json-endpoint.ts';
import { type Kms, startKms } from '../../local/aws/kms.ts';

type Item = Record<string, AttributeValue>;

/** `client` is the client of the ledger, `dynamodb` that of its data keys. Without `digestKey` it is a constant. */
type Overrides = Partial<Omit<DynamoDbLedgerOptions & DataKeysOptions & TableOptions, 'table' | 'name'>> & {
  readonly dynamodb?: TableOptions['client'];
};

export interface Sandbox {
  readonly ledger: TokenLedger;
  readonly dataKeys: DataKeys;
}

export interface LedgerStand {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly keyId: string;
  readonly kms: Kms;
  readonly kmsClient: KMSClient;
  /** Injected faults and recorded calls of DynamoDB; absent with LEDGER_ENDPOINT, which has no fault switch. */
  readonly endpoint: AwsEndpoint | undefined;
  /** A ledger with its own caches, like another sandbox. */
  sandbox(overrides?: Overrides): Sandbox;
  /** Every item of the table. */
  scan(): Promise<readonly Item[]>;
  close(): Promise<void>;
}

const CREDENTIALS = { region: 'eu-west-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };

export const TEST_DIGEST_KEY = Buffer.alloc(32, 7);
const DIGEST_KEY = createSecretKey(TEST_DIGEST_KEY);

/** `before` stands before DynamoDB, as in unsteady-store.ts. */
export async function startLedgerStand(
  clock: Clock,
  client: object = {},
  before?: Parameters<typeof startDynamoDb>[1],
): Promise<LedgerStand> {
  const foreign = process.env['LEDGER_ENDPOINT'];
  const endpoint = foreign === undefined ? await startDynamoDb(0, before) : undefined;
  const kms = await startKms();
  const keyId = kms.createKey('alias/ledger');
  const options = { ...(endpoint && CREDENTIALS), ...AWS_CLIENT_OPTIONS, ...client };
  const dynamodb = new DynamoDBClient({ ...options, endpoint: endpoint?.url ?? foreign ?? '' });
  const kmsClient = new KMSClient({ ...CREDENTIALS, ...AWS_CLIENT_OPTIONS, ...client, endpoint: kms.url });
  const table = `ledger-test-${randomUUID()}`;
  await dynamodb.send(new CreateTableCommand(createTableInput(table)));
  await waitUntilTableExists({ client: dynamodb, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { TableName: table });

  return {
    dynamodb,
    table,
    keyId,
    kms,
    kmsClient,
    endpoint,
    sandbox(overrides = {}) {
      const base = { name: table, environment: 'test', clock, randomness: Math.random, makes: true, ...overrides };
      const keysTable = makeTable({ ...base, client: overrides.dynamodb ?? dynamodb });
      const dataKeys = makeDataKeys({ table: keysTable, kms: kmsClient, keyId, ...base });
      const digestKey = async () => DIGEST_KEY;
      const ledgerTable = makeTable({ client: dynamodb, ...base });
      const ledger = makeDynamoDbLedger({ table: ledgerTable, shards: 4, dataKeys, digestKey, ...base });
      return { ledger, dataKeys };
    },
    async scan() {
      const items: Item[] = [];
      for await (const page of paginateScan({ client: dynamodb }, { TableName: table, ConsistentRead: true })) {
        items.push(...(page.Items ?? []));
      }
      return items;
    },
    async close() {
      if (!endpoint) await dynamodb.send(new DeleteTableCommand({ TableName: table }));
      dynamodb.destroy();
      kmsClient.destroy();
      await Promise.all([endpoint?.close(), kms.close()]);
    },
  };
}
