import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** What the end of `npm ci` does where `node` is of this version. */
function installedOn(version: string) {
  const path = mkdtempSync(join(tmpdir(), 'node-'));
  writeFileSync(join(path, 'node'), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
  return spawnSync(process.execPath, ['postinstall.cjs'], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: `${path}${delimiter}${process.env['PATH']}` },
  });
}

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

  test.each(['v20.20.2', 'v22.23.2'])(
    'an install that would leave scripts on %s fails and says what to install',
    (version) => {
      const { status, stderr } = installedOn(version);
      expect(status).toBe(1);
      expect(stderr).toContain(`they would run on ${version}.`);
      expect(stderr).toContain('Install Node 24');
    },
  );

  test('an install that leaves them on Node 24 says so', () => {
    const { status, stdout } = installedOn('v24.21.0');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Scripts run on Node v24\.21\.0, /);
  });
});
