/** Programs that the drive starts, each in a process group of its own, so that nothing of it is left. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

const running = new Set<ChildProcess>();
/** Ends a program's whole group when its input ends, which it does with the drive too, however that ends. */
const WATCHED = 'exec 3<&0; (cat <&3; kill 0) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null';
let interrupted = false;

function launch(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  if (interrupted) throw new Error('interrupted');
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

/** The same, and none is started any more. */
export async function interrupt(): Promise<void> {
  interrupted = true;
  await endAll();
}

/** Starts a program that goes on. Resolves with what it has said once it is ready; rejects if it ends before. */
export async function start(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  ready: RegExp,
): Promise<string> {
  const child = launch('sh', ['-c', WATCHED, 'sh', program, ...args], options);
  let output = '';
  return new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      // Once it is ready, what it says is only read, so that it can go on saying it.
      if (ready.test(output)) return;
      output += String(chunk);
      if (ready.test(output)) resolve(output);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`${program} ended:\n${output.slice(-2_000)}`)));
  });
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
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
