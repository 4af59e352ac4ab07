import { resolve } from 'node:path';
import { Failure } from '../broker/failure.ts';
import { ENVIRONMENT, type EnvironmentVariable } from '../contract/environment.ts';
import type { FunctionName } from '../contract/functions.ts';

/** The environment as the functions use it, by the variables' own names. */
interface Values {
  readonly BROKER_ENVIRONMENT: string;
  readonly BROKER_LOG_LEVEL: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  /** An origin: scheme, host, port. */
  readonly THOUGHTSPOT_HOST: string;
  readonly THOUGHTSPOT_DIALECT: 'auth-2.0' | 'session-v2';
  readonly THOUGHTSPOT_SECRET_ID: string;
  readonly LEDGER_TABLE: string;
  readonly LEDGER_KEY_ID: string;
  readonly LEDGER_DUE_SHARDS: number;
  /** Absolute. */
  readonly POLICY_FILE: string;
  readonly POLICY_VERSION: string;
  /** `none` asks callers for no scope. */
  readonly SCOPE_TOKEN: string;
  /** `none`: nobody may revoke for others over HTTP. */
  readonly SCOPE_REVOKE: string;
  readonly SWEEP_RATE: number;
  /** An origin. */
  readonly BROKER_URL: string;
  readonly PROBER_SECRET_ID: string;
}

/** Exactly what contract/environment.ts gives a function, parsed and frozen. */
export type Config<F extends FunctionName> = Readonly<Pick<Values, (typeof ENVIRONMENT)[F][number]>>;

class Fault extends Error {}

const READERS: { readonly [V in EnvironmentVariable]: (text: string) => Values[V] } = {
  BROKER_ENVIRONMENT: matching(/^[a-z][a-z0-9-]{0,31}$/, 'a name in lower case of at most 32 characters'),
  BROKER_LOG_LEVEL: oneOf('DEBUG', 'INFO', 'WARN', 'ERROR'),
  THOUGHTSPOT_HOST: origin,
  THOUGHTSPOT_DIALECT: oneOf('auth-2.0', 'session-v2'),
  THOUGHTSPOT_SECRET_ID: secretId,
  LEDGER_TABLE: matching(/^[\w.:/-]{3,1024}$/, 'the name or ARN of a table'),
  LEDGER_KEY_ID: matching(/^[\w.:/-]{1,2048}$/, 'the ARN or alias of a KMS key'),
  LEDGER_DUE_SHARDS: wholeNumber(1, 256),
  POLICY_FILE: (text) => resolve(process.env['LAMBDA_TASK_ROOT'] ?? '.', text),
  POLICY_VERSION: matching(/^[\w-]{43}$/, 'a SHA-256 in base64url'),
  SCOPE_TOKEN: scope,
  SCOPE_REVOKE: scope,
  SWEEP_RATE: wholeNumber(1, 100),
  BROKER_URL: origin,
  PROBER_SECRET_ID: secretId,
};

/**
 * Reads what `name` needs of the environment; the only place that does. Throws Failure `misconfigured` that names every
 * variable at fault at once. Values are not repeated: what stands in the wrong variable may be a secret.
 */
export function readConfig<F extends FunctionName>(name: F, environment: NodeJS.ProcessEnv = process.env): Config<F> {
  const values: Partial<Writable<Values>> = {};
  const faults = ENVIRONMENT[name].flatMap((variable) => read(variable, environment[variable], values));
  if (faults.length > 0 || !holdsAll(name, values)) {
    throw new Failure('misconfigured', { reason: `environment variables: ${faults.join('; ')}` });
  }
  return Object.freeze(values);
}

/** What telemetry needs to be able to tell that the rest cannot be read. */
export function readTelemetryConfig(environment: NodeJS.ProcessEnv = process.env) {
  const values: Partial<Writable<Values>> = {};
  for (const variable of ['BROKER_ENVIRONMENT', 'BROKER_LOG_LEVEL'] as const) {
    read(variable, environment[variable], values);
  }
  return { environment: values.BROKER_ENVIRONMENT ?? 'unknown', level: values.BROKER_LOG_LEVEL ?? 'INFO' } as const;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function read<V extends EnvironmentVariable>(
  variable: V,
  text: string | undefined,
  into: Partial<Writable<Values>>,
): readonly string[] {
  if (text === undefined || text === '') return [`${variable} is not set`];
  try {
    into[variable] = READERS[variable](text);
    return [];
  } catch (error) {
    if (error instanceof Fault) return [`${variable} must be ${error.message}`];
    throw error;
  }
}

function holdsAll<F extends FunctionName>(name: F, values: Partial<Values>): values is Partial<Values> & Config<F> {
  return ENVIRONMENT[name].every((variable) => values[variable] !== undefined);
}

function matching(pattern: RegExp, description: string) {
  return (text: string): string => {
    if (!pattern.test(text)) throw new Fault(description);
    return text;
  };
}

function oneOf<T extends string>(...allowed: readonly T[]) {
  return (text: string): T => {
    const found = allowed.find((candidate) => candidate === text);
    if (found === undefined) throw new Fault(`one of ${allowed.join(', ')}`);
    return found;
  };
}

function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) throw new Fault(`a whole number, ${least} to ${most}`);
    return value;
  };
}

function secretId(text: string): string {
  return matching(/^[\w/+=.@:-]{1,2048}$/, 'the name or ARN of a secret')(text);
}

/** A scope token of RFC 6749, 3.3. */
function scope(text: string): string {
  return matching(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'one scope, or none')(text);
}

/** Credentials travel to it: nothing but TLS, save on this machine itself. */
function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const loopback = url !== undefined && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback);
  if (!safe || url === undefined || (text !== url.origin && text !== `${url.origin}/`)) {
    throw new Fault('an origin such as https://my.thoughtspot.cloud, without a path (http only for loopback)');
  }
  return url.origin;
}
