import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { z } from 'zod';
import type { Fault } from './environment-faults.ts';
import { ENVIRONMENTS_FOLDER, knownEnvironments } from './environment-list.ts';
import { EnvironmentError, parseEnvironment } from './environments/environment.ts';
import type { Environment, Target } from './environments/environment.ts';
import { lineOf, syntaxFault } from './source-lines.ts';

/**
 * Reads and parses one environment by name. Throws with the known names, or EnvironmentError with all faults, each with
 * file and line. A secret that another environment creates is a fault too: a file was copied and the name was left.
 */
export function loadEnvironment(name: string | undefined, target: Target, folder = ENVIRONMENTS_FOLDER): Environment {
  const known = knownEnvironments(folder);
  if (name === undefined || !known.includes(name)) {
    const said = name === undefined ? 'No environment named' : `Unknown environment ${name}`;
    throw new Error(`${said}. Known: ${known.join(', ')}. To add one, copy infra/environments/dev.ts.`);
  }
  const source = readFileSync(path.join(folder, `${name}.ts`), 'utf8');
  const place = ({ path: at, text }: Fault): string => {
    // These two are not in the file.
    if (at[0] === 'account' || at[0] === 'region') return text;
    return `infra/environments/${name}.ts:${lineOf(source, at)} ${text}`;
  };
  const environment = parseEnvironment(name, valuesOf(name, source, folder), target, place);
  const taken = known
    .filter((other) => other !== name)
    .flatMap((other) => secretsOf(other, folder).map((secret) => [secret, other] as const));
  const faults = secretPaths(environment).flatMap(([at, secret]) => {
    const [, owner] = taken.find(([others]) => others === secret) ?? [];
    if (owner === undefined) return [];
    return place({ path: at, text: `${at.join('.')}: ${secret} is the secret of ${owner}; give ${name} its own` });
  });
  if (faults.length > 0) throw new EnvironmentError(name, faults);
  return environment;
}

/** The default export of an environment's file. Throws EnvironmentError with file and line if it cannot be run. */
function valuesOf(name: string, source: string, folder: string): unknown {
  const file = path.join(folder, `${name}.ts`);
  try {
    return (createRequire(import.meta.filename)(file) as { default?: unknown }).default;
  } catch (error) {
    const fault = syntaxFault(source);
    const [, afterFile = '1'] = (error instanceof Error ? (error.stack ?? '') : '').split(`${file}:`);
    const line = fault?.line ?? parseInt(afterFile, 10);
    const problem = fault?.problem ?? (error instanceof Error ? error.message : String(error));
    throw new EnvironmentError(name, [`infra/environments/${name}.ts:${line} ${problem}`]);
  }
}

type SecretPath = readonly [path: readonly string[], secret: string];

/** The secrets that an environment creates, with their paths. Importing one that others have is deliberate. */
function secretPaths({ secret, prober }: Pick<Environment, 'secret' | 'prober'>): readonly SecretPath[] {
  return [
    ...('create' in secret ? [[['secret', 'create'], secret.create] as const] : []),
    ...(prober && 'create' in prober.secret ? [[['prober', 'secret', 'create'], prober.secret.create] as const] : []),
  ];
}

const creating = z.object({ secret: z.object({ create: z.string() }) });

/** The secrets that another environment creates, whatever else is wrong with it; none if its file cannot be run. */
function secretsOf(name: string, folder: string): readonly string[] {
  try {
    const values = valuesOf(name, '', folder);
    const prober = z.object({ prober: creating }).safeParse(values).data?.prober;
    return [creating.safeParse(values).data, prober].flatMap((one) => one?.secret.create ?? []);
  } catch {
    return [];
  }
}
