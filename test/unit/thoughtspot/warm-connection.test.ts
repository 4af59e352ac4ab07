import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeTransport } from '../../../functions/thoughtspot/transport.ts';

let server: Server;
let connections = 0;
let requests = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    requests += 1;
    request.resume().on('end', () => response.end('{}'));
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => server.close());

test('the first call goes out on the connection that was opened ahead of it', async () => {
  const { port } = server.address() as AddressInfo;
  const transport = makeTransport(new URL(`http://127.0.0.1:${port}`), () => 0);
  await transport.warm();
  const exchange = await transport.exchange({ method: 'POST', path: '/', headers: {}, body: '{}' }, 10_000);
  expect(exchange).toMatchObject({ kind: 'reply', reply: { status: 200 } });
  expect({ connections, requests }).toEqual({ connections: 1, requests: 1 });
  await transport.close();
});

test('nothing is sent after its time, even if the timer stood still in a frozen sandbox', async () => {
  const { port } = server.address() as AddressInfo;
  let now = 0;
  const transport = makeTransport(new URL(`http://127.0.0.1:${port}`), () => now);
  const before = requests;
  const exchange = transport.exchange({ method: 'POST', path: '/', headers: {}, body: '{}' }, 10_000);
  now = 10_000;
  expect(await exchange).toEqual({ kind: 'lost', cause: 'timeout', sent: false });
  now = 0;
  expect(await transport.exchange({ method: 'POST', path: '/', headers: {}, body: '{}' }, 10_000)).toMatchObject({
    kind: 'reply',
  });
  expect(requests - before).toBe(1);
  await transport.close();
});

test('a connection that grew old while the sandbox was frozen is not used', async () => {
  const { port } = server.address() as AddressInfo;
  let now = 0;
  const transport = makeTransport(new URL(`http://127.0.0.1:${port}`), () => now);
  await transport.warm();
  const before = connections;
  now = 4_001;
  const parts = { method: 'POST', path: '/', headers: {}, body: '{}' } as const;
  expect(await transport.exchange(parts, 10_000)).toMatchObject({ kind: 'reply' });
  expect(connections).toBe(before + 1);
  await transport.close();
});

test('nothing is thrown where nobody listens', async () => {
  const transport = makeTransport(new URL('http://127.0.0.1:9'), () => 0);
  await transport.warm();
  const parts = { method: 'POST', path: '/', headers: {}, body: '{}' } as const;
  expect(await transport.exchange(parts, 10_000)).toMatchObject({ kind: 'lost', cause: 'unreachable', sent: false });
  await transport.close();
});
