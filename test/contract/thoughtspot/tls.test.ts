import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { selfSigned } from '../../../local/thoughtspot/self-signed.ts';

const { key, cert } = selfSigned();
let requests = 0;
const server = createServer({ key, cert }, (_request, response) => {
  requests += 1;
  response.end('{}');
});
let url = '';
let folder = '';

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url = `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  folder = await mkdtemp(join(tmpdir(), 'broker-tls-'));
  await writeFile(join(folder, 'ca.pem'), cert);
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  requests = 0;
});

/** In a process of its own: Node reads these variables from the real environment. */
async function exchangeWith(environment: Readonly<Record<string, string>>): Promise<unknown> {
  const transport = pathToFileURL(resolve(import.meta.dirname, '../../../functions/thoughtspot/transport.ts')).href;
  const script = `
    const { makeTransport } = await import(${JSON.stringify(transport)});
    const transport = makeTransport(new URL(${JSON.stringify(url)}), Date.now);
    const parts = { method: 'POST', path: '/', headers: {}, body: '{}' };
    console.log(JSON.stringify(await transport.exchange(parts, 30000)));
    await transport.close();`;
  const options = { env: { ...process.env, ...environment } };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--no-warnings', '--input-type=module', '-e', script],
    options,
  );
  return JSON.parse(stdout);
}

test('a certificate that nobody vouches for is refused before anything is sent', async () => {
  expect(await exchangeWith({})).toEqual({
    kind: 'lost',
    cause: 'unreachable',
    sent: false,
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  });
  expect(requests).toBe(0);
});

test('the environment cannot turn that off', async () => {
  expect(await exchangeWith({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toMatchObject({ kind: 'lost', sent: false });
  expect(requests).toBe(0);
});

test('a private authority can be trusted by NODE_EXTRA_CA_CERTS', async () => {
  expect(await exchangeWith({ NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') })).toMatchObject({
    kind: 'reply',
    reply: { status: 200, body: '{}' },
  });
  expect(requests).toBe(1);
});
