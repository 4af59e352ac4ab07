import { generateKeyPairSync } from 'node:crypto';
import { decodeProtectedHeader, SignJWT } from 'jose';
import { startGatewayBench, type GatewayBench } from '../../support/local-gateway.ts';

/** A moment in whole seconds, so that "exp is now" can be said exactly. */
const NOW = Math.floor(Date.now() / 1000) + 60;

let bench: GatewayBench;
beforeAll(async () => {
  bench = await startGatewayBench({ now: () => NOW * 1000 });
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.events.length = 0;
});

function ask(authorization: string | undefined, path = '/gettoken', method = 'POST'): Promise<Response> {
  return fetch(`${bench.url}${path}`, { method, headers: authorization === undefined ? {} : { authorization } });
}

const alice = (overrides: Record<string, unknown> = {}) => bench.issuer.accessToken('alice', overrides);

describe('a token that is good', () => {
  it.each([
    ['Bearer', (jwt: string) => `Bearer ${jwt}`],
    ['bearer in lower case', (jwt: string) => `bearer ${jwt}`],
    ['no scheme', (jwt: string) => jwt],
  ])('passes with %s', async (_name, header) => {
    expect((await ask(header(await alice()))).status).toBe(200);
    expect(bench.events).toHaveLength(1);
  });

  it.each([
    ['an audience list that holds ours', { aud: ['other', 'thoughtspot-token-broker'] }],
    ['client_id where there is no aud', { aud: undefined, client_id: 'thoughtspot-token-broker' }],
    ['exp one second ahead', { exp: NOW + 1 }],
    ['nbf and iat at this second', { nbf: NOW, iat: NOW }],
    ['further scopes', { scope: 'openid broker:token profile' }],
  ])('passes with %s', async (_name, overrides) => {
    expect((await ask(`Bearer ${await alice(overrides)}`)).status).toBe(200);
  });

  it('hands typed scopes and flattened claims to the function', async () => {
    const groups = ['viewer] [admin', 'viewer admin'];
    const extra = { level: 3, active: true, nested: { b: 1, a: [2, 'x'] }, nothing: null, groups };
    await ask(`Bearer ${await alice({ ...extra, iat: NOW - 5 })}`);
    const { claims, scopes } = bench.events[0]?.requestContext.authorizer.jwt ?? { claims: {}, scopes: null };
    expect(scopes).toEqual(['broker:token']);
    expect(claims).toMatchObject({
      sub: 'user-alice',
      iat: String(NOW - 5),
      level: '3',
      active: 'true',
      groups: '[viewer] [admin viewer admin]',
      nested: 'map[a:[2 x] b:1]',
      nothing: '<nil>',
    });
    expect(Object.values(claims).every((value) => typeof value === 'string')).toBe(true);
  });

  it('has null for scopes if the token has no scope claim', async () => {
    const jwt = await alice({ scope: undefined });
    expect((await ask(`Bearer ${jwt}`, '/open', 'GET')).status).toBe(200);
    expect(bench.events[0]?.requestContext.authorizer.jwt.scopes).toBeNull();
  });
});

describe('a token that is not good is 401 and the function does not run', () => {
  const refused = async (authorization: string | undefined) => {
    const response = await ask(authorization);
    expect(response.status).toBe(401);
    expect(await response.text()).toBe('{"message":"Unauthorized"}');
    expect(bench.events).toEqual([]);
    return response;
  };

  it.each([
    ['missing', undefined],
    ['empty', 'Bearer '],
    ['no JWT', 'Bearer abc'],
    ['basic credentials', 'Basic dXNlcjpwYXNz'],
  ])('%s', async (_name, authorization) => {
    expect((await refused(authorization)).headers.get('www-authenticate')).toBe('Bearer');
  });

  it.each([
    ['expired a second ago', { exp: NOW - 1 }],
    ['expiring this very second', { exp: NOW }],
    ['without exp', { exp: undefined }],
    ['not valid yet', { nbf: NOW + 1 }],
    ['issued in the future', { iat: NOW + 1 }],
    ['of another issuer', { iss: 'http://127.0.0.1:1' }],
    ['without audience and client_id', { aud: undefined }],
    ['whose client_id is ours but whose aud is not', { aud: 'other', client_id: 'thoughtspot-token-broker' }],
  ])('%s', async (_name, overrides) => {
    await refused(`Bearer ${await alice(overrides)}`);
  });

  it('an audience mismatch says so in the challenge', async () => {
    const response = await refused(`Bearer ${await alice({ aud: 'another-api' })}`);
    expect(response.headers.get('www-authenticate')).toContain(
      'error_description="the token does not have a valid audience"',
    );
  });

  it('signed by another key of the same id, unsigned, by HMAC, or with a changed payload', async () => {
    const good = await alice();
    const { kid = '' } = decodeProtectedHeader(good);
    const [header = '', payload = '', signature = ''] = good.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const forged = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
    const hmac = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid }).sign(Buffer.alloc(32, 1));
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'user-bob' })).toString('base64url');
    for (const jwt of [forged, hmac, none, `${header}.${changed}.${signature}`]) await refused(`Bearer ${jwt}`);
  });

  it('sent twice', async () => {
    const jwt = await alice();
    await refused(`Bearer ${jwt},Bearer ${jwt}`);
  });
});

it.each([
  ['lacks the scope of the route', { scope: 'openid' }],
  ['has no scope at all', { scope: undefined }],
  ['has a scope that only begins like it', { scope: 'broker:token2' }],
])('a good token that %s is 403 and the function does not run', async (_name, overrides) => {
  const response = await ask(`Bearer ${await alice(overrides)}`);
  expect(response.status).toBe(403);
  expect(await response.text()).toBe('{"message":"Forbidden"}');
  expect(bench.events).toEqual([]);
});
