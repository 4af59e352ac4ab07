/** Runs `npm start` and `npm run token` as separate processes, on ports that are free at that moment. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const PORTS = 7;

export interface Program {
  readonly process: ChildProcess;
  /** Everything that it has printed so far, on both streams. */
  text(): string;
  /** Resolves once it has printed this text; rejects if it ends before that. */
  printed(text: string): Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** `folder` is the working directory; the project's root where it is left out. */
export function run(
  script: 'main' | 'token',
  args: readonly string[],
  variables: Record<string, string> = {},
  folder = ROOT,
): Program {
  const child = spawn(process.execPath, [join(ROOT, 'local', `${script}.ts`), ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const check of waiting) check();
    });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  return {
    process: child,
    text: () => text,
    ended,
    printed: (wanted) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!text.includes(wanted)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
        void ended.then(() => reject(new Error(`ended without printing "${wanted}":\n${text}`)));
      }),
  };
}

function hold(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** The first of seven consecutive ports on which nothing listens at the moment. */
export async function freeBasePort(): Promise<number> {
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 40_000);
    const held = await Promise.all(Array.from({ length: PORTS }, (_, offset) => hold(base + offset)));
    await Promise.all(
      held.map((server) => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))),
    );
    if (held.every((server) => server !== undefined)) return base;
  }
}

/** Listens on a port until the server is closed. Throws if the port is in use. */
export async function occupy(port: number): Promise<Server> {
  const server = await hold(port);
  if (server === undefined) throw new Error(`port ${port} is taken`);
  return server;
}
