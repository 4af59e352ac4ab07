/** What the person who starts the local set may choose, read from the environment and checked at once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { secureUrl } from '../functions/contract/shapes.ts';
import { CommandError } from './command.ts';

export type Dialect = 'auth-2.0' | 'session-v2';

/** Where tokens come from: the simulator, or a real cluster with a credential of it. */
export type ThoughtSpotChoice =
  | { readonly kind: 'simulator'; readonly dialect: Dialect }
  | {
      readonly kind: 'cluster';
      readonly host: string;
      readonly dialect: Dialect;
      readonly credential: { readonly secretKey: string } | { readonly userName: string; readonly password: string };
    };

export interface LocalSettings {
  readonly basePort: number;
  readonly thoughtspot: ThoughtSpotChoice;
  /** Origins of front-end apps that may call the broker from a browser. */
  readonly allowOrigins: readonly string[];
  readonly policyFile: string;
  readonly logLevel: string;
}

/** The environment asks for something that cannot be; the message says what to do. */
export class SettingsError extends CommandError {
  override readonly name = 'SettingsError';
}

export const DEFAULT_PORT = 8787;
/** Gateway, simulator, issuer, Secrets Manager, KMS, DynamoDB, second issuer. */
export const PORT_COUNT = 7;
export const DEFAULT_POLICY = join(import.meta.dirname, 'policy.json');
/** Dialect session-v2 can mint for its service account only, so it needs a policy that names nobody else. */
export const defaultPolicy = (dialect: Dialect): string =>
  dialect === 'session-v2' ? join(import.meta.dirname, 'policy.session-v2.json') : DEFAULT_POLICY;
/** The policy of the local set, with its rules once for each issuer: where there are several, a rule names its own. */
export function policyForEach(issuers: readonly string[], dialect: Dialect = 'auth-2.0'): object {
  const document = JSON.parse(readFileSync(defaultPolicy(dialect), 'utf8')) as { readonly rules: { name: string }[] };
  const rules = issuers.flatMap((issuer, index) =>
    document.rules.map((rule) => ({ ...rule, name: `${rule.name}-${index}`, issuer })),
  );
  return { ...document, rules };
}
/** Variables whose values are secret: gone from the environment once read, so that no child process inherits them. */
export const SECRET_VARIABLES = ['THOUGHTSPOT_SECRET_KEY', 'THOUGHTSPOT_PASSWORD'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws `SettingsError`. */
export function readSettings(environment: Environment): LocalSettings {
  const thoughtspot = readThoughtSpot(environment);
  return {
    basePort: readBasePort(environment),
    thoughtspot,
    allowOrigins: (environment['BROKER_ORIGINS'] ?? '')
      .split(',')
      .filter((one) => one !== '')
      .map(readOrigin),
    policyFile: environment['BROKER_POLICY'] || defaultPolicy(thoughtspot.dialect),
    logLevel: environment['BROKER_LOG_LEVEL'] || 'INFO',
  };
}

/** The first port; the others follow it. Throws `SettingsError`. */
export function readBasePort(environment: Environment): number {
  const value = environment['BROKER_PORT'];
  if (value === undefined || value === '') return DEFAULT_PORT;
  const port = Number(value);
  const highest = 65_535 - PORT_COUNT + 1;
  if (/^\d+$/.test(value) && port >= 1024 && port <= highest) return port;
  throw new SettingsError(
    `BROKER_PORT=${value} is not a port from 1024 to ${highest} (the broker takes up to ${PORT_COUNT}).`,
  );
}

function readThoughtSpot(environment: Environment): ThoughtSpotChoice {
  const host = environment['THOUGHTSPOT_HOST'] || undefined;
  const secretKey = environment['THOUGHTSPOT_SECRET_KEY'] || undefined;
  const userName = environment['THOUGHTSPOT_USERNAME'] || undefined;
  const password = environment['THOUGHTSPOT_PASSWORD'] || undefined;
  const dialect = readDialect(environment);
  if (host === undefined) {
    if (secretKey ?? password ?? userName)
      throw new SettingsError(
        'A ThoughtSpot credential is set but no THOUGHTSPOT_HOST. Set both, or none for the simulator.',
      );
    return { kind: 'simulator', dialect };
  }
  const account = userName !== undefined && password !== undefined ? { userName, password } : undefined;
  if (dialect === 'session-v2' && account === undefined)
    throw new SettingsError('Dialect session-v2 signs in: set THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD.');
  if (secretKey !== undefined && account !== undefined)
    throw new SettingsError('Set either THOUGHTSPOT_SECRET_KEY, or THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD.');
  const credential = secretKey === undefined ? account : { secretKey };
  if (credential === undefined)
    throw new SettingsError(
      'THOUGHTSPOT_HOST is set but no credential for it. Set THOUGHTSPOT_SECRET_KEY (ThoughtSpot: Develop > ' +
        'Customizations > Security settings > Trusted authentication), or THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD.',
    );
  return { kind: 'cluster', host: readHost(host), dialect, credential };
}

function readDialect(environment: Environment): Dialect {
  const value = environment['THOUGHTSPOT_DIALECT'] || 'auth-2.0';
  if (value === 'auth-2.0' || value === 'session-v2') return value;
  throw new SettingsError(`THOUGHTSPOT_DIALECT=${value} is neither auth-2.0 nor session-v2.`);
}

function readHost(value: string): string {
  const url = secureUrl(value);
  if (url?.pathname === '/') return url.origin;
  throw new SettingsError(`THOUGHTSPOT_HOST=${value} is not an origin such as https://acme.thoughtspot.cloud.`);
}

function readOrigin(value: string): string {
  const origin = value.trim();
  if (origin.includes('*'))
    throw new SettingsError('BROKER_ORIGINS: a wildcard would let any page ask for tokens; name each origin exactly.');
  if (isOrigin(origin)) return origin;
  throw new SettingsError(
    `BROKER_ORIGINS: ${origin} is not an origin such as http://localhost:5173 (no path, no slash).`,
  );
}

/** Also an app's own origin (capacitor://localhost), for which URL has no word. */
function isOrigin(text: string): boolean {
  return URL.parse(text)?.origin === text || /^(capacitor|ionic):\/\/[a-z0-9.-]+(:\d+)?$/.test(text);
}
