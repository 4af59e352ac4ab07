import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_SWITCHES, faultsOfSwitches, SWITCHES, withSwitches } from '../../../../local/thoughtspot/switches.ts';

test('the defaults are in order', () => {
  expect(faultsOfSwitches(DEFAULT_SWITCHES)).toEqual([]);
});

test('the README lists every switch with its default, what it takes and what it does, and no other', () => {
  const readme = readFileSync(join(__dirname, '../../../../local/thoughtspot/README.md'), 'utf8');
  const [, section = ''] = /### Switches\n([^]*?)\n### /.exec(readme) ?? [];
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  const shown = rows.map((row) => row.split('|').map((cell) => cell.trim()));
  const listed = Object.entries(SWITCHES).map(([name, { initial, wants, about }]) => {
    return ['', `\`${name}\``, `\`${JSON.stringify(initial)}\``, wants, about, ''];
  });
  expect(shown).toEqual(listed);
});

test('the README says of every switch what ThoughtSpot’s documents say', () => {
  const readme = readFileSync(join(__dirname, '../../../../local/thoughtspot/README.md'), 'utf8');
  const [, section = ''] = /## What the documents say, and what it does\n([^]*?)\n## /.exec(readme) ?? [];
  const lastCells = section.split('\n').map((line) => line.split('|').at(-2) ?? '');
  const named = new Set(lastCells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name)));
  expect([...named].sort()).toEqual(Object.keys(SWITCHES).sort());
});

test.each([
  ['no object', null, /must be a JSON object/],
  ['an array', [], /must be a JSON object/],
  ['an unknown name', { nope: 1 }, /no switch "nope"/],
  ['a name from the prototype', { toString: 1 }, /no switch "toString"/],
  ['a wrong choice', { outage: 'maybe' }, /"outage" must be one of "none", "error", "reset"/],
  ['a fraction', { latencyMs: 0.5 }, /integer/],
  ['several', { outage: 'maybe', latencyMs: 0.5 }, /"outage".*; .*"latencyMs"/],
])('%s is refused by name', (_what, patch, message) => {
  expect(() => withSwitches(DEFAULT_SWITCHES, patch)).toThrow(message);
});

test('a patch leaves the other switches alone', () => {
  expect(withSwitches(DEFAULT_SWITCHES, { latencyMs: 5 })).toEqual({ ...DEFAULT_SWITCHES, latencyMs: 5 });
});
