import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

describe('scripts run on the Node that Lambda runs', () => {
  test('this test runs on Node 24, whatever the host has', () => {
    expect(process.version).toMatch(/^v24\./);
  });

  test('`node` inside an npm script prints a version 24', () => {
    const printed = execFileSync('npm', ['exec', '--', 'node', '-p', 'process.version'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(printed.trim()).toMatch(/^v24\./);
  });

  test('.nvmrc names the same major version', () => {
    expect(readFileSync(join(root, '.nvmrc'), 'utf8').trim()).toBe('24');
  });
});
