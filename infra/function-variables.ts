import { POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { ENVIRONMENT } from '../functions/contract/environment.ts';
import type { EnvironmentVariable } from '../functions/contract/environment.ts';
import type { FunctionName } from '../functions/contract/functions.ts';
import type { ProberSecret } from './constructs/prober-secret.ts';
import type { ThoughtSpotSecret } from './constructs/thoughtspot-secret.ts';
import type { TokenLedger } from './constructs/token-ledger.ts';
import type { Environment } from './environments/environment.ts';

/** The environment variables of each function: exactly those that contract/environment.ts lists for it. */
export function functionVariables(
  environment: Environment,
  {
    ledger,
    secret,
    proberSecret,
    policyDigest,
  }: {
    readonly ledger: TokenLedger;
    readonly secret: ThoughtSpotSecret;
    readonly proberSecret: ProberSecret;
    readonly policyDigest: string;
  },
): (name: FunctionName, brokerUrl?: string) => Record<string, string> {
  const values = (brokerUrl: string): Record<EnvironmentVariable, string> => ({
    BROKER_ENVIRONMENT: environment.name,
    BROKER_LOG_LEVEL: environment.logLevel,
    THOUGHTSPOT_HOST: environment.thoughtSpot.host,
    THOUGHTSPOT_DIALECT: environment.thoughtSpot.dialect,
    THOUGHTSPOT_REPLIES_WITHOUT_SCOPE: String(environment.thoughtSpot.repliesWithoutScope),
    THOUGHTSPOT_SECRET_ID: secret.id,
    LEDGER_TABLE: ledger.table.tableName,
    LEDGER_KEY_ID: ledger.sealKey.key.keyArn,
    LEDGER_DUE_SHARDS: String(environment.dueShards),
    POLICY_FILE: POLICY_FILE_NAME,
    POLICY_VERSION: policyDigest,
    ISSUERS: JSON.stringify(environment.issuers),
    SWEEP_RATE: String(environment.sweepRate),
    BROKER_URL: brokerUrl,
    PROBER_SECRET_ID: proberSecret.id,
  });
  return (name, brokerUrl = '') =>
    Object.fromEntries(ENVIRONMENT[name].map((variable) => [variable, values(brokerUrl)[variable]]));
}
