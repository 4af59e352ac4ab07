import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_SWITCHES, faultsOfSwitches, withSwitches } from '../../../../local/thoughtspot/switches.ts';

test('the defaults are in order', () => {
  expect(faultsOfSwitches(DEFAULT_SWITCHES)).toEqual([]);
});

test('the README lists every switch with its default', () => {
  const readme = readFileSync(join(__dirname, '../../../../local/thoughtspot/README.md'), 'utf8');
  for (const [name, value] of Object.entries(DEFAULT_SWITCHES)) {
    const row = readme.split('\n').find((line) => line.split('|')[1]?.includes(`\`${name}\``));
    expect([name, row]).toEqual([name, expect.stringContaining(String(value))]);
  }
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
