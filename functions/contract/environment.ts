/**
 * Environment variables of the functions: the stack sets exactly these, functions/wiring/config.ts parses exactly
 * these. All values are strings, as in Lambda.
 */
export const ENVIRONMENT_VARIABLES = {
  BROKER_ENVIRONMENT: 'name of the environment, bound into every sealed token: dev, staging, prod, local',
  BROKER_LOG_LEVEL: 'DEBUG, INFO, WARN or ERROR',
  THOUGHTSPOT_HOST: 'origin of the ThoughtSpot cluster, https:// (http only for loopback)',
  THOUGHTSPOT_DIALECT: 'auth-2.0 or session-v2',
  THOUGHTSPOT_REPLIES_WITHOUT_SCOPE: 'true where a token is released though the reply names no org or kind, or false',
  THOUGHTSPOT_SECRET_ID: 'name or ARN of the secret in Secrets Manager',
  LEDGER_TABLE: 'name of the DynamoDB table',
  LEDGER_KEY_ID: 'ARN or alias of the KMS key that wraps the data keys and the digest key of the ledger',
  LEDGER_DUE_SHARDS: 'number of shards of the due index (never lower it while leases live)',
  POLICY_FILE: 'path of the policy document, relative to the deployed package or absolute',
  POLICY_VERSION: 'SHA-256 of the policy document that was checked for this version of the function, base64url',
  ISSUERS: 'the issuers whose access tokens count, a JSON list (identity/issuers.ts)',
  SWEEP_RATE: 'revocations per second that the sweep may send to ThoughtSpot',
  BROKER_URL: "origin of the broker's own API, https:// (http only for loopback)",
  PROBER_SECRET_ID: "name or ARN of the prober's secret in Secrets Manager: its client at the OIDC issuer",
} as const;

export type EnvironmentVariable = keyof typeof ENVIRONMENT_VARIABLES;

const everywhere = [
  'BROKER_ENVIRONMENT',
  'BROKER_LOG_LEVEL',
  'THOUGHTSPOT_HOST',
  'THOUGHTSPOT_DIALECT',
  'LEDGER_TABLE',
  'LEDGER_KEY_ID',
  'LEDGER_DUE_SHARDS',
] as const;

/** Which function needs which variables: no more, no fewer. */
export const ENVIRONMENT = {
  gettoken: [
    ...everywhere,
    'THOUGHTSPOT_REPLIES_WITHOUT_SCOPE',
    'THOUGHTSPOT_SECRET_ID',
    'POLICY_FILE',
    'POLICY_VERSION',
    'ISSUERS',
  ],
  revoketoken: [...everywhere, 'POLICY_FILE', 'POLICY_VERSION', 'ISSUERS', 'SWEEP_RATE'],
  sessioninfo: [...everywhere, 'POLICY_FILE', 'POLICY_VERSION', 'ISSUERS'],
  operator: [...everywhere, 'POLICY_FILE', 'POLICY_VERSION', 'ISSUERS', 'SWEEP_RATE'],
  backchannellogout: [...everywhere, 'ISSUERS', 'SWEEP_RATE'],
  sweep: [...everywhere, 'SWEEP_RATE'],
  prober: [
    'BROKER_ENVIRONMENT',
    'BROKER_LOG_LEVEL',
    'THOUGHTSPOT_HOST',
    'THOUGHTSPOT_DIALECT',
    'BROKER_URL',
    'PROBER_SECRET_ID',
  ],
} as const satisfies Record<string, readonly EnvironmentVariable[]>;
