/** docs/bad-days.md, "The identity provider is down" and "... keys leaked": the bundles, and an issuer whose keys come and go. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readDemoUsers } from '../../../local/issuer.ts';
import { type LocalBroker, startLocalBroker } from '../../../local/local-broker.ts';
import { leaksAmong } from '../../support/canaries.ts';
import { httpEvent } from '../../support/http-event.ts';
import { makeSigningKeys, type SigningKeys } from '../../support/signing.ts';

const API = 'thoughtspot-token-broker';
const [before, after] = [makeSigningKeys('before'), makeSigningKeys('after')];
let broker: LocalBroker;
let provider: Server;
let url: string;
let published: readonly SigningKeys[];
const shown = new Map<string, string>();

beforeEach(async () => {
  published = [before];
  provider = createServer(({ url: path }, response) => {
    response.statusCode = published.length === 0 ? 503 : 200;
    const keys = { keys: published.map(({ jwk }) => jwk) };
    response.end(JSON.stringify(path === '/keys' ? keys : { issuer: url, jwks_uri: `${url}/keys` }));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  broker = await startLocalBroker({
    sweepEveryMs: null,
    partner: readDemoUsers(),
    issuers: [{ name: 'acme', issuer: { url, audience: API } }],
  });
});
afterEach(async () => {
  const secrets = new Map([...shown].filter(([text]) => text.length >= 28));
  expect(leaksAmong([broker.output.text()], secrets)).toEqual([]);
  await broker.close();
  provider.closeAllConnections();
  provider.close();
});

async function ask(keys: SigningKeys) {
  const now = Math.floor(Date.now() / 1_000);
  const claims = readDemoUsers().users['alice']?.claims;
  const jwt = keys.sign({ ...claims, iss: url, aud: API, client_id: 'app', iat: now, exp: now + 600 });
  shown.set(jwt, 'an access token');
  // The gateway keeps the keys for two hours: what the function does is asked of the function.
  const event = httpEvent({ routeKey: 'POST /i/acme/gettoken', authorization: `Bearer ${jwt}` });
  const answer = await broker.invoke('gettoken', event);
  const { statusCode, body } = JSON.parse(answer.status === 'answered' ? answer.payload : '{}') as Record<
    string,
    string
  >;
  return [statusCode, (JSON.parse(body ?? '{}') as { code?: string }).code];
}
/** As a deployment, or as Lambda does by itself. */
const newSandboxes = () => broker.functions.get('gettoken')?.replace({});

test('while it is down a sandbox that knows its keys serves, a new one cannot tell who calls, and all is well when it is back', async () => {
  expect(await ask(before)).toEqual([200, undefined]);
  published = [];
  expect(await ask(before)).toEqual([200, undefined]);
  newSandboxes();
  expect(await ask(before)).toEqual([503, 'issuer-unavailable']);
  published = [before];
  newSandboxes();
  expect(await ask(before)).toEqual([200, undefined]);
});

test('a key that it has withdrawn counts for new sandboxes no more, and its new key counts', async () => {
  expect(await ask(before)).toEqual([200, undefined]);
  published = [after];
  newSandboxes();
  expect(await ask(after)).toEqual([200, undefined]);
  expect(await ask(before)).toEqual([401, 'invalid-token']);
});
