/** OpenID Connect Back-Channel Logout 1.0, through the gateway and the bundles: of a certified provider, and by hand. */
import { createHmac, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FunctionName } from '../../../functions/contract/functions.ts';
import { readDemoUsers } from '../../../local/issuer.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { leaksAmong } from '../../support/canaries.ts';

import { httpEvent } from '../../support/http-event.ts';
import { mismatchesOf } from '../../support/openapi.ts';
import { API, APP, startCertifiedProvider } from '../../support/signed-in.ts';
import { makeSigningKeys } from '../../support/signing.ts';

const LOGOUT = '/backchannel-logout';
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} };
const USERS = readDemoUsers().users;
const keys = makeSigningKeys('by-hand');
const shown = new Map<string, string>();
let broker: LocalBroker;
let provider: Awaited<ReturnType<typeof startCertifiedProvider>>;
/** Serves the keys of the issuers whose tokens are made here: `byhand`, which names sessions, `nosession`, and `auth0`. */
let keyServer: Server;
let issuerUrl: (name: string) => string;
let keysAreDown = false;

beforeAll(async () => {
  keyServer = createServer(({ url = '' }, response) => {
    const [, name = '', file = ''] = /^\/(\w+)\/(.*)$/.exec(url) ?? [];
    response.statusCode = keysAreDown ? 503 : 200;
    const discovery = { issuer: issuerUrl(name), jwks_uri: `${issuerUrl(name)}/keys` };
    response.end(JSON.stringify(file === 'keys' ? { keys: [keys.jwk] } : discovery));
  });
  await new Promise<void>((resolve) => keyServer.listen(0, '127.0.0.1', resolve));
  const port = (keyServer.address() as AddressInfo).port;
  issuerUrl = (name) => `http://127.0.0.1:${port}/${name}`;
  provider = await startCertifiedProvider();
  const issuer = (url: string) => ({ issuer: { url, audience: API }, logoutClients: ['other', APP] });
  broker = await startLocalBroker({
    sweepEveryMs: null,
    partner: readDemoUsers(),
    issuers: [
      { ...issuer(provider.url), name: 'certified', sessionClaim: 'sid' },
      { ...issuer(issuerUrl('byhand')), name: 'byhand', sessionClaim: 'sid' },
      { ...issuer(issuerUrl('nosession')), name: 'nosession' },
      { ...issuer(issuerUrl('auth0')), name: 'auth0', sessionClaim: 'https://app.example/sid', logoutType: 'JWT' },
    ],
    limits: { reservedConcurrency: 2 },
    logoutThrottle: { ratePerSecond: 10_000, burst: 10_000 },
  });
  broker.simulator?.set({ rateLimit: false });
  await provider.open(`${broker.url}/i/certified${LOGOUT}`);
});
afterAll(async () => {
  await broker.close();
  await provider.close();
  keyServer.closeAllConnections();
  keyServer.close();
});

interface Body {
  readonly code?: string;
  readonly token?: string;
  readonly leaseId?: string;
  readonly error_description?: string;
}

async function call(path: string, jwt: string) {
  shown.set(jwt, 'a JWT').set(jwt.split('.')[2] ?? jwt, 'a signature');
  const answer = await fetch(broker.url + path, { method: 'POST', headers: { authorization: `Bearer ${jwt}` } });
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: (await answer.json()) as Body };
}

/** `[200]`, or the status and why. */
async function post(body: string, path = `/i/byhand${LOGOUT}`, type = 'application/x-www-form-urlencoded') {
  const response = await fetch(broker.url + path, { method: 'POST', headers: { 'content-type': type }, body });
  const text = await response.text();
  const { status, headers } = response;
  expect(status === 200 || status === 400 ? headers.get('cache-control') : 'no-store').toBe('no-store');
  if (status === 200 || status === 400) {
    const contentType = headers.get('content-type') ?? '';
    expect(mismatchesOf(LOGOUT, 'POST', { status, contentType, body: text, headers })).toEqual([]);
  }
  return status === 400 ? [status, (JSON.parse(text) as Body).error_description] : [status];
}

function postToken(token: string, issuer = 'byhand') {
  shown.set(token, 'a logout token').set(token.split('.')[2] || token, 'a signature');
  return post(`state=ignored&logout_token=${token}`, issuer === '' ? LOGOUT : `/i/${issuer}${LOGOUT}`);
}

const now = () => Math.floor(Date.now() / 1_000);
const logoutClaims = (issuer = 'byhand') => ({
  iss: issuerUrl(issuer),
  aud: APP,
  sub: USERS['bob']?.claims['sub'],
  iat: now(),
  jti: randomUUID(),
  events: EVENTS,
});
const logoutToken = (claims: object = {}, header: object = {}, issuer?: string) =>
  keys.sign({ ...logoutClaims(issuer), ...claims }, { typ: 'logout+jwt', ...header });
/** For bob, signed in a minute ago. */
const accessToken = (claims: object = {}, issuer = 'byhand') =>
  keys.sign({
    ...USERS['bob']?.claims,
    ...{ iss: issuerUrl(issuer), aud: API, client_id: APP, iat: now() - 60, exp: now() + 600 },
    ...claims,
  });
const getToken = (jwt: string, issuer = 'byhand') => call(`/i/${issuer}/gettoken`, jwt);
const isAlive = (token: string | undefined) => broker.simulator?.tokens().includes(token ?? '');
const afresh = (name: FunctionName) => broker.functions.get(name)?.replace({});

test('a certified provider signs somebody out: no token is given any more, and the one that lives has ended', async () => {
  const [phone, laptop] = [await provider.signIn('alice'), await provider.signIn('alice')];
  const held = await getToken(phone.accessToken, 'certified');
  const other = await getToken(laptop.accessToken, 'certified');
  expect([held.status, other.status]).toEqual([200, 200]);
  // A cold start is none of what is measured.
  expect(await post('', `/i/certified${LOGOUT}`)).toEqual([400, 'logout_token must be there once']);

  const calledAt = performance.now();
  let endedAt = Infinity;
  const stop = broker.simulator?.onCall(({ phase, endpoint }) => {
    if (phase === 'answered' && endpoint.endsWith('/auth/token/revoke')) endedAt = performance.now();
  });
  await phone.signOut();
  stop?.();
  // Before the provider was answered.
  expect(isAlive(held.body.token)).toBe(false);
  const refused = await getToken(phone.accessToken, 'certified');
  const refusedAt = performance.now();
  expect([refused.status, refused.body.code]).toEqual([401, 'sign-in-again']);
  const ms = (at: number) => `${(at - calledAt).toFixed(0)} ms`;
  process.stdout.write(`after the sign-out began: ended at ThoughtSpot ${ms(endedAt)}, refused ${ms(refusedAt)}\n`);

  expect(isAlive(other.body.token)).toBe(true);
  expect((await getToken(laptop.accessToken, 'certified')).body.leaseId).toBe(other.body.leaseId);
  const said = broker.output.lines().filter(({ text }) => text.includes('"action":"sign-out"'));
  expect(said.map(({ source }) => source)).toEqual(['backchannellogout']);
  expect(said[0]?.text).toContain(`asked by logout \\"${APP}\\"`);
  shown.set(phone.idToken, 'an ID token');
});

describe('nothing ends by', () => {
  let held: Body;
  let jwt: string;
  beforeAll(async () => {
    jwt = accessToken({ sid: 'kept' });
    held = (await getToken(jwt)).body;
  });
  afterAll(async () => {
    expect((await getToken(jwt)).body.leaseId).toBe(held.leaseId);
    expect(isAlive(held.token)).toBe(true);
  });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const hmac = (claims: object) => {
    const input = `${part({ alg: 'HS256', typ: 'logout+jwt', kid: 'by-hand' })}.${part(claims)}`;
    const pem = keys.publicKey.export({ format: 'pem', type: 'spki' });
    return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
  };
  // The rest of what a logout token must be: test/unit/identity/logout-token.test.ts.
  const REFUSED: Readonly<Record<string, readonly [() => string, string]>> = {
    'alg none': [
      () => `${part({ alg: 'none', kid: 'by-hand' })}.${part(logoutClaims())}.c2ln`,
      'its algorithm is not one of its issuer',
    ],
    'the public key as a secret': [() => hmac(logoutClaims()), 'its algorithm is not one of its issuer'],
    'the key of another': [
      () => makeSigningKeys('by-hand').sign(logoutClaims(), { typ: 'logout+jwt' }),
      'its signature is wrong',
    ],
    'the audience of the API': [() => logoutToken({ aud: API }), 'it is for another client'],
    'six minutes of age': [() => logoutToken({ iat: now() - 360 }), 'it is older than 300 s'],
    'an access token': [() => accessToken(), 'it is for another client'],
    'an access token for the app itself': [() => accessToken({ aud: APP }), 'its type is not that of a logout token'],
    'an ID token': [
      () => keys.sign({ ...logoutClaims(), events: undefined, exp: now() + 600 }, { typ: undefined }),
      'it has no event of a back-channel logout',
    ],
    'no JWT': [() => 'opaque', 'it is no JWT, or a claim has the wrong type'],
  };
  test.each(Object.entries(REFUSED))('%s', async (_name, [token, why]) => {
    expect(await postToken(token())).toEqual([400, `the logout token does not count: ${why}`]);
  });

  test('a token at the route of another issuer, or of one that has no clients', async () => {
    expect(await postToken(logoutToken(), '')).toEqual([
      400,
      'the logout token does not count: it is of another issuer',
    ]);
    expect(await postToken(logoutToken(), 'nosession')).toEqual([
      400,
      'the logout token does not count: it is of another issuer',
    ]);
    expect(await postToken(logoutToken(), 'partner')).toEqual([404]);
    expect(await postToken(logoutToken(), 'nobody')).toEqual([404]);
  });

  const good = () => `logout_token=${logoutToken()}`;
  const FORM = 'application/x-www-form-urlencoded';
  test.each<[string, () => string, string, string]>([
    ['two tokens', () => `${good()}&${good()}`, 'logout_token must be there once', FORM],
    ['no field', () => 'token=x', 'logout_token must be there once', FORM],
    ['an empty field', () => 'logout_token=', 'logout_token must be there once', FORM],
    ['JSON', () => JSON.stringify({ logout_token: logoutToken() }), 'body is not a form', 'application/json'],
    ['a form by another name', good, 'body is not a form', 'text/plain'],
    ['over 16 KB', () => `${good()}&x=${'x'.repeat(16_384)}`, 'body has more than 16384 bytes', FORM],
  ])('a request with %s', async (_name, body, why, type) => {
    expect(await post(body(), undefined, type)).toEqual([400, why]);
  });

  test('keys that nobody can read', async () => {
    keysAreDown = true;
    afresh('backchannellogout');
    expect(await postToken(logoutToken())).toEqual([400, 'Issuer is unavailable']);
    keysAreDown = false;
    afresh('backchannellogout');
  });
});

test('a logout token is no access token', async () => {
  // The gateway refuses it first; the function too, when it is asked directly.
  const jwt = logoutToken({ aud: [APP, API], exp: now() + 60, scope: 'broker:token' }, { typ: 'JWT' });
  const refused = await getToken(jwt);
  expect([refused.status, refused.body.code]).toEqual([401, 'invalid-token']);
});

test.each<[string, object, object]>([
  ['as the specification has it', {}, {}],
  ['as Keycloak sends it', { exp: now() + 120, typ: 'Logout' }, { typ: 'logout+jwt' }],
  ['without a type', {}, { typ: undefined }],
  ['with the whole media type', {}, { typ: 'application/Logout+JWT' }],
  ['for several clients', { aud: ['somebody', APP] }, {}],
  ['with more in its event, and another event', { events: { ...EVENTS, 'https://app.example/event': {} } }, {}],
  ['of a subject who holds nothing here', { sub: 'nobody' }, {}],
  ['without a subject', { sub: undefined }, {}],
  ['by a clock with fractions', { iat: now() - 0.5 }, {}],
])('a token %s ends its session, and no other of its subject', async (name, claims, header) => {
  const [mine, others] = [accessToken({ sid: name }), accessToken({ sid: `not ${name}` })];
  const [held, kept] = [(await getToken(mine)).body, (await getToken(others)).body];
  expect(await postToken(logoutToken({ sid: name, ...claims }, header))).toEqual([200]);
  expect((await getToken(mine)).body.code).toBe('sign-in-again');
  expect([isAlive(held.token), isAlive(kept.token)]).toEqual([false, true]);
});

test('a token as Auth0 sends it ends its session, since its issuer may write the type JWT', async () => {
  const claim = 'https://app.example/sid';
  const [mine, others] = [accessToken({ [claim]: 'mine' }, 'auth0'), accessToken({ [claim]: 'not mine' }, 'auth0')];
  const [held, kept] = [(await getToken(mine, 'auth0')).body, (await getToken(others, 'auth0')).body];
  const sent = { sid: 'mine', exp: now() + 120, trace_id: '81b336a94a4a5707' };
  expect(await postToken(logoutToken(sent, { typ: 'JWT' }, 'auth0'), 'auth0')).toEqual([200]);
  expect((await getToken(mine, 'auth0')).body.code).toBe('sign-in-again');
  expect([isAlive(held.token), isAlive(kept.token)]).toEqual([false, true]);
  // The specification's own types count all the same, and no other.
  expect(await postToken(logoutToken({ sid: 'nobody' }, {}, 'auth0'), 'auth0')).toEqual([200]);
  for (const typ of ['at+jwt', 'jwt', 'secevent+jwt'])
    expect(await postToken(logoutToken(sent, { typ }, 'auth0'), 'auth0')).toEqual([
      400,
      'the logout token does not count: its type is not that of a logout token',
    ]);
});

test.each([
  ['as text', false],
  ['in base64, as an HTTP API does with forms', true],
])('a form that the gateway passes on %s counts', async (sid, isBase64Encoded) => {
  const jwt = accessToken({ sid });
  const held = (await getToken(jwt)).body;
  const text = `logout_token=${logoutToken({ sid })}`;
  const body = isBase64Encoded ? Buffer.from(text).toString('base64') : text;
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
  const routeKey = `POST /i/byhand${LOGOUT}`;
  const sent = httpEvent({ routeKey, authorization: null, flattened: null, headers, body, isBase64Encoded });
  const answer = await broker.invoke('backchannellogout', sent);
  expect(answer.status === 'answered' && JSON.parse(answer.payload)).toMatchObject({ statusCode: 200 });
  expect(isAlive(held.token)).toBe(false);
  expect((await getToken(jwt)).body.code).toBe('sign-in-again');
});

test('without a session it ends all that its subject holds, and a fresh sign-in passes', async () => {
  const sessions = [accessToken({ sid: 'one' }), accessToken({ sid: 'two' }), accessToken()];
  const held = await Promise.all(sessions.map(async (jwt) => (await getToken(jwt)).body.token));
  const iat = now() - 10;
  expect(await postToken(logoutToken({ iat }))).toEqual([200]);
  expect(held.map(isAlive)).toEqual([false, false, false]);
  // `iat` has whole seconds: the second of the logout itself counts as before it.
  expect((await getToken(accessToken({ iat }))).body.code).toBe('sign-in-again');
  const anew = await getToken(accessToken({ iat: iat + 1 }));
  expect(anew.status).toBe(200);

  expect(await postToken(logoutToken({ iat }))).toEqual([200]);
  expect(isAlive(anew.body.token)).toBe(true);
  expect((await getToken(accessToken({ iat: iat + 1 }))).body.leaseId).toBe(anew.body.leaseId);
});

test('with a session that nobody holds here it ends nothing, though its subject holds others', async () => {
  const mine = accessToken({ sid: 'here', iat: now() });
  const held = (await getToken(mine)).body;
  expect(await postToken(logoutToken({ sid: 'elsewhere' }))).toEqual([200]);
  expect((await getToken(mine)).body.leaseId).toBe(held.leaseId);
  expect(isAlive(held.token)).toBe(true);
});

test('only the body counts: a token in the query string is none', async () => {
  const url = `/i/byhand${LOGOUT}?logout_token=${logoutToken({ sid: 'in the query' })}`;
  expect(await post('state=x', url)).toEqual([400, 'logout_token must be there once']);
});

test('where access tokens name no session, a subject and a session end the subject, and a session alone nothing', async () => {
  const jwt = accessToken({ sid: 'unread' }, 'nosession');
  const held = await getToken(jwt, 'nosession');
  expect(await postToken(logoutToken({ sub: undefined, sid: 'unread' }, {}, 'nosession'), 'nosession')).toEqual([
    400,
    'the logout token does not count: it names a session only, and the environment does not say which claim of access ' +
      'tokens names theirs',
  ]);
  expect((await getToken(jwt, 'nosession')).body.leaseId).toBe(held.body.leaseId);
  expect(await postToken(logoutToken({ sid: 'unread' }, {}, 'nosession'), 'nosession')).toEqual([200]);
  expect((await getToken(jwt, 'nosession')).body.code).toBe('sign-in-again');
  expect(isAlive(held.body.token)).toBe(false);
});

test('however many post, nobody who revokes waits for them', async () => {
  const before = broker.functions.get('backchannellogout')?.statistics().throttles ?? 0;
  const flood = Promise.all(Array.from({ length: 40 }, () => post('logout_token=x')));
  const revoked = await call('/revoketoken', await broker.issuer.accessToken('carol'));
  expect(revoked.status).toBe(200);
  expect(new Set((await flood).map(([status]) => status))).toEqual(new Set([400, 503]));
  expect(broker.functions.get('backchannellogout')?.statistics().throttles).toBeGreaterThan(before);
  expect(broker.functions.get('revoketoken')?.statistics().throttles).toBe(0);
});

test('no line has a token in it, or a part of one', () => {
  const long = new Map([...shown].filter(([text]) => text.length >= 28));
  expect(long.size).toBeGreaterThan(30);
  expect(leaksAmong([broker.output.text()], long)).toEqual([]);
});
