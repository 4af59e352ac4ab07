import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ENVIRONMENT } from '../contract/environment.ts';
import type { DataKeys } from '../ledger/data-keys.ts';
import { makeDynamoDbLedger } from '../ledger/dynamodb-ledger.ts';
import { type Table, makeTable } from '../ledger/table.ts';
import { makeCredentialSource } from '../secrets/credential-source.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { concealingToken } from './concealing.ts';
import type { Config } from './config.ts';
import { clock, randomness } from './system.ts';

/** Every function has at least the variables of this one. */
type LedgerConfig = Pick<
  Config<keyof typeof ENVIRONMENT>,
  'BROKER_ENVIRONMENT' | 'THOUGHTSPOT_SECRET_ID' | 'LEDGER_TABLE' | 'LEDGER_DUE_SHARDS'
>;

/**
 * Options of every AWS client. The SDK retries throttling, 5xx, resets and timeouts, three attempts in all;
 * `throwOnRequestTimeout` because without it the SDK only warns of a late answer and goes on waiting.
 */
export const AWS_CLIENT_OPTIONS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_500, throwOnRequestTimeout: true },
} as const;

/**
 * The credential and the ledger, with the keys that `keysOn` makes of its table. Region, endpoints and the role's keys
 * are the AWS clients' own to find.
 */
export function wireLedger(
  config: LedgerConfig,
  { log, signals, conceal }: Telemetry,
  keysOn: (table: Table) => DataKeys,
) {
  const credentials = makeCredentialSource({
    client: new SecretsManagerClient(AWS_CLIENT_OPTIONS),
    secretId: config.THOUGHTSPOT_SECRET_ID,
    clock,
    signals,
    log,
    conceal,
  });
  const client = new DynamoDBClient(AWS_CLIENT_OPTIONS);
  const table = makeTable({ client, name: config.LEDGER_TABLE, clock, randomness, signals });
  const dataKeys = keysOn(table);
  const ledger = makeDynamoDbLedger({
    table,
    shards: config.LEDGER_DUE_SHARDS,
    environment: config.BROKER_ENVIRONMENT,
    dataKeys,
    digestKey: () => credentials.digestKey(),
    clock,
  });
  return {
    credentials: { ...credentials, warm: credentials.digestKey },
    dataKeys,
    ledger: { ...ledger, token: concealingToken(ledger, conceal) },
  };
}
