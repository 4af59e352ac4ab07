/** What npm run test:deploy stands on: programs that end with it, ports that are tried again, and a line where it cannot run. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { untilGone } from '../../support/local-function.ts';

const DRIVE = join(import.meta.dirname, '..', '..', 'deploy');
const folder = mkdtempSync(join(tmpdir(), 'drive-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program of `sh` in a folder of its own. */
function program(name: string, text: string): string {
  const file = join(mkdtempSync(join(folder, 'bin-')), name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return dirname(file);
}

/** Runs a module that has `drive`, the parts of the drive, at hand. */
const script = (text: string): string[] => [
  '--input-type=module',
  '-e',
  `const processes = await import('${DRIVE}/processes.ts'); const emulator = await import('${DRIVE}/emulator.ts');\n${text}`,
];
const run = (text: string, variables: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, script(text), { encoding: 'utf8', env: { ...process.env, ...variables } });

test.each(['SIGKILL', 'SIGINT'] as const)('what was started ends with the drive, also by %s', async (signal) => {
  const ids = join(folder, `pid-${signal}`);
  // With a child of its own, as npm has.
  const text = `
    process.once('SIGINT', () => void processes.interrupt().then(() => process.exit(130)));
    await processes.start('sh', ['-c', 'sleep 600 & echo $$ $! > ${ids}; echo ready; wait'], {}, /ready/);
    console.log('up');
    setInterval(() => undefined, 1000);`;
  const drive = spawn(process.execPath, script(text), { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(drive.stdout, 'data');
  drive.kill(signal);
  await once(drive, 'close');
  for (const pid of readFileSync(ids, 'utf8').trim().split(' ')) await untilGone(Number(pid));
});

test('once it is interrupted, nothing is started any more', () => {
  const { stdout } = run(`
    await processes.interrupt();
    await processes.run('true', [], {}).then(() => console.log('ran'), ({ message }) => console.log(message));`);
  expect(stdout).toBe('interrupted\n');
});

test('a port that was taken in the meantime is not the end: another one is tried', () => {
  const count = join(folder, 'count');
  const bin = program(
    'ministack',
    `echo x >> ${count}\n[ $(wc -l < ${count}) -lt 3 ] && echo "ERROR: 127.0.0.1:$GATEWAY_PORT is already in use." && exit 1\n` +
      'echo "Running on http://127.0.0.1:$GATEWAY_PORT"; sleep 600',
  );
  const { stdout } = run(`console.log(await emulator.startEmulator('${bin}', '${folder}')); await processes.endAll();`);
  expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n$/);
  expect(readFileSync(count, 'utf8')).toBe('x\nx\nx\n');
});

test.each([
  ['there is no Python', 'exit 127', 'there is no Python 3.10 or newer with venv'],
  [
    'PyPI is out of reach',
    `case "$2" in venv) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";; pip) echo 'ERROR: No matching distribution found for ministack==1' >&2; exit 1;; esac`,
    'ERROR: No matching distribution found for ministack==1',
  ],
  [
    'a proxy refuses',
    `case "$2" in venv) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";; pip) echo "ERROR: Could not install packages due to an OSError: Tunnel connection failed: ProxyError" >&2; exit 1;; esac`,
    'ERROR: Could not install packages due to an OSError: Tunnel connection failed: ProxyError',
  ],
])('where %s, it says so in a line, and leaves nothing', (_what, text, words) => {
  const cache = mkdtempSync(join(folder, 'cache-'));
  mkdirSync(cache, { recursive: true });
  const { stdout } = run(
    `await emulator.installTools('${cache}').catch((error) => console.log(error instanceof emulator.Unavailable, error.message));
     const { readdirSync } = await import('node:fs');
     console.log(readdirSync('${cache}').length);`,
    { PATH: `${program('python3', text)}:${process.env['PATH'] ?? ''}` },
  );
  const lines = stdout
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('Installing'));
  expect(lines).toEqual([`true ${words}`, '0']);
});
