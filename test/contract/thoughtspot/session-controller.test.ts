import { inspect } from 'node:util';
import {
  AbortError,
  ApiError,
  ArgumentsValidationError,
  ConnectionError,
  ErrorResponseError,
  ResponseValidationError,
  Client,
  SessionController,
  type Configuration,
} from '../../../functions/thoughtspot/session-controller.ts';
import { documented } from './errors.ts';
import { html, ignore, lose, RawServer, raw, reply, type Act } from './raw-server.ts';
import { fullToken, PASSWORD, sessionToken, TOKEN } from './rig.ts';

const server = new RawServer();
const clients: Client[] = [];
beforeAll(() => server.start());
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => server.stop());

function controller(configuration: Partial<Configuration>, ...acts: Act[]): SessionController {
  server.will(...acts);
  const client = new Client({ baseUrl: server.url, accessToken: TOKEN, ...configuration });
  clients.push(client);
  return new SessionController(client);
}

const v2 = { dialect: 'session-v2' } as const;
const v20 = { dialect: 'auth-2.0', userName: 'alice', orgId: 1 } as const;
const user = { userName: 'alice', password: PASSWORD };
type Call = (session: SessionController) => Promise<{ result: unknown; statusCode: number; body: string }>;
const sent = (): unknown => {
  const { method, path, headers, body } = server.requests[0] ?? { method: '', path: '', headers: {}, body: '' };
  const json: unknown = body === '' ? undefined : JSON.parse(body);
  return [method, path, headers.authorization, json];
};

const login = sessionToken({ unknown: 'extra' });
const authUser = { id: 'guid', name: 'alice', display_name: 'Alice A.', current_org: { id: 1 } };
const bearer = `Bearer ${TOKEN}`;
const SESSION_V2 = '/api/rest/v2/session';
const AUTH = '/api/rest/2.0/auth';

const OPERATIONS: readonly (readonly [
  name: string,
  configuration: Partial<Configuration>,
  call: Call,
  act: Act,
  request: unknown[],
  result: unknown,
])[] = [
  [
    'sessionInfo (1.1)',
    v2,
    (s) => s.sessionInfo(),
    reply(200, { userName: 'alice', x: 1 }),
    ['GET', SESSION_V2, bearer, undefined],
    { userName: 'alice' },
  ],
  [
    'login (1.1), no bearer',
    v2,
    (s) => s.login({ ...user, rememberMe: true }),
    reply(200, login),
    ['POST', `${SESSION_V2}/login`, undefined, { ...user, rememberMe: true }],
    sessionToken(),
  ],
  [
    'gettoken (1.1), with bearer',
    v2,
    (s) => s.gettoken({ ...user, tokenExpiryDuration: 60 }),
    reply(200, login),
    ['POST', `${SESSION_V2}/gettoken`, bearer, { ...user, tokenExpiryDuration: 60 }],
    sessionToken(),
  ],
  [
    'gettoken without a duration',
    v2,
    (s) => s.gettoken(user),
    reply(200, login),
    ['POST', `${SESSION_V2}/gettoken`, bearer, user],
    sessionToken(),
  ],
  [
    'logout (1.1), no bearer',
    v2,
    (s) => s.logout(),
    reply(200, 'true'),
    ['POST', `${SESSION_V2}/logout`, undefined, undefined],
    true,
  ],
  [
    'revoketoken (1.1), no body',
    v2,
    (s) => s.revoketoken(),
    reply(200, 'true'),
    ['POST', `${SESSION_V2}/revoketoken`, bearer, undefined],
    true,
  ],
  [
    'revoketoken, false',
    v2,
    (s) => s.revoketoken(),
    reply(200, 'false'),
    ['POST', `${SESSION_V2}/revoketoken`, bearer, undefined],
    false,
  ],
  [
    'no access token (1.2): an empty bearer',
    { ...v2, accessToken: '' },
    (s) => s.sessionInfo(),
    reply(200, {}),
    ['GET', SESSION_V2, 'Bearer', undefined],
    {},
  ],
  [
    'sessionInfo (3.3)',
    v20,
    (s) => s.sessionInfo(),
    reply(200, authUser),
    ['GET', `${AUTH}/session/user`, bearer, undefined],
    { userName: 'alice', userGUID: 'guid', userDisplayName: 'Alice A.' },
  ],
  [
    'login (3.3): a cookie',
    v20,
    (s) => s.login(user),
    reply(204, ''),
    [
      'POST',
      `${AUTH}/session/login`,
      undefined,
      { username: 'alice', password: PASSWORD, remember_me: false, org_identifier: '1' },
    ],
    { userName: 'alice', token: '', tokenType: 'Cookie' },
  ],
  [
    'gettoken (3.1, 3.2)',
    v20,
    (s) => s.gettoken({ ...user, tokenExpiryDuration: 60 }),
    reply(200, fullToken()),
    [
      'POST',
      `${AUTH}/token/full`,
      undefined,
      { username: 'alice', password: PASSWORD, validity_time_in_sec: 60, org_id: 1, auto_create: false },
    ],
    {
      userName: 'alice',
      token: TOKEN,
      tokenCreatedTime: '1700000000000',
      tokenExpiryDuration: '300',
      tokenType: 'Bearer',
    },
  ],
  ['logout (3.3)', v20, (s) => s.logout(), reply(204, ''), ['POST', `${AUTH}/session/logout`, bearer, {}], true],
  [
    'revoketoken (3.4)',
    v20,
    (s) => s.revoketoken(),
    reply(204, ''),
    ['POST', `${AUTH}/token/revoke`, bearer, { user_identifier: 'alice', token: TOKEN }],
    true,
  ],
];

describe.each(OPERATIONS)('%s', (_name, configuration, call, act, request, result) => {
  test('sends what the dialect says and resolves with the model', async () => {
    const answer = await call(controller(configuration, act));
    expect(sent()).toEqual(request);
    expect(answer.result).toEqual(result);
    expect([200, 204]).toContain(answer.statusCode);
    expect(Object.keys(answer).sort()).toEqual(['body', 'headers', 'request', 'result', 'statusCode']);
    expect(inspect({ ...answer, result: 0, body: 0 }, { depth: 9 })).not.toMatch(/canary/);
  });

  test('rejects with ErrorResponseError on 500, with ApiError on any other status', async () => {
    const body = documented(10038, 'text');
    const fault = await call(controller(configuration, reply(500, body))).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(ErrorResponseError);
    expect(fault).toBeInstanceOf(ApiError);
    expect(fault).toMatchObject({ message: 'Operation failed or unauthorized request', statusCode: 500, result: body });
    const refusal = await call(controller(configuration, html(403, TOKEN))).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ApiError);
    expect(refusal).not.toBeInstanceOf(ErrorResponseError);
    expect(refusal).toMatchObject({ message: 'Response status code was not ok: 403.', result: undefined });
    const redirect = await call(controller(configuration, reply(302, '', { location: '/' }))).catch((e: unknown) => e);
    expect(redirect).toMatchObject({ name: 'ApiError', statusCode: 302 });
  });
});

describe('an answer that the beta does not accept is a ResponseValidationError (1.4)', () => {
  test.each<readonly [string, Call, Act]>([
    ['a number where a string is due', (s) => s.gettoken(user), reply(200, sessionToken({ tokenExpiryDuration: 300 }))],
    ['null where a field is optional', (s) => s.login(user), reply(200, sessionToken({ tokenType: null }))],
    ['null in session information', (s) => s.sessionInfo(), reply(200, { locale: null })],
    ['privileges that are not strings', (s) => s.sessionInfo(), reply(200, { privileges: [1] })],
    ['an empty body', (s) => s.login(user), reply(200, '')],
    ['204', (s) => s.revoketoken(), reply(204, '')],
    ['an object for a boolean', (s) => s.revoketoken(), reply(200, {})],
    ['HTML', (s) => s.sessionInfo(), html(200, 'x')],
  ])('%s', async (_name, call, act) => {
    const error = await call(controller(v2, act)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ResponseValidationError);
    expect(error).toBeInstanceOf(ApiError);
  });
});

describe('a call without an answer', () => {
  test('is aborted by the signal, and not made if that was before', async () => {
    const abort = new AbortController();
    const session = controller(v2, () => abort.abort());
    await expect(session.sessionInfo({ abortSignal: abort.signal })).rejects.toBeInstanceOf(AbortError);
    await expect(session.sessionInfo({ abortSignal: abort.signal })).rejects.toThrow('The HTTP call was aborted.');
    expect(server.requests).toHaveLength(1);
  });

  test.each<readonly [string, Act, string]>([
    ['times out', ignore, 'timeout'],
    ['loses its reply', lose, 'UND_ERR_SOCKET'],
    ['is not HTTP', raw(`nonsense ${TOKEN}\r\n`), 'unreadable'],
  ])('%s', async (_name, act, code) => {
    const error = await controller({ ...v2, timeout: 200 }, act)
      .sessionInfo()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ code });
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toMatch(/canary/);
  });

  test('is refused before it is made if an argument is missing, without repeating what was given', async () => {
    const session = controller(v2, reply(200, login));
    const broken = JSON.parse(`{"password":"${PASSWORD}"}`) as typeof user;
    for (const call of [session.login(broken), session.gettoken(broken)]) {
      const error = await call.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ArgumentsValidationError);
      expect(error).toMatchObject({ fields: ['userName'] });
    }
    expect(server.requests).toHaveLength(0);
  });
});

test('neither the client, the controller nor an error shows a secret when printed or serialised', async () => {
  const session = controller(v2, reply(500, { error: TOKEN }, { 'set-cookie': `JSESSIONID=${TOKEN}` }));
  const error = await session.gettoken(user).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ result: { error: TOKEN }, headers: { 'set-cookie': `JSESSIONID=${TOKEN}` } });
  for (const shown of [error, session, clients]) {
    expect(inspect(shown, { depth: 20 })).not.toMatch(/canary/);
    expect(JSON.stringify(shown)).not.toMatch(/canary/);
    expect(String(shown)).not.toMatch(/canary/);
  }
});

test('withConfiguration changes some settings and keeps the rest (1.2)', async () => {
  server.will(reply(200, {}));
  const client = new Client({ baseUrl: server.url, accessToken: 'first' });
  clients.push(client);
  await new SessionController(client.withConfiguration({ accessToken: 'second' })).sessionInfo();
  await new SessionController(client).sessionInfo();
  expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer second', 'Bearer first']);
});

test('a session authenticates every call instead of the access token, and an answer does not show it', async () => {
  const cookie = `JSESSIONID=${TOKEN}`;
  for (const configuration of [v2, v20]) {
    const session = controller({ ...configuration, session: { cookie } }, reply(200, { ...login, ...authUser }));
    const { request } = await session.sessionInfo();
    expect(server.requests[0]?.headers).toMatchObject({ cookie });
    expect(server.requests[0]?.headers).not.toHaveProperty('authorization');
    expect(JSON.stringify(request)).not.toMatch(/canary/);
  }
});

test('a page in place of a confirmation confirms nothing, in either dialect', async () => {
  for (const configuration of [v2, v20])
    await expect(controller(configuration, html(200, 'Sign in')).revoketoken()).rejects.toBeInstanceOf(
      ResponseValidationError,
    );
});
