import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { examineBroker } from '../../infra/doctor/broker.ts';
import { type Check, examiner } from '../../infra/doctor/checklist.ts';
import { knownEnvironments } from '../../infra/environment-list.ts';
import { startLocalBroker, type LocalBroker } from '../../local/local-broker.ts';
import type { Simulator } from '../../local/thoughtspot/simulator.ts';
import { leaksIn } from '../support/canaries.ts';
import { containing, doctor, matching, named, report } from '../support/doctor.ts';

let broker: LocalBroker;
let simulator: Simulator;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
  if (broker.simulator === undefined) throw new Error('the local broker has no simulator');
  simulator = broker.simulator;
});
afterAll(() => broker.close());
afterEach(() => simulator.reset());

/** A stand-in for something that is not the broker. */
async function withServer<T>(listener: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const OPERATIONS = ['gettoken', 'sessionInfo', 'login', 'logout', 'revoketoken', 'revoked token is refused'];

describe('a healthy cluster and broker', () => {
  test('pass every check with the demo key and demo users, leave no token behind, and no secret is printed', async () => {
    const tokens: string[] = [];
    const stop = simulator.onCall(() => tokens.push(...simulator.tokens()));
    const args = ['--host', simulator.url, '--broker', broker.url, '--origin', broker.url];
    const { code, text } = await doctor(args);
    stop();
    expect(text).toContain('22 passed, 0 failed, 0 skipped');
    expect(code).toBe(0);
    expect(simulator.state().tokens).toEqual([]);
    expect(simulator.state().sessions).toEqual([]);
    expect(new Set(tokens).size).toBeGreaterThanOrEqual(2);
    const jwt = await broker.issuer.accessToken('alice');
    const secrets = { key: simulator.secretKey(), jwt: jwt.split('.')[1] ?? '' };
    expect(
      leaksIn(text, { ...secrets, ...Object.fromEntries(tokens.map((token, at) => [`token ${at}`, token])) }),
    ).toEqual([]);
  });

  test('the five operations reach ThoughtSpot in either dialect', async () => {
    for (const [dialect, paths] of [
      ['auth-2.0', ['token/full', 'session/user', 'session/login', 'session/logout', 'token/revoke']],
      ['session-v2', ['session/gettoken', 'v2/session', 'session/login', 'session/logout', 'session/revoketoken']],
    ] as const) {
      const { checks, healthy } = await report(['--host', simulator.url, '--dialect', dialect]);
      expect(healthy).toBe(true);
      for (const name of OPERATIONS) expect(named(checks, name)?.status).toBe('passed');
      const calls = Object.keys(simulator.state().calls);
      for (const path of paths) expect(calls.some((call) => call.endsWith(path))).toBe(true);
      expect(simulator.state().tokens).toEqual([]);
    }
  });
});

describe('what a token of 60 s can become', () => {
  const MADE = 'a new token of 86400 s and a browser session';

  test.each([
    [false, `${MADE}: neither validity nor revocation bounds them (docs/threat-model.md, T14)`],
    [true, 'nothing: what was made of it ended with it'],
  ])('with childrenEndWithParent %s, what outlives its revocation is told, and ended', async (ends, outlives) => {
    simulator.set({ childrenEndWithParent: ends });
    const { checks, healthy } = await report(['--host', simulator.url]);
    expect(healthy).toBe(true);
    expect(named(checks, 'token from the token')?.detail).toContain('a new token of 86400 s');
    expect(named(checks, 'session from the token')?.detail).toContain('a browser session');
    expect(named(checks, 'what outlives the revoked token')?.detail).toBe(outlives);
    expect(named(checks, 'what was made of it is ended')?.detail).toBe('ended');
    expect(simulator.state()).toMatchObject({ tokens: [], sessions: [], mints: 2 });
  });

  test('is told to be left where it could not be ended, and is ended once more at the end', async () => {
    // Hits the revocation of the first token, and the first one of the token that was made of it.
    simulator.set({ revokeAnswer: '400-not-revoked', faultCount: 2 });
    const { checks, code } = await report(['--host', simulator.url]);
    expect(named(checks, 'what outlives the revoked token')?.status).toBe('skipped');
    expect(named(checks, 'what was made of it is ended')).toMatchObject({
      status: 'failed',
      detail: 'a new token of 86400 s could not be ended',
      cure: containing('Deactivate the user'),
    });
    expect(code).toBe(1);
    expect(simulator.state()).toMatchObject({ tokens: [], sessions: [] });
  });

  test('is ended when the doctor is interrupted', async () => {
    let child: ChildProcess | undefined;
    const stop = simulator.onCall(({ endpoint, phase }) => {
      if (phase === 'arrived' && endpoint.endsWith('session/token')) child?.kill('SIGTERM');
    });
    const outcome = await doctor(['--host', simulator.url], {}, '', (started) => (child = started));
    stop();
    expect(outcome).toEqual({ code: 1, text: matching(/^Interrupted\. .*\n$/) });
    expect(simulator.state()).toMatchObject({ tokens: [], sessions: [], mints: 2 });
  });
});

interface Case {
  readonly title: string;
  readonly args?: readonly string[];
  readonly variables?: Record<string, string>;
  readonly switches?: Parameters<Simulator['set']>[0];
  readonly check: string;
  readonly cause: RegExp;
  readonly cure: RegExp;
}

const CAUSES: readonly Case[] = [
  {
    title: 'a wrong key',
    variables: { THOUGHTSPOT_SECRET_KEY: 'canary-wrong-key-81' },
    check: 'gettoken',
    cause: /secret key is wrong .*401/,
    cure: /Security settings/,
  },
  {
    title: 'a wrong password',
    variables: { THOUGHTSPOT_USERNAME: 'svc-broker', THOUGHTSPOT_PASSWORD: 'canary-wrong-password-81' },
    check: 'login',
    cause: /password is wrong/,
    cure: /second factor/,
  },
  {
    title: 'trusted authentication off',
    switches: { trustedAuth: false },
    check: 'gettoken',
    cause: /trusted authentication is off/,
    cure: /Switch it on/,
  },
  {
    title: 'a user whom ThoughtSpot does not know',
    args: ['--user', 'zed'],
    check: 'gettoken',
    cause: /no active user zed in org 1/,
    cure: /Create or activate/,
  },
  {
    title: 'a user who is not in the org',
    args: ['--org', '2'],
    variables: { THOUGHTSPOT_SECRET_KEY: '5d1c2f7e-93ab-4e0d-8c64-b7f2a90e4c11' },
    check: 'gettoken',
    cause: /no active user alice in org 2/,
    cure: /add them to the org/,
  },
  {
    title: 'a token for somebody else',
    switches: { wrongUser: 'bob' },
    check: 'sessionInfo',
    cause: /belongs to bob in org 1; requested was alice/,
    cure: /Do not go live/,
  },
  {
    title: 'an origin that ThoughtSpot does not allow',
    args: ['--origin', 'https://app.example.com'],
    check: 'CORS https://app.example.com',
    cause: /preflight allows no origin/,
    cure: /Add https:\/\/app.example.com in Develop/,
  },
  {
    title: 'a cluster under maintenance',
    switches: { maintenancePage: true },
    check: 'gettoken',
    cause: /down \(ThoughtSpot answered 503 \(HTML\)/,
    cure: /Check the host/,
  },
  {
    title: 'a secret key where the dialect takes passwords only',
    args: ['--dialect', 'session-v2'],
    variables: { THOUGHTSPOT_SECRET_KEY: 'canary-some-key-81' },
    check: 'gettoken',
    cause: /not with a secret key/,
    cure: /--dialect auth-2.0/,
  },
  {
    title: 'a mistyped credential',
    variables: { THOUGHTSPOT_SECRET_KEY: 'canary-some-key-81 ' },
    check: 'credential',
    cause: /white space/,
    cure: /Copy it again/,
  },
];

describe('what is wrong with the cluster is named with its cure', () => {
  test.each(CAUSES)('$title', async ({ args = [], variables, switches, check, cause, cure }) => {
    if (switches) simulator.set(switches);
    const { code, checks, text } = await report(['--host', simulator.url, ...args], variables);
    expect(named(checks, check)).toMatchObject({
      status: 'failed',
      detail: matching(cause),
      cure: matching(cure),
    });
    expect(code).toBe(1);
    expect(text).not.toMatch(/canary-/);
    expect(simulator.state().tokens).toEqual([]);
  });

  test.each([401, 403, 407])(
    'a firewall or a proxy that answers %i with a page, and no credential is blamed',
    async (status) => {
      await withServer(
        (_request, response) => response.writeHead(status, { 'content-type': 'text/html' }).end('<html>Access denied'),
        async (host) => {
          const { checks } = await report(['--host', host, '--user', 'alice'], {
            THOUGHTSPOT_SECRET_KEY: 'canary-key-81',
          });
          expect(named(checks, 'gettoken')).toMatchObject({
            status: 'failed',
            detail: matching(
              new RegExp(`not come from ThoughtSpot \\(somebody on the way to ThoughtSpot answered ${status} `),
            ),
            cure: containing('says nothing about the credential'),
          });
        },
      );
    },
  );

  test('a cluster that does not answer', async () => {
    await simulator.refuseConnections();
    const { code, text } = await doctor(['--host', simulator.url]);
    await simulator.acceptConnections();
    expect(code).toBe(1);
    expect(text).toMatch(/FAIL {2}gettoken .*cannot be reached.*ECONNREFUSED/);
    expect(text).toContain('-> Check the host');
  });
});

describe('what is wrong with the broker is named with its cure', () => {
  const atBroker = async (url: string, jwt?: string) => {
    const { checks } = await report(
      ['--host', simulator.url, '--broker', url],
      jwt === undefined ? {} : { BROKER_JWT: jwt },
    );
    return (name: string) => named(checks, name, 'broker');
  };

  test('an access token without the scope, and one of a caller without rights', async () => {
    const scopeless = await atBroker(broker.url, await broker.issuer.accessToken('alice', { scope: 'openid' }));
    expect(scopeless('gettoken')).toMatchObject({ status: 'failed', cure: containing('scope') });
    const unentitled = await atBroker(broker.url, await broker.issuer.accessToken('mallory'));
    expect(unentitled('gettoken')).toMatchObject({
      detail: '403 not-entitled',
      cure: containing('docs/errors.md'),
    });
    expect(unentitled('revoketoken')?.status).toBe('skipped');
  });

  test('something that lets everybody in', async () => {
    const open: RequestListener = (_request, response) => response.writeHead(200).end('{}');
    const check = await withServer(open, (url) => atBroker(url, 'a.b.c'));
    for (const name of [
      'request without an access token is refused',
      'forged access token is refused',
      'unentitled caller is refused',
    ])
      expect(check(name)?.status).toMatch(/failed|skipped/);
    expect(check('forged access token is refused')).toMatchObject({ cure: containing('off the network') });
    expect(check('forged logout token is refused')).toMatchObject({
      detail: 'answered 200',
      cure: containing('sign people out'),
    });
  });

  test.each<[string, number, string, boolean | undefined, object]>([
    ['no route for logout tokens, as nobody wants', 404, '{"message":"Not Found"}', undefined, { status: 'skipped' }],
    [
      'no route for logout tokens, as the environment wants',
      404,
      '{"message":"Not Found"}',
      false,
      { status: 'skipped' },
    ],
    [
      'no route for logout tokens, though the environment has clients',
      404,
      '{"message":"Not Found"}',
      true,
      { status: 'failed', cure: containing('Deploy') },
    ],
    [
      'keys that the function cannot read',
      400,
      '{"error":"temporarily_unavailable"}',
      true,
      { status: 'failed', detail: 'answered 400 temporarily_unavailable' },
    ],
    [
      'a function that is not there',
      503,
      '{"message":"Service Unavailable"}',
      true,
      { status: 'failed', cure: containing('backchannellogout') },
    ],
  ])('%s', async (_name, status, body, logouts, expected) => {
    const checks: Check[] = [];
    const none = { issuer: undefined, jwt: undefined, unentitledJwt: undefined, origins: [] };
    await withServer(
      (_request, response) => response.writeHead(status).end(body),
      (url) => examineBroker(examiner('broker', checks, {}), { ...none, url, logouts }, undefined),
    );
    expect(named(checks, 'forged logout token is refused', 'broker')).toMatchObject(expected);
  });

  test('nothing at all', async () => {
    const check = await atBroker('http://127.0.0.1:9', 'a.b.c');
    expect(check('gettoken')).toMatchObject({ detail: 'no broker answers at http://127.0.0.1:9' });
  });
});

describe('usage', () => {
  test.each([
    ['no target', [], 'Nothing to examine'],
    ['an unknown option', ['--hsot', 'x'], '--hsot'],
    ['an unknown environment', ['--env', 'no-such'], `Known: ${knownEnvironments().join(', ')}`],
    ['a host without TLS', ['--host', 'http://acme.thoughtspot.cloud'], '--host is an origin'],
    [
      'an unknown dialect',
      ['--host', 'https://acme.example', '--dialect', 'v1'],
      '--dialect is auth-2.0 or session-v2',
    ],
    ['an org that is no number', ['--host', 'https://acme.example', '--org', 'acme'], '--org is the number'],
    ['no credential', ['--host', 'https://acme.example'], 'set THOUGHTSPOT_SECRET_KEY'],
  ])('%s ends with exit code 2 and the way to do it', async (_title, args, words) => {
    const { code, text } = await doctor(args);
    expect(text).toContain(words);
    expect(text).toContain('npm run doctor -- --host');
    expect(text).not.toContain('    at ');
    expect(code).toBe(2);
  });

  test('a key needs a user to make a token for', async () => {
    const outcome = await doctor(['--host', 'https://acme.example'], { THOUGHTSPOT_SECRET_KEY: 'canary-key' });
    expect(outcome).toMatchObject({ code: 2, text: containing('--user') });
  });

  test('an access token comes from standard input', async () => {
    const jwt = await broker.issuer.accessToken('bob');
    const { code, text } = await doctor(
      ['--host', simulator.url, '--broker', broker.url, '--jwt', '-'],
      {},
      `${jwt}\n`,
    );
    expect(text).toContain('a token for bob');
    expect(code).toBe(0);
  });

  test('--help explains', async () => {
    expect(await doctor(['--help'])).toMatchObject({ code: 0, text: containing('--unentitled-jwt') });
  });
});
