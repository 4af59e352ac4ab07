import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ENVIRONMENT } from '../contract/environment.ts';
import { CLIENT_OPTIONS } from '../ledger/calls.ts';
import type { DataKeys } from '../ledger/data-keys.ts';
import { makeDynamoDbLedger } from '../ledger/dynamodb-ledger.ts';
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

/** One read is ended by its deadline besides; without `throwOnRequestTimeout` the SDK only warns of a late answer. */
export const SECRETS_CLIENT_OPTIONS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_500, throwOnRequestTimeout: true },
} as const;

/**
 * The credential and the ledger, with the keys that `keysOn` makes of its client. Region, endpoints and the role's keys
 * are the AWS clients' own to find.
 */
export function wireLedger(
  config: LedgerConfig,
  { log, signals, conceal }: Telemetry,
  keysOn: (dynamodb: DynamoDBClient) => DataKeys,
) {
  const credentials = makeCredentialSource({
    client: new SecretsManagerClient(SECRETS_CLIENT_OPTIONS),
    secretId: config.THOUGHTSPOT_SECRET_ID,
    clock,
    signals,
    log,
    conceal,
  });
  const dynamodb = new DynamoDBClient(CLIENT_OPTIONS);
  const dataKeys = keysOn(dynamodb);
  const ledger = makeDynamoDbLedger({
    client: dynamodb,
    table: config.LEDGER_TABLE,
    shards: config.LEDGER_DUE_SHARDS,
    environment: config.BROKER_ENVIRONMENT,
    dataKeys,
    digestKey: () => credentials.digestKey(),
    clock,
    randomness,
    signals,
  });
  return {
    credentials: { ...credentials, warm: credentials.digestKey },
    dataKeys,
    ledger: { ...ledger, token: concealingToken(ledger, conceal) },
  };
}
