import { KMSClient } from '@aws-sdk/client-kms';
import { makeDataKeys } from '../ledger/data-keys.ts';
import type { Table } from '../ledger/table.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { AWS_CLIENT_OPTIONS } from './ledger.ts';
import { clock } from './system.ts';

/** The keys that seal tokens, for functions that hold some. The wrapped ones lie in the ledger's table. */
export function wireDataKeys(
  config: Pick<Config<'gettoken'>, 'BROKER_ENVIRONMENT' | 'LEDGER_KEY_ID'>,
  { signals }: Telemetry,
) {
  return (table: Table) =>
    makeDataKeys({
      table,
      kms: new KMSClient(AWS_CLIENT_OPTIONS),
      keyId: config.LEDGER_KEY_ID,
      environment: config.BROKER_ENVIRONMENT,
      clock,
      signals,
    });
}
