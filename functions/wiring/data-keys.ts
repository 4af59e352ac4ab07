import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { CLIENT_OPTIONS } from '../ledger/calls.ts';
import { makeDataKeys } from '../ledger/data-keys.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { clock } from './system.ts';

/** The keys that seal tokens, for functions that hold some. The wrapped ones lie in the ledger's table. */
export function wireDataKeys(
  config: Pick<Config<'gettoken'>, 'BROKER_ENVIRONMENT' | 'LEDGER_TABLE' | 'LEDGER_KEY_ID'>,
  { signals }: Telemetry,
) {
  return (dynamodb: DynamoDBClient) =>
    makeDataKeys({
      dynamodb,
      kms: new KMSClient(CLIENT_OPTIONS),
      table: config.LEDGER_TABLE,
      keyId: config.LEDGER_KEY_ID,
      environment: config.BROKER_ENVIRONMENT,
      clock,
      signals,
    });
}
