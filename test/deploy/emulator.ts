/** MiniStack, pinned and installed into .cache, on loopback. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { start } from './processes.ts';

const REQUIREMENTS = path.join(import.meta.dirname, 'requirements.txt');
/** What pip says where PyPI cannot be reached, or has nothing for this machine. */
const OUT_OF_REACH =
  /No matching distribution|ConnectionPool|Connection(Reset|Refused|Error)|timed out|Name or service/;

/** Why the emulator cannot be had here, in a line. */
export class Unavailable extends Error {}

/**
 * The folder of the installed programs. Throws Unavailable where Python or PyPI is missing, and another Error where PyPI
 * has something else than what is pinned. It is there as a whole or not at all, also if two runs install it at once.
 */
export function installTools(cache: string): string {
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const tools = path.join(cache, `tools-${digest}`);
  if (existsSync(tools)) return path.join(tools, 'bin');
  const version = spawnSync('python3', ['-c', 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))']);
  if (version.status !== 0) throw new Unavailable('there is no Python 3.10 or newer with venv');
  console.log('Installing the emulator, the AWS CLI and cfn-lint from PyPI: about a minute.');
  const made = mkdtempSync(path.join(cache, 'python-'));
  try {
    const python = (program: string, args: readonly string[]) => {
      const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
      if (status === 0) return;
      const [fault = stderr.trim().slice(-500)] = /^ERROR: .*/m.exec(stderr) ?? [];
      throw OUT_OF_REACH.test(stderr) ? new Unavailable(fault) : new Error(fault);
    };
    python('python3', ['-m', 'venv', made]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    python(path.join(made, 'bin', 'python'), [...pip, '--require-hashes', '-r', REQUIREMENTS]);
    // The programs know the folder that they were installed into, so it stays, under another name too.
    symlinkSync(made, `${made}.link`);
    renameSync(`${made}.link`, tools);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
  return path.join(tools, 'bin');
}

/** Starts the emulator on a port of loopback, and resolves with its address once it answers. */
export async function startEmulator(bin: string, port: number, folder: string): Promise<string> {
  const env = {
    ...process.env,
    // Its Lambda runs functions on the first Node that it finds.
    PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    IOT_MTLS_ENABLED: '0',
    SFTP_ENABLED: '0',
  };
  await start(path.join(bin, 'ministack'), [], { cwd: folder, env }, /Running on http/);
  return `http://127.0.0.1:${port}`;
}
