/** The functions' own environment variables on this machine: exactly those that the contract lists for each. */
import { POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { ENVIRONMENT, type EnvironmentVariable } from '../functions/contract/environment.ts';
import type { FunctionName } from '../functions/contract/functions.ts';
import type { Issuer } from './issuer.ts';

export interface NamedIssuer {
  readonly name?: string;
  readonly issuer: Pick<Issuer, 'url' | 'audience'>;
  /** As in an environment. */
  readonly sessionClaim?: string;
  readonly logoutClients?: readonly string[];
  readonly logoutType?: 'JWT';
}

export interface Backing {
  readonly brokerUrl: string;
  readonly thoughtspotHost: string;
  readonly dialect: string;
  readonly keyId: string;
  /** The first has the routes at the root, and no name. */
  readonly issuers: readonly NamedIssuer[];
  readonly logLevel: string;
  /** Origins of the local AWS endpoints, by the name that the SDK has for the service. */
  readonly endpoints: Readonly<Record<'SECRETS_MANAGER' | 'KMS' | 'DYNAMODB', string>>;
}

export const SECRET_ID = 'thoughtspot-broker/local';
/** There is none unless somebody puts one: the prober is bundled here, and runs when it is invoked. */
const PROBER_SECRET_ID = 'thoughtspot-broker/local/prober';
export const TABLE_NAME = 'thoughtspot-broker-local-leases';
const SCOPES = { token: 'broker:token', revoke: 'broker:revoke' } as const;

/** Operators are of the first issuer only. */
export const scopesOf = ({ name }: Pick<NamedIssuer, 'name'>): { readonly token: string; readonly revoke?: string } =>
  name === undefined ? SCOPES : { token: SCOPES.token };

/** Variables of one function, but for POLICY_VERSION, which changes with the policy. The AWS_ENDPOINT_URL_* are not the stack's: they only say where AWS is here. */
export function functionVariables(
  name: FunctionName,
  backing: Backing,
  overrides: Partial<Record<EnvironmentVariable, string>> = {},
): Record<string, string> {
  // What is undefined is left out of the JSON.
  const issuers = backing.issuers.map(({ issuer: { url, audience }, ...own }) => ({
    ...own,
    ...{ url, audiences: [audience], scopes: scopesOf(own), algorithms: ['RS256'], refuseNonce: true },
  }));
  const values: Partial<Record<EnvironmentVariable, string>> = {
    BROKER_ENVIRONMENT: 'local',
    BROKER_LOG_LEVEL: backing.logLevel,
    THOUGHTSPOT_HOST: backing.thoughtspotHost,
    THOUGHTSPOT_DIALECT: backing.dialect,
    // The replies of session-v2 name neither org nor kind.
    THOUGHTSPOT_REPLIES_WITHOUT_SCOPE: String(backing.dialect === 'session-v2'),
    THOUGHTSPOT_SECRET_ID: SECRET_ID,
    LEDGER_TABLE: TABLE_NAME,
    LEDGER_KEY_ID: backing.keyId,
    LEDGER_DUE_SHARDS: '16',
    POLICY_FILE: POLICY_FILE_NAME,
    ISSUERS: JSON.stringify(issuers),
    SWEEP_RATE: '20',
    BROKER_URL: backing.brokerUrl,
    PROBER_SECRET_ID,
    ...overrides,
  };
  const endpoints = Object.entries(backing.endpoints).map(([service, url]) => [`AWS_ENDPOINT_URL_${service}`, url]);
  const own = ENVIRONMENT[name].filter((variable) => values[variable] !== undefined);
  return Object.fromEntries([...own.map((variable) => [variable, values[variable]]), ...endpoints]) as Record<
    string,
    string
  >;
}
