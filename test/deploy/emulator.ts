/** MiniStack, pinned and installed into .cache, on loopback. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { freePort, run, start } from './processes.ts';

const REQUIREMENTS = path.join(import.meta.dirname, 'requirements.txt');
/** What pip says where PyPI cannot be reached, or has nothing for this machine. */
const OUT_OF_REACH =
  /No matching distribution|ConnectionPool|Connection(Reset|Refused|Error)|timed out|Name or service|Proxy|Temporary failure/;
/** How often another port is tried, where one was taken in the moment after it was free. */
const PORTS = 5;

/** Why the emulator cannot be had here, in a line. */
export class Unavailable extends Error {}

/**
 * The folder of the installed programs. Throws Unavailable where Python or PyPI is missing, and another Error where PyPI
 * has something else than what is pinned. It is there as a whole or not at all, also if two runs install it at once.
 */
export async function installTools(cache: string): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const tools = path.join(cache, `tools-${digest}`);
  if (existsSync(tools)) return path.join(tools, 'bin');
  const question = 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))';
  const version = await run('python3', ['-c', question], {}).catch(() => undefined);
  if (version?.code !== 0) throw new Unavailable('there is no Python 3.10 or newer with venv');
  console.log('Installing the emulator, the AWS CLI and cfn-lint from PyPI: about a minute.');
  const made = mkdtempSync(path.join(cache, 'python-'));
  try {
    const python = async (program: string, args: readonly string[]) => {
      const { code, text } = await run(program, args, {});
      if (code === 0) return;
      const [fault = text.trim().slice(-500)] = /^ERROR: .*/m.exec(text) ?? [];
      throw OUT_OF_REACH.test(text) ? new Unavailable(fault.replace(/\.$/, '')) : new Error(fault);
    };
    await python('python3', ['-m', 'venv', made]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '2', '--timeout', '30'];
    const pinned = ['--only-binary', ':all:', '--require-hashes', '-r', REQUIREMENTS];
    await python(path.join(made, 'bin', 'python'), [...pip, ...pinned]);
    // The programs know the folder that they were installed into, so it stays, under another name too.
    symlinkSync(made, `${made}.link`);
    renameSync(`${made}.link`, tools);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
  return path.join(tools, 'bin');
}

/** Starts the emulator on a free port of loopback, and resolves with its address once it answers. */
export async function startEmulator(bin: string, folder: string, tries = PORTS): Promise<string> {
  const port = await freePort();
  const own = path.join(folder, 'tmp');
  mkdirSync(own, { recursive: true });
  // What it writes there is CommonJS, which the package.json of the project around it would deny.
  writeFileSync(path.join(own, 'package.json'), '{}');
  const env = {
    ...process.env,
    // Its Lambda runs functions on the first Node that it finds.
    PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    TMPDIR: own,
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    IOT_MTLS_ENABLED: '0',
    SFTP_ENABLED: '0',
  };
  try {
    await start(path.join(bin, 'ministack'), [], { cwd: folder, env }, /Running on http/);
  } catch (error) {
    if (tries === 1 || !(error instanceof Error && /already in use/i.test(error.message))) throw error;
    return startEmulator(bin, folder, tries - 1);
  }
  return `http://127.0.0.1:${port}`;
}
