/** The ledger and its keys. The AWS clients find region, endpoints and the role's credentials themselves. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import type { TokenLedger } from '../broker/ports.ts';
import { makeDataKeys } from '../ledger/data-keys.ts';
import { makeDynamoDbLedger } from '../ledger/dynamodb-ledger.ts';
import { makeTable } from '../ledger/table.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { AWS_CLIENT_OPTIONS, clock, randomness } from './system.ts';

type LedgerConfig = Pick<
  Config<'sweep'>,
  'LEDGER_TABLE' | 'LEDGER_DUE_SHARDS' | 'LEDGER_KEY_ID' | 'BROKER_ENVIRONMENT'
>;

/** The ledger, and its keys to warm up. `makesKeys`: whether the function's role may write them (contract/functions.ts). */
export function wireLedger(config: LedgerConfig, telemetry: Telemetry, { makesKeys }: { readonly makesKeys: boolean }) {
  const { LEDGER_TABLE: name, LEDGER_DUE_SHARDS: shards } = config;
  const { LEDGER_KEY_ID: keyId, BROKER_ENVIRONMENT: environment } = config;
  const table = makeTable({ ...telemetry, client: new DynamoDBClient(AWS_CLIENT_OPTIONS), name, clock, randomness });
  const kms = new KMSClient(AWS_CLIENT_OPTIONS);
  const dataKeys = makeDataKeys({ ...telemetry, table, kms, keyId, environment, makes: makesKeys, clock });
  const ledger = makeDynamoDbLedger({ table, shards, environment, dataKeys, digestKey: dataKeys.digest, clock });
  return {
    dataKeys,
    digestKey: { warm: dataKeys.digest },
    ledger: { ...ledger, token: concealingToken(ledger, telemetry.conceal) },
  };
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
