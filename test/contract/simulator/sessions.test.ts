import type { Simulator } from '../../../local/thoughtspot/simulator.ts';
import { call, debugOf, start, tokenFor, type Reply } from './cluster-client.ts';

const NOW = 1_800_000_000_000;
const ORIGIN = 'http://app.example';
const SVC = { name: 'svc-broker', password: 'simulated-Pa55word-of-svc-broker' };
const AUTH = '/api/rest/2.0/auth';
const V1 = '/callosum/v1/session';
const requestedBy = { 'x-requested-by': 'ThoughtSpot' };

let simulator: Simulator;
beforeAll(async () => {
  simulator = await start({ clock: () => NOW, allowedOrigins: [ORIGIN] });
});
beforeEach(() => simulator.reset());
afterAll(() => simulator.close());

const send = (endpoint: string, sent: Parameters<typeof call>[2] = {}): Promise<Reply> =>
  call(simulator.url, endpoint, sent);
const cookieOf = (reply: Reply): string => reply.headers.getSetCookie()[0]?.split(';')[0] ?? '';
const form = (fields: Record<string, string>): URLSearchParams => new URLSearchParams(fields);
const statusOf = async (endpoint: string, sent: Parameters<typeof call>[2] = {}) => (await send(endpoint, sent)).status;

describe('REST API v2.0 sessions', () => {
  test('validate tells when a token was made, for what and for whom', async () => {
    const token = await tokenFor(simulator, 'alice');
    expect((await send(`POST ${AUTH}/token/validate`, { bearer: token, body: { token } })).json).toEqual({
      creation_time_in_millis: NOW,
      expiration_time_in_millis: NOW + 300_000,
      scope: { access_type: 'FULL', org_id: 1, metadata_id: null },
      valid_for_user_id: 'a11ce000-6a55-4c1f-8a8e-1d5a2b7c0001',
      token_type: 'bearer',
    });
  });

  test('validate answers 400 for an expired and for a malformed token, told apart by text only', async () => {
    const short = await tokenFor(simulator, 'alice', 1, { validity_time_in_sec: 1 });
    const bearer = await tokenFor(simulator, 'alice');
    simulator.set({ clockOffsetMs: 1000 });
    const replies = await Promise.all(
      [short, 'nonsense', ''].map((token) => send(`POST ${AUTH}/token/validate`, { bearer, body: { token } })),
    );
    expect(replies.map((reply) => reply.status)).toEqual([400, 400, 400]);
    expect(replies.map((reply) => debugOf(reply.json))).toEqual([
      'The token has expired.',
      'The token is malformed or invalid.',
      'The required field token is missing or empty.',
    ]);
  });

  test('session/user tells who the bearer is, in which Org, with which rights', async () => {
    const bearer = await tokenFor(simulator, 'bob');
    expect((await send(`GET ${AUTH}/session/user`, { bearer })).json).toMatchObject({
      name: 'bob',
      account_status: 'ACTIVE',
      current_org: { id: 1, name: 'acme' },
      orgs: [{ id: 1, name: 'acme' }],
      privileges: ['ADMINISTRATION', 'DATADOWNLOADING'],
      user_groups: [{ name: 'acme-admins' }],
    });
  });

  test('session/token makes another token, good for a day', async () => {
    const bearer = await tokenFor(simulator, 'alice');
    const { json } = await send(`GET ${AUTH}/session/token`, { bearer });
    expect(json).toMatchObject({ valid_for_username: 'alice', expiration_time_in_millis: NOW + 86_400_000 });
    expect(simulator.tokens()).toEqual([bearer, (json as { token: string }).token]);
  });

  test('login makes a cookie session, logout ends it', async () => {
    const body = { username: SVC.name, password: SVC.password, org_identifier: 'globex' };
    const login = await send(`POST ${AUTH}/session/login`, { body });
    expect([login.status, login.text]).toEqual([204, '']);
    const cookie = cookieOf(login);
    expect((await send(`GET ${AUTH}/session/user`, { cookie })).json).toMatchObject({ current_org: { id: 2 } });
    expect(await statusOf(`POST ${AUTH}/session/logout`, { cookie })).toBe(204);
    expect(await statusOf(`GET ${AUTH}/session/user`, { cookie })).toBe(401);
  });

  test.each([
    ['without remember_me', {}, 3 * 3600_000],
    ['with remember_me', { remember_me: true }, 7 * 86_400_000],
  ])('a session %s ends after its time without use, and use extends it', async (_what, more, idleMs) => {
    const cookie = cookieOf(
      await send(`POST ${AUTH}/session/login`, { body: { username: SVC.name, password: SVC.password, ...more } }),
    );
    simulator.set({ clockOffsetMs: idleMs - 1 });
    expect(await statusOf(`GET ${AUTH}/session/user`, { cookie })).toBe(200);
    simulator.set({ clockOffsetMs: 2 * idleMs - 2 });
    expect(await statusOf(`GET ${AUTH}/session/user`, { cookie })).toBe(200);
    simulator.set({ clockOffsetMs: 3 * idleMs - 2 });
    expect(await statusOf(`GET ${AUTH}/session/user`, { cookie })).toBe(401);
  });

  test.each([
    ['a wrong password', { username: SVC.name, password: 'nope' }, 401],
    ['an unknown user', { username: 'nobody', password: 'nope' }, 401],
    ['a user that has no password', { username: 'alice', password: '' }, 401],
    ['an Org the user is not in', { username: SVC.name, password: SVC.password, org_identifier: 'nowhere' }, 400],
    ['a remember_me that is no boolean', { username: SVC.name, password: SVC.password, remember_me: 'yes' }, 400],
    ['nothing', {}, 401],
  ])('login with %s is refused', async (_what, body, status) => {
    expect(await statusOf(`POST ${AUTH}/session/login`, { body })).toBe(status);
    expect(simulator.state().sessions).toEqual([]);
  });

  test('login of an inactive user is 403', async () => {
    simulator.setUserStatus(SVC.name, 'LOCKED');
    const body = { username: SVC.name, password: SVC.password };
    expect(await statusOf(`POST ${AUTH}/session/login`, { body })).toBe(403);
  });

  test.each([
    `POST ${AUTH}/token/validate`,
    `POST ${AUTH}/token/revoke`,
    `GET ${AUTH}/session/token`,
    `GET ${AUTH}/session/user`,
    `POST ${AUTH}/session/logout`,
    `GET ${V1}/isactive`,
    `GET ${V1}/info`,
    'GET /prism/preauth/info',
    'GET /simulator/sales',
  ])('%s is 401 without a bearer, with a dead one, and with a dead one beside a live cookie', async (endpoint) => {
    const token = await tokenFor(simulator, 'alice');
    const cookie = cookieOf(await send(`POST ${AUTH}/session/login`, { bearer: token }));
    const body = endpoint.startsWith('POST') ? { token, user_identifier: 'alice' } : undefined;
    expect(await statusOf(endpoint, { body })).toBe(401);
    expect(await statusOf(endpoint, { body, bearer: 'dead' })).toBe(401);
    expect(await statusOf(endpoint, { body, bearer: 'dead', cookie })).toBe(401);
    expect(await statusOf(endpoint, { body, headers: { authorization: 'Bearer' } })).toBe(401);
  });
});

describe('what the Visual Embed SDK calls (wire facts 5.5)', () => {
  test('isactive, preauth/info and session/info know a live bearer', async () => {
    const bearer = await tokenFor(simulator, 'alice');
    expect(await statusOf(`GET ${V1}/isactive`, { bearer, headers: requestedBy })).toBe(204);
    expect((await send('GET /prism/preauth/info', { bearer })).json).toMatchObject({ info: { userName: 'alice' } });
    expect((await send(`GET ${V1}/info`, { bearer })).json).toMatchObject({
      userGUID: 'a11ce000-6a55-4c1f-8a8e-1d5a2b7c0001',
      releaseVersion: expect.any(String) as unknown,
      configInfo: {
        isPublicUser: false,
        selfClusterId: expect.any(String) as unknown,
        selfClusterName: 'simulated-cluster',
        mixpanelConfig: { devSdkKey: '', prodSdkKey: '', production: false },
      },
    });
  });

  test('login/token by form is a 302 with a cookie that is then a session; logout ends it', async () => {
    const token = await tokenFor(simulator, 'alice');
    const body = form({ username: 'alice', auth_token: token });
    const login = await send(`POST ${V1}/login/token`, { body, headers: requestedBy });
    expect(login.status).toBe(302);
    const cookie = cookieOf(login);
    expect(cookie).toMatch(/^JSESSIONID=/);
    expect(await statusOf(`GET ${V1}/isactive`, { cookie })).toBe(204);
    expect(await statusOf(`POST ${V1}/logout`, { cookie, headers: requestedBy })).toBe(204);
    expect(await statusOf(`GET ${V1}/isactive`, { cookie })).toBe(401);
  });

  test('login/token by query, the fallback, fails for a token that is not URL-encoded', async () => {
    const token = await tokenFor(simulator, 'alice');
    expect(await statusOf(`GET ${V1}/login/token?auth_token=${encodeURIComponent(token)}`)).toBe(302);
    expect(await statusOf(`GET ${V1}/login/token?auth_token=${token}`)).toBe(401);
  });

  test.each([
    ['a dead token', { auth_token: 'dead' }],
    ['no token', {}],
    ['another user’s name', { username: 'bob' }],
  ])('login/token with %s is 401', async (_what, fields) => {
    const token = await tokenFor(simulator, 'alice');
    const body = form({ auth_token: token, ...fields, ...('username' in fields ? {} : { auth_token: 'dead' }) });
    expect(await statusOf(`POST ${V1}/login/token`, { body, headers: requestedBy })).toBe(401);
  });

  test('signing in with a stale token locks its user where the switch says so', async () => {
    const token = await tokenFor(simulator, 'alice', 1, { validity_time_in_sec: 1 });
    simulator.set({ clockOffsetMs: 1000, lockOnStaleToken: true });
    await send(`POST ${V1}/login/token`, { body: form({ auth_token: token }), headers: requestedBy });
    expect(simulator.state().users.find((user) => user.name === 'alice')?.status).toBe('LOCKED');
  });

  test.each(['login/token', 'login', 'logout'])('POST session/%s wants X-Requested-By', async (name) => {
    expect(await statusOf(`POST ${V1}/${name}`, { body: form({}) })).toBe(403);
  });

  test('login with name and password', async () => {
    const body = form({ username: SVC.name, password: SVC.password });
    expect(await statusOf(`POST ${V1}/login`, { body, headers: requestedBy })).toBe(204);
    expect(await statusOf(`POST ${V1}/login`, { body: form({ username: SVC.name }), headers: requestedBy })).toBe(401);
  });

  test('an allowed origin may call with credentials, any other gets no CORS header', async () => {
    for (const endpoint of [`OPTIONS ${V1}/isactive`, `GET ${V1}/isactive`]) {
      const allowed = await send(endpoint, { headers: { origin: ORIGIN } });
      expect(allowed.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(allowed.headers.get('access-control-allow-credentials')).toBe('true');
      for (const origin of ['http://app.example.evil', 'http://app.example:81', 'https://app.example', 'null']) {
        const other = await send(endpoint, { headers: { origin } });
        expect(other.headers.get('access-control-allow-origin')).toBeNull();
      }
    }
    const preflight = await send(`OPTIONS ${V1}/login/token`, { headers: { origin: ORIGIN } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization, x-requested-by, content-type');
  });

  test.each(['/', '/v2', '/v2/?embedApp=true&authType=AuthServerCookieless'])(
    'the embed page is at %s and may be framed by the allowed origins only',
    async (path) => {
      const page = await send(`GET ${path}`);
      expect(page.status).toBe(200);
      expect(page.text).toContain('<!doctype html>');
      expect(page.headers.get('content-security-policy')).toContain(`frame-ancestors 'self' ${ORIGIN}`);
    },
  );
});
