/** Programs that the drive starts, each in a process group of its own, so that nothing of it is left. */
import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

export interface Started {
  /** Resolves with what it printed so far once that matches. Rejects if the program ends before. */
  says(pattern: RegExp): Promise<string>;
  /** Ends the program and all that it started. */
  stop(): Promise<void>;
}

export function start(program: string, args: readonly string[], options: SpawnOptions): Started {
  const child = spawn(program, [...args], { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const ended = once(child, 'close');
  const listeners = new Set<() => void>();
  const hear = (chunk: Buffer) => {
    output += String(chunk);
    for (const listener of listeners) listener();
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  return {
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!pattern.test(output)) return;
          listeners.delete(look);
          resolve(output);
        };
        listeners.add(look);
        look();
        void ended.then(() => reject(new Error(`${program} ended:\n${output.slice(-2_000)}`)));
      }),
    async stop() {
      if (child.pid === undefined || child.exitCode !== null) return;
      process.kill(-child.pid, 'SIGTERM');
      const late = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), 5_000);
      await ended;
      clearTimeout(late);
    },
  };
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

/** Runs a program to its end. */
export async function run(program: string, args: readonly string[], options: SpawnOptions): Promise<Ended> {
  const child = spawn(program, [...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += String(chunk)));
  child.stderr?.on('data', (chunk: Buffer) => (text += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text };
}
