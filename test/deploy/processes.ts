/** Programs that the drive starts, each in a process group of its own, so that nothing of it is left. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

const running = new Set<ChildProcess>();

function launch(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(program, [...args], { ...options, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Ends a program and all that it started. */
async function end(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || !running.has(child)) return;
  const signal = (name: 'SIGTERM' | 'SIGKILL') => {
    try {
      process.kill(-pid, name);
    } catch {
      // It has ended meanwhile.
    }
  };
  const closed = once(child, 'close');
  signal('SIGTERM');
  const late = setTimeout(() => signal('SIGKILL'), 5_000);
  await closed;
  clearTimeout(late);
}

/** Ends every program that still runs. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map(end));
}

/** Starts a program that goes on, and resolves once it says that it is ready. Rejects if it ends before. */
export async function start(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  ready: RegExp,
): Promise<void> {
  const child = launch(program, args, options);
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      // Once it is ready, what it says is only read, so that it can go on saying it.
      if (ready.test(output)) return;
      output += String(chunk);
      if (ready.test(output)) resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`${program} ended:\n${output.slice(-2_000)}`)));
  });
}

/** Ports of loopback that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

export interface Ended {
  readonly code: number | null;
  readonly text: string;
}

/** Runs a program to its end; `input` is typed into it. */
export async function run(
  program: string,
  args: readonly string[],
  { input = '', ...options }: SpawnOptions & { readonly input?: string },
): Promise<Ended> {
  const child = launch(program, args, options);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += String(chunk)));
  child.stderr?.on('data', (chunk: Buffer) => (text += String(chunk)));
  // A program that ends without reading it breaks the pipe, which is no failure.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text };
}
