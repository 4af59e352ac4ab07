import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENVIRONMENT, ENVIRONMENT_VARIABLES } from '../../functions/contract/environment.ts';
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName } from '../../functions/contract/functions.ts';
import { PROBLEMS } from '../../functions/contract/problems.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** A route for each thing that the operators' function does: with AWS credentials under its name, with a token without it. */
const ROUTES: Partial<Record<FunctionName, readonly string[]>> = {
  operator: ['/leases', '/leases/revoke', '/blocks', '/suspend', '/reinstate'].flatMap((path) => [
    `/operator${path}`,
    path,
  ]),
  backchannellogout: ['/backchannel-logout'],
};

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
      if (trigger.kind !== 'schedule') expect(ROUTES[name] ?? [`/${name}`]).toContain(trigger.path);
      if ('iam' in trigger) expect(trigger.path).toMatch(/^\/operator\//);
    }
    expect(ENVIRONMENT[name].length).toBeGreaterThan(0);
  });

  test('every environment variable of the contract is needed by a function', () => {
    const needed = new Set<string>(Object.values(ENVIRONMENT).flat());
    expect([...needed].sort()).toEqual(Object.keys(ENVIRONMENT_VARIABLES).sort());
  });

  test('docs/audit.md has a row for every action of the audit, and no other', () => {
    const ports = read('functions/broker/ports.ts');
    const [, union = ''] = /readonly action:((?:\s*\| '[a-z-]+')+);/.exec(ports) ?? [];
    const actions = [...union.matchAll(/'([a-z-]+)'/g)].map(([, action]) => action);
    const [, section = ''] = /\n## Actions\n([^]*?)\n## /.exec(read('docs/audit.md')) ?? [];
    const rows = [...section.matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, action]) => action);
    expect(actions.length).toBeGreaterThan(10);
    expect(rows.sort()).toEqual(actions.sort());
  });

  test('docs/errors.md has a heading for every problem code, and no other', () => {
    const headings = [...read('docs/errors.md').matchAll(/^## `?([a-z-]+)`?$/gm)].map(([, code]) => code);
    expect(headings.sort()).toEqual(Object.keys(PROBLEMS).sort());
  });
});
