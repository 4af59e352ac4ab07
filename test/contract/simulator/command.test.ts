import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { call } from './cluster-client.ts';

const MAIN = join(__dirname, '../../../local/thoughtspot/main.ts');

interface Run {
  process: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
}

function run(...args: string[]): Run {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { process: child, output: () => output, ended };
}

test('--help explains', async () => {
  const { ended, output } = run('--help');
  expect(await ended).toBe(0);
  expect(output()).toContain('--cluster');
});

test.each(['SIGINT', 'SIGTERM'] as const)('it says where it is and stops cleanly on %s', async (signal) => {
  const simulator = run('--port', '0');
  while (!simulator.output().includes('stops it')) await once(simulator.process.stdout ?? simulator.process, 'data');
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(simulator.output()) ?? [];
  expect((await call(url, 'GET /__simulator/state')).status).toBe(200);
  simulator.process.kill(signal);
  expect(await simulator.ended).toBe(0);
});

test('--tls serves https, and names the certificate that makes it trusted', async () => {
  const simulator = run('--port', '0', '--tls');
  while (!simulator.output().includes('stops it')) await once(simulator.process.stdout ?? simulator.process, 'data');
  const [url = ''] = /https:\/\/127\.0\.0\.1:\d+/.exec(simulator.output()) ?? [];
  const [, file = ''] = /NODE_EXTRA_CA_CERTS=(\S+)/.exec(simulator.output()) ?? [];
  const ask = (ca?: string) =>
    new Promise<number | string | undefined>((resolve) => {
      get(`${url}/__simulator/state`, { ca }, (answer) => resolve(answer.resume().statusCode)).on('error', (error) =>
        resolve(error.message),
      );
    });
  expect(await ask(readFileSync(file, 'utf8'))).toBe(200);
  expect(await ask()).toMatch(/self-signed/);
  simulator.process.kill('SIGTERM');
  expect(await simulator.ended).toBe(0);
});

test('a taken port, a wrong port and a missing file are named', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const outcomes: [string[], RegExp, number][] = [
    [['--port', String(port)], /taken; choose another with --port/, 1],
    [['--port', 'x'], /--port must be a port number, not x/, 2],
    [['--cluster', 'missing.json'], /missing\.json/, 1],
    [['--nonsense'], /--nonsense/, 2],
  ];
  for (const [args, message, status] of outcomes) {
    const { ended, output } = run(...args);
    expect(await ended).toBe(status);
    expect(output()).toMatch(message);
  }
  other.close();
});
