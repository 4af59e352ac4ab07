/** The parts that live in AWS. The AWS clients find region, endpoints and the role's credentials themselves. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Failure } from '../broker/failure.ts';
import type { TokenLedger } from '../broker/ports.ts';
import { type DataKeys, makeDataKeys } from '../ledger/data-keys.ts';
import { makeDynamoDbLedger } from '../ledger/dynamodb-ledger.ts';
import { makeTable, type Table } from '../ledger/table.ts';
import { makeCredentialSource } from '../secrets/credential-source.ts';
import { AccessDenied, makeReadSecret } from '../secrets/secrets-manager.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { clock, randomness } from './system.ts';

/** Options of every AWS client. Without `throwOnRequestTimeout` the SDK only warns of a late answer and keeps waiting. */
export const AWS_CLIENT_OPTIONS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_500, throwOnRequestTimeout: true },
} as const;

type LedgerConfig = Omit<Config<'operator'>, 'ISSUERS'>;
type SealingConfig = Pick<Config<'sweep'>, 'BROKER_ENVIRONMENT' | 'LEDGER_KEY_ID'>;

/** The credential and the ledger, with the keys that `keysOn` makes of its table. */
export function wireLedger(config: LedgerConfig, telemetry: Telemetry, keysOn: (table: Table) => DataKeys) {
  const { LEDGER_TABLE: name, LEDGER_DUE_SHARDS: shards, BROKER_ENVIRONMENT: environment } = config;
  const secrets = new SecretsManagerClient(AWS_CLIENT_OPTIONS);
  const secretId = config.THOUGHTSPOT_SECRET_ID;
  const credentials = makeCredentialSource({ ...telemetry, client: secrets, secretId, clock });
  const table = makeTable({ ...telemetry, client: new DynamoDBClient(AWS_CLIENT_OPTIONS), name, clock, randomness });
  const dataKeys = keysOn(table);
  const { digestKey } = credentials;
  const ledger = makeDynamoDbLedger({ table, shards, environment, dataKeys, digestKey, clock });
  return {
    credentials: { ...credentials, warm: digestKey },
    dataKeys,
    ledger: { ...ledger, token: concealingToken(ledger, telemetry.conceal) },
  };
}

/** The keys that seal tokens, for functions that use them. The wrapped keys are in the ledger's table. */
export function wireDataKeys(config: SealingConfig, { signals }: Telemetry) {
  const { LEDGER_KEY_ID: keyId, BROKER_ENVIRONMENT: environment } = config;
  return (table: Table) =>
    makeDataKeys({ table, kms: new KMSClient(AWS_CLIENT_OPTIONS), keyId, environment, clock, signals });
}

/** For a function that opens no token: its role may not, and it has no client to ask KMS with. */
export function noDataKeys(): DataKeys {
  const refuse = () => Promise.reject(new Failure('misconfigured', { reason: 'this function opens no token' }));
  return { current: refuse, ofHour: refuse, warm: refuse };
}

/** After this no log line can contain a token that the ledger opens. */
export function concealingToken(
  ledger: Pick<TokenLedger, 'token'>,
  conceal: Telemetry['conceal'],
): TokenLedger['token'] {
  return async (key, deadline) => {
    const token = await ledger.token(key, deadline);
    if (token !== undefined) conceal(token);
    return token;
  };
}

/** Reads the text of a secret that is not ThoughtSpot's. Throws Failure as ReadSecret does. */
export function wireSecretText(secretId: string, { signals }: Telemetry) {
  const readSecret = makeReadSecret(new SecretsManagerClient(AWS_CLIENT_OPTIONS), secretId);
  return async (deadline: number): Promise<string> => {
    const stored = await readSecret('AWSCURRENT', deadline - clock.now()).catch((error: unknown) => {
      if (error instanceof AccessDenied) signals.emit('access-denied');
      throw error;
    });
    return stored?.text ?? '';
  };
}
