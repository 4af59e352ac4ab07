import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseEnvironment } from './environments/environment.ts';
import type { Environment, Target } from './environments/environment.ts';

export const ENVIRONMENTS_FOLDER = path.join(import.meta.dirname, 'environments');

/** Names of the environments: the files of infra/environments. */
export function knownEnvironments(): string[] {
  return readdirSync(ENVIRONMENTS_FOLDER)
    .filter((file) => file.endsWith('.ts') && file !== 'environment.ts')
    .map((file) => path.basename(file, '.ts'))
    .sort();
}

/** Reads and parses one environment by name. Throws with the known names, or EnvironmentError with all faults. */
export function loadEnvironment(name: string | undefined, target: Target): Environment {
  const known = knownEnvironments();
  if (name === undefined || !known.includes(name)) {
    const said = name === undefined ? 'No environment named' : `Unknown environment ${name}`;
    throw new Error(`${said}. Known: ${known.join(', ')}. To add one, copy infra/environments/dev.ts.`);
  }
  const module = createRequire(import.meta.filename)(`./environments/${name}.ts`) as { default: unknown };
  return parseEnvironment(name, module.default, target);
}
