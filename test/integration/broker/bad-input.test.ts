import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { witness, type Request, type Witness } from '../../support/broker-witness.ts';

let broker: LocalBroker;
let seen: Witness;

beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
  seen = witness(broker);
});
afterAll(() => broker.close());
afterEach(async () => {
  expect(seen.liveTokens()).toEqual([]);
  expect(await seen.unaccounted()).toEqual([]);
});

async function raw(method: string, path: string, authorization: string | null) {
  const { status, json } = await seen.ask('alice', path, { method, authorization });
  return { status, body: json };
}
const bearer = async (user: string, overrides: Record<string, unknown>) =>
  `Bearer ${await broker.issuer.accessToken(user, overrides)}`;
const SECOND = 1 / 1_000;
const now = () => Math.floor(Date.now() * SECOND);

describe('an access token that the gateway does not take runs no function', () => {
  test.each<[name: string, authorization: () => Promise<string | null>, status: number]>([
    ['none', async () => null, 401],
    ['something else', async () => 'Bearer not-a-jwt', 401],
    ['an expired one', () => bearer('alice', { iat: now() - 7_200, exp: now() - 3_600 }), 401],
    ['one that is not valid yet', () => bearer('alice', { nbf: now() + 3_600 }), 401],
    ['one for somebody else', () => bearer('alice', { aud: 'another-api' }), 401],
    ['one without the scope', () => bearer('alice', { scope: 'openid' }), 403],
  ])('%s', async (_name, authorization, status) => {
    const before = broker.functions.get('gettoken')?.statistics().invocations;
    const answer = await raw('POST', '/gettoken', await authorization());
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ message: status === 401 ? 'Unauthorized' : 'Forbidden' });
    expect(broker.functions.get('gettoken')?.statistics().invocations).toBe(before);
  });
});

test.each([
  ['GET', '/gettoken'],
  ['PUT', '/revoketoken'],
  ['POST', '/sessioninfo'],
  ['POST', '/nowhere'],
])('%s %s is 404 of the gateway', async (method, path) => {
  expect(await raw(method, path, await bearer('alice', {}))).toEqual({ status: 404, body: { message: 'Not Found' } });
});

test('a claim that the policy needs and the token lacks is 403, and the reason is for operators', async () => {
  const authorization = await bearer('alice', { 'https://broker.example/tenant': undefined });
  const answer = await raw('POST', '/gettoken', authorization);
  expect(answer).toMatchObject({ status: 403, body: { code: 'not-entitled' } });
  expect(JSON.stringify(answer.body)).not.toContain('tenant');
  expect(broker.output.text()).toContain('https://broker.example/tenant');
});

describe('a body that is not what the route takes is 400, and the fault is named', () => {
  const gettoken = (body: unknown, field: string): [string, string, unknown, string] => [
    '/gettoken',
    JSON.stringify(body).slice(0, 60),
    body,
    field,
  ];
  const revoketoken = (body: unknown, field: string): [string, string, unknown, string] => [
    '/revoketoken',
    JSON.stringify(body).slice(0, 60),
    body,
    field,
  ];
  test.each([
    gettoken('not json', 'body'),
    gettoken('[]', 'body'),
    gettoken('null', 'body'),
    gettoken('"text"', 'body'),
    gettoken({ grant: 7 }, 'grant'),
    gettoken({ grant: 'no such name!' }, 'grant'),
    gettoken({ objectId: 'not-a-guid' }, 'objectId'),
    gettoken({ objectId: ['a'] }, 'objectId'),
    gettoken({ validitySeconds: '300' }, 'validitySeconds'),
    gettoken({ validitySeconds: 1.5 }, 'validitySeconds'),
    gettoken({ validitySeconds: 0 }, 'validitySeconds'),
    gettoken({ validitySeconds: -1 }, 'validitySeconds'),
    gettoken({ validitySeconds: 4_000_000_000 }, 'validitySeconds'),
    gettoken({ fresh: 'yes' }, 'fresh'),
    gettoken({ fresh: null }, 'fresh'),
    gettoken({ userName: 'bob' }, 'userName'),
    gettoken({ orgId: 2 }, 'orgId'),
    gettoken('{"fresh":true,"fresh":0}', 'fresh'),
    gettoken('{"__proto__":{"fresh":true}}', '__proto__'),
    gettoken(JSON.stringify({ grant: 'x'.repeat(16_400) }), 'body'),
    revoketoken({ leaseId: 5 }, 'leaseId'),
    revoketoken({ token: '' }, 'token'),
    revoketoken({ sessionId: 'x' }, 'sessionId'),
    revoketoken({ leaseId: 'AAAA', token: 'x' }, 'leaseId,token'),
  ])('%s %s', async (path, _shown, body, field) => {
    const answer = await seen.ask('alice', path, { body });
    expect({ status: answer.status, code: answer.code }).toEqual({ status: 400, code: 'invalid-request' });
    const errors = answer.json['errors'] as { field: string; detail: string }[];
    expect(errors.map((error) => error.field).join()).toBe(field);
    expect(errors.every(({ detail }) => detail.length > 5)).toBe(true);
  });

  test('of a field that is given twice the last value counts', async () => {
    const answer = await seen.ask('alice', '/revoketoken', { body: '{"leaseId":5,"leaseId":"AAAA"}' });
    expect({ status: answer.status, code: answer.code }).toEqual({ status: 404, code: 'lease-not-found' });
  });

  test('all faults are named at once, and values are not repeated', async () => {
    const answer = await seen.ask('alice', '/gettoken', {
      body: { validitySeconds: 'canary-value', fresh: 'canary-value', nonsense: 'canary-value' },
    });
    const errors = answer.json['errors'] as { field: string }[];
    expect(errors.map(({ field }) => field).sort()).toEqual(['fresh', 'nonsense', 'validitySeconds']);
    expect(answer.text + broker.output.text()).not.toContain('canary-value');
  });
});

test.each<[string, Request]>([
  ['a form', { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
  ['plain text', { body: '{}', headers: { 'content-type': 'text/plain' } }],
  ['JSON of another kind', { body: '{}', headers: { 'content-type': 'application/merge-patch+json' } }],
])('%s is 415', async (_name, request) => {
  const answer = await seen.ask('alice', '/gettoken', request);
  expect({ status: answer.status, code: answer.code }).toEqual({ status: 415, code: 'unsupported-media-type' });
});

test.each([
  ['unknown', 'erin'],
  ['inactive', 'dave'],
])('a user who is %s at ThoughtSpot is 403 user-not-provisioned', async (_name, user) => {
  const answer = await seen.ask(user);
  expect({ status: answer.status, code: answer.code }).toEqual({ status: 403, code: 'user-not-provisioned' });
  expect(await seen.statesOf(user)).toEqual(['failed']);
});

test('a secret that does not exist is 500 misconfigured, with its name in the log only', async () => {
  const other = await startLocalBroker({
    sweepEveryMs: null,
    variables: { THOUGHTSPOT_SECRET_ID: 'thoughtspot-broker/no-such-secret' },
  });
  try {
    const watching = witness(other);
    const answer = await watching.ask('alice');
    expect({ status: answer.status, code: answer.code }).toEqual({ status: 500, code: 'misconfigured' });
    expect(answer.text).not.toMatch(/secret/i);
    expect(other.output.text()).toContain('does not exist');
    expect([watching.liveTokens(), await watching.statesOf('alice')]).toEqual([[], ['failed']]);
    expect(await watching.leaks()).toEqual([]);
  } finally {
    await other.close();
  }
});

test('nothing that was printed or refused holds a secret, a token or a JWT, in any form', async () => {
  expect(await seen.leaks()).toEqual([]);
});
