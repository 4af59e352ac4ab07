import { resolve } from 'node:path';
import { Failure } from '../broker/failure.ts';
import { ENVIRONMENT, type EnvironmentVariable } from '../contract/environment.ts';
import type { FunctionName } from '../contract/functions.ts';
import { secureOrigin } from '../contract/shapes.ts';
import { parseIssuers } from '../identity/issuers.ts';

/** The value of a text, undefined if the text is not valid, and what it must be, in words for operators. */
type Reader<T> = readonly [parse: (text: string) => T | undefined, must: string];

const matching = (form: RegExp, must: string): Reader<string> => [(text) => (form.test(text) ? text : undefined), must];
const oneOf = <T extends string>(...allowed: readonly T[]): Reader<T> => [
  (text) => allowed.find((candidate) => candidate === text),
  `one of ${allowed.join(', ')}`,
];
const wholeNumber = (least: number, most: number): Reader<number> => [
  (text) => (/^\d+$/.test(text) && +text >= least && +text <= most ? +text : undefined),
  `a whole number, ${least} to ${most}`,
];
const secretId = matching(/^[\w/+=.@:-]{1,2048}$/, 'the name or ARN of a secret');
const origin: Reader<string> = [secureOrigin, 'an https origin without a path (http only for loopback)'];

const VARIABLES = {
  BROKER_ENVIRONMENT: matching(/^[a-z][a-z0-9-]{0,31}$/, 'a name in lower case of at most 32 characters'),
  BROKER_LOG_LEVEL: oneOf('DEBUG', 'INFO', 'WARN', 'ERROR'),
  THOUGHTSPOT_HOST: origin,
  THOUGHTSPOT_DIALECT: oneOf('auth-2.0', 'session-v2'),
  THOUGHTSPOT_REPLIES_WITHOUT_SCOPE: oneOf('true', 'false'),
  THOUGHTSPOT_SECRET_ID: secretId,
  LEDGER_TABLE: matching(/^[\w.:/-]{3,1024}$/, 'the name or ARN of a table'),
  LEDGER_KEY_ID: matching(/^[\w.:/-]{1,2048}$/, 'the ARN or alias of a KMS key'),
  LEDGER_DUE_SHARDS: wholeNumber(1, 256),
  POLICY_FILE: [(text) => resolve(process.env['LAMBDA_TASK_ROOT'] ?? '.', text), 'a path'],
  POLICY_VERSION: matching(/^[\w-]{43}$/, 'a SHA-256 in base64url'),
  ISSUERS: [parseIssuers, 'a JSON list of issuers'],
  SWEEP_RATE: wholeNumber(1, 100),
  BROKER_URL: origin,
  PROBER_SECRET_ID: secretId,
} as const satisfies { readonly [V in EnvironmentVariable]: Reader<unknown> };

type Values = { [V in EnvironmentVariable]: NonNullable<ReturnType<(typeof VARIABLES)[V][0]>> };
const READERS: { readonly [V in EnvironmentVariable]: Reader<Values[V]> } = VARIABLES;

/** Why a function refuses this value of a variable; undefined if it takes it. The stack asks too, before it deploys. */
export const faultOfVariable = (variable: EnvironmentVariable, text = ''): string | undefined =>
  text === '' ? 'is not set' : READERS[variable][0](text) === undefined ? `must be ${READERS[variable][1]}` : undefined;

/** Exactly what contract/environment.ts gives a function, parsed and frozen. */
export type Config<F extends FunctionName> = Readonly<Pick<Values, (typeof ENVIRONMENT)[F][number]>>;

/**
 * Reads what a function needs of the environment; the only place that does. Throws Failure `misconfigured` that names
 * the fault of every variable at once. Values are not repeated: a text in the wrong variable may be a secret.
 */
export function readConfig<F extends FunctionName>(of: F, environment: NodeJS.ProcessEnv = process.env): Config<F> {
  const values = read(ENVIRONMENT[of], environment);
  if (holdsAll(of, values)) return Object.freeze(values);
  const faults = ENVIRONMENT[of]
    .filter((variable) => values[variable] === undefined)
    .map((variable) => `${variable} ${faultOfVariable(variable, environment[variable])}`);
  throw new Failure('misconfigured', { reason: `environment variables: ${faults.join('; ')}` });
}

/** What telemetry needs to be able to report that the rest cannot be read. */
export function readTelemetryConfig(environment: NodeJS.ProcessEnv = process.env) {
  const values = read(['BROKER_ENVIRONMENT', 'BROKER_LOG_LEVEL'], environment);
  return { environment: values.BROKER_ENVIRONMENT ?? 'unknown', level: values.BROKER_LOG_LEVEL ?? 'INFO' } as const;
}

function read(variables: readonly EnvironmentVariable[], environment: NodeJS.ProcessEnv): Partial<Values> {
  const values: Partial<Values> = {};
  const set = <V extends EnvironmentVariable>(variable: V, into: { [K in V]?: Values[K] }) => {
    const text = environment[variable];
    const value = text ? READERS[variable][0](text) : undefined;
    if (value !== undefined) into[variable] = value;
  };
  for (const variable of variables) set(variable, values);
  return values;
}

function holdsAll<F extends FunctionName>(of: F, values: Partial<Values>): values is Partial<Values> & Config<F> {
  return ENVIRONMENT[of].every((variable) => values[variable] !== undefined);
}
