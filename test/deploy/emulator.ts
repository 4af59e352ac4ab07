/** MiniStack, pinned and installed into .cache, on loopback. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { start, type Started } from './processes.ts';

const REQUIREMENTS = path.join(import.meta.dirname, 'requirements.txt');

/** Why the emulator cannot be had here, in a line. */
export class Unavailable extends Error {}

/** The folder of the installed programs. Throws Unavailable where Python or PyPI is missing. */
export function installTools(cache: string): string {
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const venv = path.join(cache, `python-${digest}`);
  const bin = path.join(venv, 'bin');
  if (existsSync(path.join(venv, 'complete'))) return bin;
  const version = spawnSync('python3', ['-c', 'import sys, venv; sys.exit(sys.version_info < (3, 10))']);
  if (version.status !== 0) throw new Unavailable('there is no Python 3.10 or newer with venv');
  rmSync(venv, { recursive: true, force: true });
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', venv]],
    [
      path.join(bin, 'pip'),
      [
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--only-binary',
        ':all:',
        '--require-hashes',
        '-r',
        REQUIREMENTS,
      ],
    ],
    ['touch', [path.join(venv, 'complete')]],
  ];
  for (const [program, args] of steps) {
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    if (status !== 0) throw new Unavailable(`${program} failed: ${stderr.trim().split('\n').at(-1) ?? ''}`);
  }
  return bin;
}

/** Starts the emulator on a port of loopback, and resolves once it answers. */
export async function startEmulator(bin: string, port: number, folder: string): Promise<Started & { url: string }> {
  const url = `http://127.0.0.1:${port}`;
  const emulator = start(path.join(bin, 'ministack'), [], {
    cwd: folder,
    env: {
      ...process.env,
      // Its Lambda runs functions on the first Node that it finds.
      PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      GATEWAY_PORT: String(port),
      BIND_HOST: '127.0.0.1',
      IOT_MTLS_ENABLED: '0',
      SFTP_ENABLED: '0',
    },
  });
  await emulator.says(/Running on http/);
  return { ...emulator, url };
}
