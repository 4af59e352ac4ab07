import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENVIRONMENT, ENVIRONMENT_VARIABLES } from '../../functions/contract/environment.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../../functions/contract/functions.ts';
import { PROBLEMS } from '../../functions/contract/problems.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Every .ts file below a folder, as paths from the root. */
function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}
const lines = (path: string) => read(path).split('\n').length - 1;

describe('one name, everywhere', () => {
  test('the contract lists every function under its own key', () => {
    expect([...FUNCTION_NAMES].sort()).toEqual(Object.keys(FUNCTIONS).sort());
  });

  test('a file directly in functions/ is a Lambda of the contract, and nothing else is', () => {
    const entries = readdirSync(join(root, 'functions')).filter((name) => name.endsWith('.ts'));
    expect(entries.sort()).toEqual(FUNCTION_NAMES.map((name) => `${name}.ts`).sort());
  });

  test.each(FUNCTION_NAMES)('%s: its entry file, its route and its row of variables carry its name', (name) => {
    expect(FUNCTIONS[name].entry).toBe(`functions/${name}.ts`);
    expect(existsSync(join(root, FUNCTIONS[name].entry))).toBe(true);
    for (const trigger of FUNCTIONS[name].triggers) {
      if (trigger.kind === 'http') expect(trigger.path).toBe(`/${name}`);
    }
    expect(ENVIRONMENT[name].length).toBeGreaterThan(0);
  });

  test('every environment variable of the contract is needed by a function', () => {
    const needed = new Set<string>(Object.values(ENVIRONMENT).flat());
    expect([...needed].sort()).toEqual(Object.keys(ENVIRONMENT_VARIABLES).sort());
  });

  test('docs/errors.md has a heading for every problem code, and no other', () => {
    const headings = [...read('docs/errors.md').matchAll(/^## `?([a-z-]+)`?$/gm)].map(([, code]) => code);
    expect(headings.sort()).toEqual(Object.keys(PROBLEMS).sort());
  });
});

describe('small and plain', () => {
  const deployed = sources('functions');

  test('an entry has at most 40 lines', () => {
    const entries = FUNCTION_NAMES.map((name) => FUNCTIONS[name].entry);
    expect(entries.filter((entry) => lines(entry) > 40)).toEqual([]);
  });

  test('half of the modules have at most 90 lines (eslint holds each to 250)', () => {
    const lengths = deployed.map(lines).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(90);
  });

  test('no file is a drawer: utils, helpers, common, misc, types or index', () => {
    const all = ['functions', 'infra', 'local', 'client', 'test', 'bench'].flatMap(sources);
    expect(all.filter((path) => /\/(utils?|helpers?|common|misc|types|index)\.ts$/.test(path))).toEqual([]);
  });
});
