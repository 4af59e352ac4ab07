import { request, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import type { CallEvent, Simulator } from '../../../local/thoughtspot/simulator.ts';
import type { Switches } from '../../../local/thoughtspot/switches.ts';
import { call, start, tokenFor, type Reply } from './cluster-client.ts';

const FULL = 'POST /api/rest/2.0/auth/token/full';
const ACTIVE = 'GET /callosum/v1/session/isactive';
const SWITCHES = '/__simulator/switches';

let simulator: Simulator;
let rateNow = 0;
beforeAll(async () => {
  simulator = await start({ rateClock: () => rateNow });
});
beforeEach(() => simulator.reset());
afterAll(() => simulator.close());

const mint = (): Promise<Reply> =>
  call(simulator.url, FULL, { body: { username: 'alice', org_id: 1, secret_key: simulator.secretKey() } });
const turn = (patch: unknown): Promise<Reply> => call(simulator.url, `POST ${SWITCHES}`, { body: patch });
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'it was answered',
    (error: unknown) => String((error as { cause?: { code?: unknown } }).cause?.code),
  );

/** The client may first try a kept connection, which is destroyed by then. */
async function untilRefused(): Promise<void> {
  while ((await failure(mint())) !== 'ECONNREFUSED') await new Promise(setImmediate);
}

test('a lost reply: the mint happened, the connection is destroyed, as often as asked for', async () => {
  await turn({ lostReplies: 2 });
  for (const _ of [1, 2]) expect(await failure(mint())).toBe('UND_ERR_SOCKET');
  expect((await mint()).status).toBe(200);
  const state = simulator.state();
  expect([state.mints, state.tokens.length, state.lostReplies]).toEqual([3, 3, 2]);
  expect(state.refused[FULL]).toEqual({ reset: 2 });
});

test('a refused mint uses up no lost reply', async () => {
  await turn({ lostReplies: 1 });
  expect((await call(simulator.url, FULL, { body: {} })).status).toBe(400);
  expect(simulator.switches().lostReplies).toBe(1);
});

test.each<[string, Partial<Switches>, number | string]>([
  ['an outage', { outage: 'error' }, 503],
  ['an outage with another status', { outage: 'error', outageStatus: 502 }, 502],
  ['an outage that resets', { outage: 'reset' }, 'UND_ERR_SOCKET'],
  ['a maintenance page', { maintenancePage: true, maintenanceStatus: 200 }, 200],
])('%s does nothing, for as many calls as asked for, on the chosen endpoints', async (_what, switches, outcome) => {
  await turn({ ...switches, faultCount: 1, faultScope: 'mint' });
  expect((await call(simulator.url, ACTIVE)).status).toBe(401);
  const first = mint();
  expect(typeof outcome === 'string' ? await failure(first) : (await first).status).toBe(outcome);
  expect(simulator.state().mints).toBe(0);
  expect((await mint()).json).toHaveProperty('token');
});

test('the maintenance page is HTML', async () => {
  await turn({ maintenancePage: true });
  const reply = await mint();
  expect([reply.status, reply.headers.get('content-type')]).toEqual([503, 'text/html; charset=utf-8']);
  expect(reply.text).toContain('System Maintenance');
});

test('a held answer is one whose work is done already', async () => {
  const seen: CallEvent[] = [];
  const stop = simulator.onCall((event) => seen.push(event));
  const release = simulator.hold();
  const arrived = new Promise<void>((resolve) => simulator.onCall(() => resolve()));
  const reply = mint();
  await arrived;
  while (simulator.state().mints === 0) await new Promise(setImmediate);
  expect(seen.map((event) => event.phase)).toEqual(['arrived']);
  release();
  expect((await reply).status).toBe(200);
  stop();
});

test('latency comes before the answer and after the work; closing does not wait for it', async () => {
  const slow = await start({ switches: { latencyMs: 3_600_000 } });
  const body = { username: 'alice', org_id: 1, secret_key: slow.secretKey() };
  const arrived = new Promise<void>((resolve) => slow.onCall(() => resolve()));
  const reply = failure(call(slow.url, FULL, { body }));
  await arrived;
  while (slow.state().mints === 0) await new Promise(setImmediate);
  await slow.close();
  expect(await reply).not.toBe('it was answered');
});

test('a slow body arrives whole', async () => {
  await turn({ slowBodyMs: 50 });
  expect((await mint()).json).toHaveProperty('token');
});

/** As it is on the wire: fetch would unzip it. */
function rawMint(headers: Record<string, string> = {}): Promise<{ headers: IncomingHttpHeaders; body: Buffer }> {
  const body = JSON.stringify({ username: 'alice', org_id: 1, secret_key: simulator.secretKey() });
  return new Promise((resolve, reject) => {
    const [, path = ''] = FULL.split(' ');
    const options = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } };
    const sent = request(simulator.url + path, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('a reply is gzip though nobody asked for it', async () => {
  simulator.set({ unaskedGzip: true });
  const { headers, body } = await rawMint({ 'accept-encoding': 'identity' });
  expect(headers).toMatchObject({ 'content-encoding': 'gzip', 'content-length': String(body.length) });
  expect(JSON.parse(gunzipSync(body).toString())).toHaveProperty('token');
});

test('a reply begins with a byte order mark, gzip or not', async () => {
  simulator.set({ byteOrderMark: true });
  const { body } = await rawMint();
  simulator.set({ unaskedGzip: true });
  const zipped = gunzipSync((await rawMint()).body);
  expect([body, zipped].map((bytes) => bytes.subarray(0, 4).toString('hex'))).toEqual(['efbbbf7b', 'efbbbf7b']);
  expect(zipped.toString()).toContain('"token"');
});

test('a mint answers without scope', async () => {
  await turn({ withoutScope: true });
  const { status, json } = await mint();
  expect([status, Object.keys(json as object)]).toEqual([200, expect.not.arrayContaining(['scope'])]);
});

test.each<[string, Partial<Switches>, object]>([
  ['the wrong user', { wrongUser: 'bob' }, { user: 'bob', org: 1, kind: 'full' }],
  ['the wrong Org', { wrongOrg: 2 }, { user: 'alice', org: 2, kind: 'full' }],
  ['the wrong kind', { wrongKind: true }, { user: 'alice', org: 1, kind: 'object' }],
])('a mint for %s says so in its answer, and the token is what the answer says', async (_what, switches, token) => {
  await turn(switches);
  const { json } = await mint();
  const { user, org, kind } = token as { user: string; org: number; kind: string };
  expect(json).toMatchObject({
    valid_for_username: user,
    scope: { org_id: org, access_type: kind === 'full' ? 'FULL' : 'REPORT_BOOK_VIEW' },
  });
  expect(simulator.state().tokens).toMatchObject([token]);
});

test('the rate limit: 10 at once, then 100 per second', async () => {
  await turn({ rateLimit: true });
  const statuses = async (count: number): Promise<number[]> =>
    (await Promise.all(Array.from({ length: count }, () => call(simulator.url, ACTIVE)))).map((reply) => reply.status);
  const over = (of: number[]): number => of.filter((status) => status === 429).length;
  expect(over(await statuses(15))).toBe(5);
  rateNow += 20;
  expect(over(await statuses(5))).toBe(3);
  rateNow += 1000;
  expect(over(await statuses(15))).toBe(5);
});

test('a 429 says when to come back only if the switch says so', async () => {
  await turn({ rateLimit: true, rateLimitBurst: 1 });
  await call(simulator.url, ACTIVE);
  expect((await mint()).headers.get('retry-after')).toBeNull();
  await turn({ retryAfterSeconds: 2 });
  const reply = await mint();
  expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, '2']);
});

test.each([
  ['documented', { error: { message: { code: 10002, debug: 'User not found.' } } }],
  [
    'live',
    {
      error: {
        message: { debug: { code: 10002, trace_id_guid: 'tracing-disabled', debug: '["User not found.",""]' } },
      },
    },
  ],
  ['live-bare', { message: { debug: { code: 10002, debug: '["User not found.",""]' } } }],
])('an error in the %s shape', async (errorShape, expected) => {
  await turn({ errorShape });
  const body = { username: 'nobody', org_id: 1, secret_key: simulator.secretKey() };
  expect((await call(simulator.url, FULL, { body })).json).toMatchObject(expected);
});

test('after a rotation the old key is dead at once, and tokens live on or not as the switch says', async () => {
  const old = simulator.secretKey();
  const token = await tokenFor(simulator, 'alice');
  const { json } = await call(simulator.url, 'POST /__simulator/rotate-key', { body: {} });
  expect(json).toEqual({ secretKey: simulator.secretKey() });
  const refused = await call(simulator.url, FULL, { body: { username: 'alice', org_id: 1, secret_key: old } });
  expect(refused.status).toBe(401);
  expect((await mint()).status).toBe(200);
  expect(simulator.tokens()[0]).toBe(token);
  await turn({ rotationEndsTokens: true });
  simulator.rotateKey();
  expect(simulator.tokens()).toEqual([token]);
});

test('connections are refused until they are accepted again', async () => {
  await simulator.refuseConnections();
  await untilRefused();
  await simulator.acceptConnections();
  expect((await mint()).status).toBe(200);
});

test('connections are refused for a time that a call asks for, once it is answered', async () => {
  const reply = await call(simulator.url, 'POST /__simulator/refuse-connections', { body: { ms: 3_600_000 } });
  expect(reply.json).toEqual({ refusingForMs: 3_600_000 });
  await untilRefused();
  await simulator.acceptConnections();
  expect((await mint()).status).toBe(200);
});

test('connections are accepted again by themselves', async () => {
  await call(simulator.url, 'POST /__simulator/refuse-connections', { body: { ms: 1 } });
  while ((await failure(mint())) !== 'it was answered') await new Promise(setImmediate);
});

test('requests() shows what was asked for and no secret', async () => {
  await call(simulator.url, FULL, {
    body: { username: 'alice', org_id: 1, secret_key: simulator.secretKey(), auto_create: false },
  });
  const { text, json } = await call(simulator.url, 'GET /__simulator/requests');
  expect(json).toMatchObject([
    {
      endpoint: FULL,
      status: 200,
      body: { username: 'alice', org_id: 1, auto_create: false, secret_key: '[redacted]' },
    },
  ]);
  expect(text).not.toContain(simulator.secretKey());
});

test('the state shows no token, secret key or password', async () => {
  const token = await tokenFor(simulator, 'alice');
  const { text, json } = await call(simulator.url, 'GET /__simulator/state');
  expect(json).toEqual({ ...simulator.state(), now: expect.any(Number) as unknown });
  for (const secret of [token, simulator.secretKey(), 'Pa55word']) expect(text).not.toContain(secret);
});

test('reset forgets tokens, counters, keys and switches', async () => {
  await mint();
  await turn({ latencyMs: 1 });
  const key = simulator.rotateKey();
  await call(simulator.url, 'POST /__simulator/reset', { body: {} });
  expect(simulator.state()).toMatchObject({ tokens: [], calls: {}, mints: 0 });
  expect(simulator.switches().latencyMs).toBe(0);
  expect(simulator.secretKey()).not.toBe(key);
});

describe('the control refuses', () => {
  test.each([
    ['an unknown switch', { latency: 1 }, /there is no switch "latency"/],
    ['a wrong value', { latencyMs: -1 }, /"latencyMs" must be an integer from 0/],
    ['a user that is none', { wrongUser: 'nobody' }, /must name a user/],
    ['an Org that is none', { wrongOrg: 99 }, /id of an Org/],
  ])('%s, and changes nothing', async (_what, patch, error) => {
    const before = simulator.switches();
    const reply = await turn({ latencyMs: 5, ...patch });
    expect(reply).toMatchObject({ status: 400, json: { error: expect.stringMatching(error) as unknown } });
    expect(simulator.switches()).toEqual(before);
  });

  test('a POST that a page of another origin could send without being asked', async () => {
    const headers = { 'content-type': 'text/plain' };
    for (const name of ['switches', 'rotate-key', 'reset', 'refuse-connections', 'users']) {
      const reply = await call(simulator.url, `POST /__simulator/${name}`, { body: '{}', headers });
      expect([name, reply.status]).toEqual([name, 415]);
    }
  });

  test('what does not exist, naming what does', async () => {
    const reply = await call(simulator.url, 'GET /__simulator/nothing');
    expect(reply).toMatchObject({ status: 404, json: { error: expect.stringContaining('GET state') as unknown } });
  });
});

test('a user’s account status can be set over HTTP', async () => {
  const body = { name: 'alice', status: 'INACTIVE' };
  expect((await call(simulator.url, 'POST /__simulator/users', { body })).status).toBe(200);
  expect((await mint()).status).toBe(403);
});

test.each([
  ['an unknown path', 'GET /api/rest/2.0/nothing', 404],
  ['a wrong method', 'GET /api/rest/2.0/auth/token/full', 405],
])('%s', async (_what, endpoint, status) => {
  expect((await call(simulator.url, endpoint)).status).toBe(status);
});

test('a body beyond 1 MiB is refused', async () => {
  const outcome = await call(simulator.url, FULL, { body: { padding: 'x'.repeat(2 ** 20) } }).then(
    (reply) => reply.status,
    () => 413,
  );
  expect(outcome).toBe(413);
});
