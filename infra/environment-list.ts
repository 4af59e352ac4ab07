import { readdirSync } from 'node:fs';
import path from 'node:path';
import { readArguments } from '../local/command.ts';

/**
 * Which environments there are: the files of infra/environments, and nothing else says so. `npm run environments` prints
 * them as an output of a job on GitHub. Needs no installed package.
 */
export const ENVIRONMENTS_FOLDER = path.join(import.meta.dirname, 'environments');

/** Names of the environments: the files of infra/environments. */
export function knownEnvironments(folder = ENVIRONMENTS_FOLDER): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && file !== 'environment.ts')
    .map((file) => path.basename(file, '.ts'))
    .sort();
}

const USAGE = `npm run environments   prints the names of all environments, as an output of a job on GitHub
`;

if (process.argv[1] === import.meta.filename) {
  readArguments(USAGE, {});
  console.log(`names=${JSON.stringify(knownEnvironments())}`);
}
