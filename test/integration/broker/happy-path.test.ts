import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { leaksIn } from '../../support/canaries.ts';
import { faultsOf } from '../../support/openapi.ts';

let broker: LocalBroker;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null, logLevel: 'DEBUG' });
});
afterAll(() => broker.close());

/** A request as `user`; the answer is held against docs/openapi.yaml besides. */
async function call(
  user: string,
  method: 'GET' | 'POST',
  path: string,
  { body, headers = {} }: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
) {
  const jwt = await broker.issuer.accessToken(user);
  jwts.add(jwt);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(broker.url + path, {
    method,
    headers: {
      authorization: `Bearer ${jwt}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: text }),
  });
  const answer = await response.text();
  const contentType = response.headers.get('content-type') ?? '';
  const documented = { status: response.status, contentType, body: answer, headers: response.headers };
  expect(faultsOf(path.split('?')[0] ?? path, method, documented)).toEqual([]);
  const json = contentType.includes('json') ? (JSON.parse(answer) as Record<string, unknown>) : {};
  if (typeof json['token'] === 'string') handedOut.add(json['token']);
  return { status: response.status, text: answer, json, headers: response.headers };
}
const jwts = new Set<string>();
/** Every token that was handed out, revoked ones too. */
const handedOut = new Set<string>();
const liveTokens = () => broker.simulator?.tokens() ?? [];
const mintsOf = (user: string) =>
  broker.simulator?.requests().filter((mint) => JSON.stringify(mint).includes(user)).length;

describe('a caller', () => {
  test('gets a token that ThoughtSpot accepts, and the same one again', async () => {
    const first = await call('alice', 'POST', '/gettoken');
    expect(first.json).toMatchObject({ userName: 'alice', orgId: 1, tokenExpiryDuration: '300' });
    expect(liveTokens()).toContain(first.json['token']);
    const second = await call('alice', 'POST', '/gettoken', { body: {} });
    expect(second.json['token']).toBe(first.json['token']);
    expect(mintsOf('alice')).toBe(1);
  });

  test('gets it bare on request', async () => {
    const { text, headers } = await call('alice', 'POST', '/gettoken', { headers: { accept: 'text/plain' } });
    expect(liveTokens()).toContain(text);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('sees what ThoughtSpot says of the session, without the token', async () => {
    const { status, json, text } = await call('alice', 'GET', '/sessioninfo');
    expect({ status, userName: json['userName'] }).toEqual({ status: 200, userName: 'alice' });
    expect(leaksIn(text, Object.fromEntries(liveTokens().map((token) => [token, token])))).toEqual([]);
  });

  test('takes the token back, and ThoughtSpot knows it no more', async () => {
    const { json } = await call('bob', 'POST', '/gettoken');
    expect(liveTokens()).toContain(json['token']);
    const revoked = await call('bob', 'POST', '/revoketoken', { body: { leaseId: json['leaseId'] } });
    expect(revoked).toMatchObject({ status: 200, json: { revoked: 1, pending: 0 } });
    expect(liveTokens()).not.toContain(json['token']);
    expect(await call('bob', 'POST', '/revoketoken', { body: { leaseId: json['leaseId'] } })).toMatchObject({
      status: 200,
    });
  });

  test('takes all of its tokens back without saying which', async () => {
    await call('carol', 'POST', '/gettoken');
    expect(await call('carol', 'POST', '/revoketoken')).toMatchObject({
      status: 200,
      json: { revoked: 1, pending: 0 },
    });
    expect((await call('carol', 'GET', '/sessioninfo')).json).toMatchObject({ code: 'lease-not-found' });
  });

  test("cannot tell somebody else's lease from one that does not exist", async () => {
    const { json } = await call('alice', 'POST', '/gettoken');
    const others = await call('bob', 'POST', '/revoketoken', { body: { leaseId: json['leaseId'] } });
    const nobodys = await call('bob', 'POST', '/revoketoken', { body: { leaseId: 'AAAA' } });
    const without = ({ json: { correlationId: _id, ...rest } }: typeof others) => rest;
    expect(without(others)).toEqual(without(nobodys));
    expect(others.status).toBe(404);
  });
});

describe('an answer that holds no token', () => {
  test.each([
    ['mallory', '/gettoken', undefined, 403, 'not-entitled'],
    ['dave', '/gettoken', undefined, 403, 'user-not-provisioned'],
    ['erin', '/gettoken', undefined, 403, 'user-not-provisioned'],
    ['alice', '/gettoken', { userName: 'bob' }, 400, 'invalid-request'],
    ['alice', '/gettoken', 'not json', 400, 'invalid-request'],
    ['alice', '/revoketoken', { all: true }, 403, 'insufficient-scope'],
    ['alice', '/revoketoken', { userName: 'bob' }, 403, 'insufficient-scope'],
  ])('for %s at %s with %j is %d %s', async (user, path, body, status, code) => {
    const before = liveTokens().length;
    const answer = await call(user, 'POST', path, body === undefined ? {} : { body });
    expect({ status: answer.status, code: answer.json['code'] }).toEqual({ status, code });
    expect(liveTokens()).toHaveLength(before);
  });

  test('is 415 for a form', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await call('alice', 'POST', '/gettoken', { body: 'a=b', headers })).toMatchObject({ status: 415 });
  });
});

describe('operators', () => {
  test('list leases with their scope, and revoke for others', async () => {
    const { json } = await call('alice', 'POST', '/gettoken');
    const listed = await call('ops', 'GET', '/leases?user=alice');
    expect(listed.json['leases']).toContainEqual(expect.objectContaining({ leaseId: json['leaseId'], state: 'live' }));
    expect(await call('ops', 'POST', '/revoketoken', { body: { userName: 'alice' } })).toMatchObject({ status: 200 });
    expect(liveTokens()).not.toContain(json['token']);
  });

  test('and schedules revoke by events; a second delivery changes nothing', async () => {
    const before = await call('alice', 'POST', '/gettoken');
    const event = {
      source: 'schedule',
      name: 'nightly',
      scheduledTime: new Date(Date.now() + 1_000).toISOString(),
      select: { userName: 'alice' },
    };
    await broker.invoke('revoketoken', event);
    expect(liveTokens()).not.toContain(before.json['token']);
    const after = await call('alice', 'POST', '/gettoken');
    const old = { ...event, scheduledTime: new Date(Date.now() - 60_000).toISOString() };
    await broker.invoke('revoketoken', old);
    expect(liveTokens()).toContain(after.json['token']);
  });

  test('find the sweep at work', async () => {
    expect(JSON.stringify(await broker.sweep())).toContain('oldestDueAgeMs');
  });
});

test('nothing that a function printed holds a secret, a token or a JWT, in any form', () => {
  const printed = broker.output.text();
  expect(printed).toContain('"audit":true');
  expect([handedOut.size, jwts.size].every((size) => size > 3)).toBe(true);
  const named = (kind: string, secrets: Iterable<string>) =>
    Object.fromEntries([...secrets].map((secret, at) => [`${kind} ${at}`, secret]));
  const secrets = {
    ...named('token', [...handedOut, ...liveTokens()]),
    ...named('JWT', jwts),
    ...named(
      'signature',
      [...jwts].map((jwt) => jwt.split('.')[2] ?? jwt),
    ),
    'secret key': broker.simulator?.secretKey() ?? '',
  };
  expect(leaksIn(printed, secrets)).toEqual([]);
  expect(leaksIn(`x${Buffer.from(`:${secrets['secret key']};`).toString('base64')}`, secrets)).toEqual(['secret key']);
});
