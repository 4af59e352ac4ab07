import type { Simulator } from '../../../local/thoughtspot/simulator.ts';
import { call, start, type Reply, type Sent } from './cluster-client.ts';

const NOW = 1_800_000_000_000;
const CREDENTIALS = { userName: 'svc-broker', password: 'simulated-Pa55word-of-svc-broker' };

let simulator: Simulator;
beforeAll(async () => {
  simulator = await start({ clock: () => NOW });
});
beforeEach(() => simulator.reset());
afterAll(() => simulator.close());

const send = (method: string, name: string, sent: Sent = {}): Promise<Reply> =>
  call(simulator.url, `${method} /api/rest/v2/session${name}`, sent);

async function login(): Promise<string> {
  const { json } = await send('POST', '/login', { body: CREDENTIALS });
  return (json as { token: string }).token;
}

const STRINGS = {
  userName: 'svc-broker',
  token: expect.stringMatching(/./) as unknown,
  tokenCreatedTime: String(NOW),
  tokenType: 'BEARER',
};

test('login answers strings and a cookie', async () => {
  const reply = await send('POST', '/login', { body: CREDENTIALS });
  expect(reply.json).toEqual({ ...STRINGS, tokenExpiryDuration: '10800' });
  expect(reply.headers.getSetCookie()[0]).toMatch(/^JSESSIONID=/);
});

test('login answers a blank token beside the cookie where the switch says so', async () => {
  simulator.set({ loginAnswers: 'cookie' });
  const reply = await send('POST', '/login', { body: CREDENTIALS });
  expect(reply.json).toMatchObject({ token: '', tokenType: 'COOKIE' });
  expect(simulator.tokens()).toEqual([]);
});

test('gettoken answers strings, for seconds given as a number, and its token lives apart from the bearer', async () => {
  const bearer = await login();
  const reply = await send('POST', '/gettoken', { bearer, body: { ...CREDENTIALS, tokenExpiryDuration: 60 } });
  expect(reply.json).toEqual({ ...STRINGS, tokenExpiryDuration: '60' });
  const { token } = reply.json as { token: string };
  expect(simulator.state().tokens.map(({ expiresAt }) => expiresAt - NOW)).toEqual([10_800_000, 60_000]);

  const revoked = await send('POST', '/revoketoken', { bearer: token });
  expect([revoked.status, revoked.text]).toEqual([200, 'true']);
  expect(simulator.tokens()).toEqual([bearer]);
});

test('the session tells who the bearer is, with nothing null', async () => {
  const { json } = await send('GET', '', { bearer: await login() });
  expect(json).toMatchObject({ userName: 'svc-broker', userGUID: expect.any(String) as unknown, state: 'ACTIVE' });
  expect(JSON.stringify(json)).not.toContain('null');
});

test('logout goes by cookie and answers true', async () => {
  const cookie = (await send('POST', '/login', { body: CREDENTIALS })).headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const reply = await send('POST', '/logout', { cookie });
  expect([reply.status, reply.text]).toEqual([200, 'true']);
  expect((await send('GET', '', { cookie })).status).toBe(500);
});

type Sending = [what: string, method: string, name: string, sent: Sent, withBearer: boolean];

test.each<Sending>([
  ['gettoken without bearer', 'POST', '/gettoken', { body: CREDENTIALS }, false],
  [
    'gettoken with an empty bearer, as the SDK sends it',
    'POST',
    '/gettoken',
    { body: CREDENTIALS, headers: { authorization: 'Bearer' } },
    false,
  ],
  ['gettoken with a wrong password', 'POST', '/gettoken', { body: { ...CREDENTIALS, password: 'nope' } }, true],
  ['gettoken without userName', 'POST', '/gettoken', { body: { password: 'nope' } }, true],
  [
    'gettoken with seconds in a string',
    'POST',
    '/gettoken',
    { body: { ...CREDENTIALS, tokenExpiryDuration: '60' } },
    true,
  ],
  [
    'gettoken with the secret key, which came later',
    'POST',
    '/gettoken',
    { body: { userName: 'alice', secretKey: 'k' } },
    true,
  ],
  ['login with a wrong password', 'POST', '/login', { body: { ...CREDENTIALS, password: 'nope' } }, false],
  [
    'login with a rememberMe that is no boolean',
    'POST',
    '/login',
    { body: { ...CREDENTIALS, rememberMe: 'yes' } },
    false,
  ],
  ['login without a body', 'POST', '/login', {}, false],
  ['the session without bearer', 'GET', '', {}, false],
  ['revoketoken with a dead bearer', 'POST', '/revoketoken', { bearer: 'dead' }, false],
  ['logout without cookie', 'POST', '/logout', {}, false],
])('%s is a 500, the only error of this dialect', async (_what, method, name, sent, withBearer) => {
  const bearer = withBearer ? { bearer: await login() } : {};
  const before = simulator.tokens();
  const reply = await send(method, name, { ...sent, ...bearer });
  expect(reply.status).toBe(500);
  expect(reply.json).toMatchObject({ error: { errors: { message: 'Operation failed or unauthorized request' } } });
  expect(simulator.tokens()).toEqual(before);
});
