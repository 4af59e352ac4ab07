/** `npm run mutate`: Stryker, installed from the package in this folder if it is missing or behind its lockfile. */
import { spawnSync } from 'node:child_process';
import { cpSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOMS = ['broker', 'ledger', 'http', 'policy', 'identity'];
const folder = import.meta.dirname;
const root = join(folder, '../..');
// Not beside the lockfile: tests and checks walk through test/.
const installed = join(root, '.cache/mutation');

function run(cwd: string, command: string, args: string[]): number {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (error !== undefined) throw error;
  return status ?? 1;
}

const writtenAt = (file: string) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function install(): number {
  // npm writes this file last: an install that was cut off is repeated.
  const finishedAt = writtenAt(join(installed, 'node_modules/.package-lock.json'));
  if (finishedAt >= writtenAt(join(folder, 'package-lock.json'))) return 0;
  console.log('Installing mutation testing in .cache/mutation: 62 MB, needed once ...');
  for (const name of ['package.json', 'package-lock.json']) cpSync(join(folder, name), join(installed, name));
  return run(installed, 'npm', ['ci', '--no-fund']);
}

function mutate(): number {
  const stryker = join(installed, 'node_modules/@stryker-mutator/core/bin/stryker.js');
  return run(root, process.execPath, [stryker, 'run', join(folder, 'stryker.config.js'), ...options]);
}

const words = process.argv.slice(2);
const rooms = words.filter((word) => ROOMS.includes(word));
const options = words.filter((word) => !ROOMS.includes(word));

if (words.some((word) => word === '--help' || word === '-h')) {
  console.log(`Changes the code a little at a time, and reports what no test notices (docs/mutation.md).

  npm run mutate -- <room> ... [options of \`stryker run\`]

Rooms of functions/: ${ROOMS.join(', ')}. Each is changed with the tests of its own.
One file: npm run mutate -- ledger --mutate functions/ledger/item.ts`);
} else if (rooms.length === 0) {
  console.error(`Say which rooms of functions/: ${ROOMS.join(', ')}. Each is changed with tests of its own.`);
  process.exitCode = 2;
} else {
  process.env['ROOMS'] = rooms.join(',');
  process.exitCode = install() || mutate();
}
