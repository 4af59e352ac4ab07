import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { run } from '../../support/local-start.ts';

let broker: LocalBroker;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null, logLevel: 'DEBUG' });
});
afterAll(() => broker.close());

async function ask(user: string, path = '/gettoken', init: RequestInit = {}): Promise<Response> {
  const authorization = `Bearer ${await broker.issuer.accessToken(user)}`;
  return fetch(`${broker.url}${path}`, { method: 'POST', ...init, headers: { authorization, ...init.headers } });
}
const local = async (path: string, init: RequestInit = {}) =>
  fetch(`${broker.url}/__local/${path}`, { ...init, headers: { 'content-type': 'application/json' } });

it('mints, serves again and revokes a token at the simulator', async () => {
  const first = await (await ask('alice', '/gettoken', { headers: { accept: 'text/plain' } })).text();
  expect(broker.simulator?.tokens()).toContain(first);
  expect(await (await ask('alice', '/gettoken', { headers: { accept: 'text/plain' } })).text()).toBe(first);
  const revoked = await ask('alice', '/revoketoken');
  expect(await revoked.json()).toEqual({ revoked: 1, pending: 0 });
  expect(broker.simulator?.tokens()).not.toContain(first);
});

it.each([
  ['carol', 200, undefined],
  ['bob', 200, undefined],
  ['dave', 403, 'user-not-provisioned'],
  ['erin', 403, 'user-not-provisioned'],
  ['mallory', 403, 'not-entitled'],
  ['ops', 403, 'not-entitled'],
])('does for %s what the demo users promise', async (user, status, code) => {
  const response = await ask(user);
  expect(response.status).toBe(status);
  expect(((await response.json()) as { code?: string }).code).toBe(code);
});

describe('to a page of an allowed origin', () => {
  const page = () => ({ origin: broker.url, 'x-correlation-id': 'of-the-caller' });

  it.each([
    ['a token', 'alice', 200],
    ['a problem', 'mallory', 403],
  ])(
    '%s names its request in a header that the page may read, by the id of the gateway',
    async (_name, user, status) => {
      const response = await ask(user, '/gettoken', { headers: page() });
      expect(response.status).toBe(status);
      const id = response.headers.get('x-correlation-id');
      expect(id).toMatch(/^[\w-]{10,}$/);
      expect(id).toBe(response.headers.get('apigw-requestid'));
      expect(response.headers.get('access-control-expose-headers')).toBe(
        'retry-after,x-correlation-id,apigw-requestid,www-authenticate,x-amzn-remapped-www-authenticate',
      );
      const { correlationId = id } = (await response.json()) as { correlationId?: string };
      expect(correlationId).toBe(id);
      expect(broker.output.text()).toContain(`"correlationId":"${id}"`);
    },
  );

  it('a preflight allows no header to name it', async () => {
    const headers = { ...page(), 'access-control-request-method': 'POST' };
    const response = await fetch(`${broker.url}/gettoken`, { method: 'OPTIONS', headers });
    expect(response.headers.get('access-control-allow-headers')).toBe('authorization,content-type,accept');
  });
});

it('serves with the policy that was given and claims that are typed, whatever groups are called', async () => {
  const forged = await broker.issuer.accessToken('alice', { groups: ['viewer] [admin', 'viewer admin', 'analysts'] });
  const response = await fetch(`${broker.url}/gettoken`, {
    method: 'POST',
    headers: { authorization: `Bearer ${forged}` },
  });
  expect(response.status).toBe(200);
});

it('answers 500 as API Gateway does when the sandbox is killed in mid-request, and then serves', async () => {
  await ask('bob');
  const release = broker.simulator?.hold();
  const arrived = new Promise<void>((resolve) => {
    const stop = broker.simulator?.onCall(() => {
      stop?.();
      resolve();
    });
  });
  const lost = ask('bob', '/gettoken', { body: '{"fresh":true}', headers: { 'content-type': 'application/json' } });
  await arrived;
  for (const pid of broker.functions.get('gettoken')?.pids() ?? []) process.kill(pid, 'SIGKILL');
  const response = await lost;
  expect(response.status).toBe(500);
  expect(await response.text()).toBe('{"message":"Internal Server Error"}');
  release?.();
  expect((await ask('carol')).status).toBe(200);
});

it('runs the sweep with the event of its schedule, and delivers events to revoketoken', async () => {
  const { token } = (await (await ask('carol')).json()) as { token: string };
  // What was reserved before the time of the schedule is revoked: a minute ahead covers this moment for sure.
  const scheduledTime = new Date(Date.now() + 60_000).toISOString();
  const event = { source: 'schedule', name: 'test', scheduledTime, select: { userName: 'carol' } };
  const delivered = await local('events', { method: 'POST', body: JSON.stringify(event) });
  expect(delivered.status).toBe(200);
  expect(broker.simulator?.tokens()).not.toContain(token);
  const swept = await local('sweep', { method: 'POST' });
  expect(await swept.json()).toMatchObject({ due: expect.any(Number) as number });
  const refused = await local('events', { method: 'POST', body: '{"source":"nobody"}' });
  expect(refused.status).toBe(500);
});

it('shows leases, audit lines, output and counts to this origin only', async () => {
  await ask('alice');
  expect(await (await local('leases?user=alice')).json()).toMatchObject({ leases: [{ user: 'alice', state: 'live' }] });
  await ask('carol');
  const usersOf = async (query: string) => {
    const { leases } = (await (await local(`leases?${query}`)).json()) as { leases: { user: string; orgId: number }[] };
    return [...new Set(leases.map(({ user, orgId }) => `${user} ${orgId}`))];
  };
  expect(await usersOf('org=2&state=live')).toEqual(['carol 2']);
  expect(await usersOf('org=1&state=live')).toContain('alice 1');
  const audit = (await (await local('audit?limit=5')).json()) as { audit: boolean }[];
  expect(audit.length).toBeGreaterThan(0);
  expect(audit.every((line) => line.audit)).toBe(true);
  expect(await (await local('stats')).json()).toMatchObject({
    gettoken: { invocations: expect.any(Number) as number },
  });
  expect(await (await local('addresses')).json()).toMatchObject({ broker: broker.url });
  const foreign = await fetch(`${broker.url}/__local/jwt?user=alice`, { headers: { origin: 'http://localhost:5173' } });
  expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  const form = await fetch(`${broker.url}/__local/sweep`, { method: 'POST', body: 'a=b' });
  expect(form.status).toBe(415);
  expect((await local('nothing')).status).toBe(404);
});

it('gives an access token at the issuer as well, for demo users only', async () => {
  const grant = (username: string) =>
    fetch(`${broker.issuer.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'password', username }),
    });
  const { access_token: jwt } = (await (await grant('alice')).json()) as { access_token: string };
  const headers = { authorization: `Bearer ${jwt}` };
  expect((await fetch(`${broker.url}/gettoken`, { method: 'POST', headers })).status).toBe(200);
  expect((await grant('nobody')).status).toBe(400);
});

describe('npm run token', () => {
  const token = async (...args: string[]) => {
    const program = run('token', [...args, '--url', broker.url]);
    return { ...(await program.ended), text: program.text() };
  };

  it('prints the bare token, the whole answer, or a new one', async () => {
    const bare = await token('alice');
    expect(bare.code).toBe(0);
    expect(broker.simulator?.tokens()).toContain(bare.text.trim());
    const { text } = await token('alice', '--json');
    expect(JSON.parse(text)).toMatchObject({
      userName: expect.stringMatching(/^alice~/) as string,
      token: bare.text.trim(),
    });
    const fresh = await token('alice', '--fresh');
    expect(fresh.text).not.toBe(bare.text);
  });

  it('takes the access token of another caller', async () => {
    const bob = await token('--jwt', await broker.issuer.accessToken('bob'), '--json');
    expect(JSON.parse(bob.text)).toMatchObject({ userName: expect.stringMatching(/^bob~/) as string });
  });

  it.each([
    [['zoe'], 1, 'no demo user "zoe"'],
    [['mallory'], 1, 'Not entitled'],
    [['alice', '--grant', 'nonexistent'], 1, 'status 403, not-entitled'],
    [['alice', '--grant', 'no name!'], 1, 'grant: is not the name of a grant'],
    [['--jwt', 'abc'], 1, 'Unauthorized'],
    [['alice', '--issuer', 'partner'], 1, 'There is one, which has no name; npm start -- --partner starts another.'],
    [['--jwt', 'abc', '--issuer', 'partner'], 1, 'has no issuer partner'],
    [['alice', '--issuer', '/i/partner'], 2, '--issuer /i/partner is not the name of an issuer'],
    [[], 2, 'Name a demo user'],
    [['alice', '--unknown'], 2, 'Unknown option'],
    [['alice', 'bob'], 2, "Unexpected argument 'bob'"],
    [['alice', '--jwt', 'abc'], 2, 'not both'],
  ])('ends %j with status %i, and says plainly what is wrong', async (args, status, words) => {
    const { code, text } = await token(...args);
    expect(code).toBe(status);
    expect(text).toContain(words);
    expect(text).not.toContain('    at ');
  });

  it('says how to start a broker where there is none', async () => {
    const program = run('token', ['alice', '--url', 'http://127.0.0.1:1']);
    expect(await program.ended).toMatchObject({ code: 1 });
    expect(program.text()).toContain('npm start');
  });
});

it('has no secret, token or access token in anything that was printed', () => {
  const printed = broker.output.text();
  const secrets = [broker.simulator?.secretKey() ?? '', ...(broker.simulator?.tokens() ?? [])];
  expect(secrets.length).toBeGreaterThan(1);
  for (const secret of secrets)
    for (const form of [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)])
      expect(printed.includes(form)).toBe(false);
  expect(/eyJ[\w-]+\.eyJ/.test(printed)).toBe(false);
});
