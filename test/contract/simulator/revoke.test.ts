import type { Simulator } from '../../../local/thoughtspot/simulator.ts';
import type { Switches } from '../../../local/thoughtspot/switches.ts';
import { call, start, tokenFor, type Sent } from './cluster-client.ts';

const REVOKE = 'POST /api/rest/2.0/auth/token/revoke';
const ALICE_ID = 'a11ce000-6a55-4c1f-8a8e-1d5a2b7c0001';

let simulator: Simulator;
let now = 1_800_000_000_000;

beforeAll(async () => {
  simulator = await start({ clock: () => now });
});
beforeEach(() => simulator.reset());
afterAll(() => simulator.close());

const isAlive = async (token: string): Promise<boolean> =>
  (await call(simulator.url, 'GET /callosum/v1/session/isactive', { bearer: token })).status === 204;

/** Words in a row of the table stand for the tokens of that row's test. */
type Word = 'own' | 'second' | 'bobs' | 'dead' | 'garbage' | '';
type Row = [
  what: string,
  bearer: Word,
  body: { user_identifier?: string; token?: Word } | undefined,
  status: number,
  revoked: Word[],
];

async function check([, bearer, body, status, revoked]: Row, switches: Partial<Switches>): Promise<void> {
  simulator.set(switches);
  const tokens: Record<Word, string> = {
    own: await tokenFor(simulator, 'alice'),
    second: await tokenFor(simulator, 'alice'),
    bobs: await tokenFor(simulator, 'bob'),
    dead: await tokenFor(simulator, 'alice'),
    garbage: 'garbage',
    '': '',
  };
  await call(simulator.url, REVOKE, { bearer: tokens.dead, body: { user_identifier: 'alice', token: tokens.dead } });
  const sent = body?.token === undefined ? body : { ...body, token: tokens[body.token] };
  const reply = await call(simulator.url, REVOKE, { bearer: tokens[bearer], body: sent });
  expect(reply.status).toBe(status);
  for (const word of ['own', 'second', 'bobs'] as const) {
    expect([word, await isAlive(tokens[word])]).toEqual([word, !revoked.includes(word)]);
  }
}

const SAME_EITHER_WAY: Row[] = [
  ['the token itself as bearer, with its user', 'own', { user_identifier: 'alice', token: 'own' }, 204, ['own']],
  ['the same with the user’s GUID', 'own', { user_identifier: ALICE_ID, token: 'own' }, 204, ['own']],
  ['another token of the user', 'own', { user_identifier: 'alice', token: 'second' }, 204, ['second']],
  ['the user alone', 'own', { user_identifier: 'alice' }, 204, ['own']],
  ['a token that is not the user’s', 'own', { user_identifier: 'alice', token: 'bobs' }, 400, []],
  ['an unknown user', 'own', { user_identifier: 'nobody', token: 'own' }, 400, []],
  ['another user, by no administrator', 'own', { user_identifier: 'bob', token: 'bobs' }, 403, []],
  ['another user alone, by no administrator', 'own', { user_identifier: 'bob' }, 403, []],
  ['another user, by an administrator of the Org', 'bobs', { user_identifier: 'alice', token: 'own' }, 204, ['own']],
  ['a dead bearer', 'dead', { user_identifier: 'alice', token: 'dead' }, 401, []],
  ['a bearer that never was', 'garbage', { user_identifier: 'alice', token: 'own' }, 401, []],
];

describe('strict revoke', () => {
  test.each<Row>([
    ...SAME_EITHER_WAY,
    ['no body', 'own', undefined, 415, []],
    ['an empty body', 'own', {}, 400, []],
    ['a token without a user', 'own', { token: 'own' }, 400, []],
    ['an empty user and a token', 'own', { user_identifier: '', token: 'own' }, 400, []],
    ['a user and an empty token', 'own', { user_identifier: 'alice', token: '' }, 400, []],
    ['a dead token by a live one', 'own', { user_identifier: 'alice', token: 'dead' }, 400, []],
  ])('%s', (...row) => check(row, { strictRevoke: true }));
});

describe('lenient revoke', () => {
  test.each<Row>([
    ...SAME_EITHER_WAY,
    ['no body', 'own', undefined, 204, ['own']],
    ['an empty body', 'own', {}, 204, ['own']],
    ['a token without a user', 'own', { token: 'second' }, 204, ['second']],
    ['another user’s token without a user', 'own', { token: 'bobs' }, 403, []],
    ['a dead token by a live one', 'own', { user_identifier: 'alice', token: 'dead' }, 204, []],
  ])('%s', (...row) => check(row, { strictRevoke: false }));
});

test('the user alone revokes all of the user’s tokens if the switch says so', () =>
  check(['', 'own', { user_identifier: 'alice' }, 204, ['own', 'second']], { revokeByUser: 'all' }));

test('without a bearer it is 401, whatever the body says: the secret key is none', async () => {
  const body = { user_identifier: 'alice', secret_key: simulator.secretKey() };
  expect((await call(simulator.url, REVOKE, { body })).status).toBe(401);
});

test('it answers 200 as before 9.5 if asked to, with an empty body either way', async () => {
  for (const revokeStatus of [204, 200] as const) {
    simulator.set({ revokeStatus });
    const token = await tokenFor(simulator, 'alice');
    const reply = await call(simulator.url, REVOKE, { bearer: token, body: { user_identifier: 'alice', token } });
    expect([reply.status, reply.text]).toEqual([revokeStatus, '']);
  }
});

test('a revoked token goes on working as long as the switch says', async () => {
  simulator.set({ revokeDelayMs: 1000 });
  const token = await tokenFor(simulator, 'alice');
  await call(simulator.url, REVOKE, { bearer: token, body: { user_identifier: 'alice', token } });
  expect(await isAlive(token)).toBe(true);
  now += 1000;
  expect(await isAlive(token)).toBe(false);
});

test.each([-60_000, 60_000])(
  'a revoked token stays dead when the clock of the cluster is set by %i ms',
  async (clockOffsetMs) => {
    const token = await tokenFor(simulator, 'alice');
    await call(simulator.url, REVOKE, { bearer: token, body: { user_identifier: 'alice', token } });
    simulator.set({ clockOffsetMs });
    expect(await isAlive(token)).toBe(false);
  },
);

test.each([
  [false, 204],
  [true, 401],
])(
  'with childrenEndWithParent %s, what was made of a revoked token answers %i: a token, a cookie session, and the tokens of both',
  async (childrenEndWithParent, status) => {
    simulator.set({ childrenEndWithParent });
    const parent = await tokenFor(simulator, 'alice', 1, { validity_time_in_sec: 60 });
    const tokenOf = async (sent: Sent): Promise<string> =>
      ((await call(simulator.url, 'GET /api/rest/2.0/auth/session/token', sent)).json as { token: string }).token;
    const child = await tokenOf({ bearer: parent });
    const login = await call(simulator.url, 'POST /api/rest/2.0/auth/session/login', { bearer: parent });
    const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const [grandchild, ofSession] = [await tokenOf({ bearer: child }), await tokenOf({ cookie })];
    const other = await tokenFor(simulator, 'alice');
    await call(simulator.url, REVOKE, { bearer: parent, body: { user_identifier: 'alice', token: parent } });
    const answers = await Promise.all(
      [{ bearer: child }, { cookie }, { bearer: grandchild }, { bearer: ofSession }, { bearer: other }].map((sent) =>
        call(simulator.url, 'GET /callosum/v1/session/isactive', sent),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual([status, status, status, status, 204]);
  },
);

test('a token for one Liveboard makes a token for everything, as no document says that it does not', async () => {
  const body = {
    username: 'alice',
    org_id: 1,
    object_id: '11111111-aaaa-4bbb-8ccc-000000000001',
    secret_key: simulator.secretKey(),
  };
  const { json } = await call(simulator.url, 'POST /api/rest/2.0/auth/token/object', { body });
  await call(simulator.url, 'GET /api/rest/2.0/auth/session/token', { bearer: (json as { token: string }).token });
  expect(simulator.state().tokens).toMatchObject([
    { kind: 'object', objectId: body.object_id },
    { kind: 'session', objectId: null },
  ]);
});

test('a token of 24 hours is made of one of 60 s, and outlives it', async () => {
  const bearer = await tokenFor(simulator, 'alice', 1, { validity_time_in_sec: 60 });
  const { json } = await call(simulator.url, 'GET /api/rest/2.0/auth/session/token', { bearer });
  const { token } = json as { token: string };
  simulator.set({ clockOffsetMs: 86_399_999 });
  expect([await isAlive(bearer), await isAlive(token)]).toEqual([false, true]);
  simulator.set({ clockOffsetMs: 86_400_000 });
  expect(await isAlive(token)).toBe(false);
});

test('a token dies at its expiry by the cluster’s clock, and use does not extend it', async () => {
  const token = await tokenFor(simulator, 'alice', 1, { validity_time_in_sec: 60 });
  simulator.set({ clockOffsetMs: 59_999 });
  expect(await isAlive(token)).toBe(true);
  simulator.set({ clockOffsetMs: 60_000 });
  expect(await isAlive(token)).toBe(false);
});

test('a deactivated user’s tokens are refused in ThoughtSpot’s own error shape, and live again with their user', async () => {
  const [token, bobs] = [await tokenFor(simulator, 'alice'), await tokenFor(simulator, 'bob')];
  simulator.setUserStatus('alice', 'INACTIVE');
  expect(await isAlive(token)).toBe(false);
  expect(simulator.state().tokens).toMatchObject([{ user: 'bob' }]);
  const body = { user_identifier: 'alice', token };
  for (const [endpoint, sent] of [
    ['GET /api/rest/2.0/auth/session/user', {}],
    [REVOKE, { body }],
  ] as const) {
    const { status, json } = await call(simulator.url, endpoint, { bearer: token, ...sent });
    expect([status, json]).toMatchObject([401, { error: { message: { code: 10097 } } }]);
  }
  expect((await call(simulator.url, REVOKE, { bearer: bobs, body })).status).toBe(400);
  simulator.setUserStatus('alice', 'ACTIVE');
  expect(await isAlive(token)).toBe(true);
});

describe('an answer of revoke after which the token lives on:', () => {
  const V2 = 'POST /api/rest/v2/session/revoketoken';
  const debug = (text: string) => ({ error: { message: { debug: text } } });
  const beta = { error: { errors: { message: 'Operation failed or unauthorized request' } } };

  test.each<[Switches['revokeAnswer'], number, unknown, number, unknown]>([
    ['400-not-revoked', 400, debug('The token could not be revoked.'), 500, beta],
    ['400-csrf', 400, debug('Invalid CSRF token'), 500, beta],
    ['401-empty', 401, undefined, 401, undefined],
    ['401-not-accepted', 401, { error: { message: { code: 10097 } } }, 500, beta],
    ['200-error', 200, { error: 'The token could not be revoked.' }, 200, { error: 'The token could not be revoked.' }],
    ['200-false', 200, false, 200, false],
  ])('%s', async (revokeAnswer, status, json, v2Status, v2Json) => {
    simulator.set({ revokeAnswer });
    const token = await tokenFor(simulator, 'alice');
    const reply = await call(simulator.url, REVOKE, { bearer: token, body: { user_identifier: 'alice', token } });
    const v2 = await call(simulator.url, V2, { bearer: token });
    expect([reply.status, v2.status]).toEqual([status, v2Status]);
    expect({ auth: reply.json, v2: v2.json }).toMatchObject({ auth: json, v2: v2Json });
    expect(await isAlive(token)).toBe(true);
    expect(simulator.state().revokes).toBe(0);
  });

  test('as often as asked for, and on no other endpoint', async () => {
    simulator.set({ revokeAnswer: '401-empty', faultCount: 1 });
    const token = await tokenFor(simulator, 'alice');
    const body = { user_identifier: 'alice', token };
    expect((await call(simulator.url, REVOKE, { bearer: token, body })).status).toBe(401);
    expect((await call(simulator.url, REVOKE, { bearer: token, body })).status).toBe(204);
    expect(await isAlive(token)).toBe(false);
  });
});
