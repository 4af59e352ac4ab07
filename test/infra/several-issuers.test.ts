/**
 * The doctor and accept, of an environment with two issuers: a copy of the project whose environment dev has those of a
 * local broker. What AWS would say is left out: nothing answers there.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { callersOf } from '../../infra/doctor/callers.ts';
import { examiner } from '../../infra/doctor/checklist.ts';
import type { Check } from '../../infra/doctor/checklist.ts';
import { examineIssuers } from '../../infra/doctor/issuers.ts';
import { UsageError } from '../../infra/doctor/options.ts';
import devEnvironment from '../../infra/environments/dev.ts';
import { parseEnvironment } from '../../infra/environments/environment.ts';
import { readDemoUsers } from '../../local/issuer.ts';
import { REGION } from '../../local/lambda/environment.ts';
import { startLocalBroker, type LocalBroker } from '../../local/local-broker.ts';
import { containing, named } from '../support/doctor.ts';
import { makeSigningKeys } from '../support/signing.ts';

const root = path.join(import.meta.dirname, '..', '..');
const copy = mkdtempSync(path.join(os.tmpdir(), 'project-'));
const dev = readFileSync(path.join(root, 'infra/environments/dev.ts'), 'utf8');
const [listed = ''] = /issuers: \[.*?\n {2}\]/s.exec(dev) ?? [];

let broker: LocalBroker;
/** An issuer that is not what it should be. */
let odd: Server;
let oddUrl: string;
type Answer = readonly [status: number, body: string, headers?: Record<string, string>];
const TARGET = { account: '111122223333', region: REGION };
beforeAll(async () => {
  for (const name of ['infra', 'functions', 'local', 'package.json'])
    cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  broker = await startLocalBroker({ sweepEveryMs: null, partner: readDemoUsers() });
  odd = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => odd.once('listening', resolve));
  oddUrl = `http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
});
afterAll(async () => {
  rmSync(copy, { recursive: true, force: true });
  odd.closeAllConnections();
  odd.close();
  await broker.close();
});

const partnerOf = ({ partner }: LocalBroker) => {
  if (partner === undefined) throw new Error('there is no second issuer');
  return partner;
};

interface Ran {
  readonly code: number;
  readonly text: string;
  readonly checks: readonly Check[];
}

/** A command of the copy, whose environment dev has these issuers. */
function run(
  script: 'doctor' | 'accept',
  args: readonly string[],
  issuers: readonly object[] = [{ url: broker.issuer.url }, { name: 'partner', url: partnerOf(broker).url }],
): Promise<Ran> {
  const all = issuers.map((issuer) => ({
    audiences: ['thoughtspot-token-broker'],
    scopes: { token: 'broker:token', revoke: 'broker:revoke' },
    ...issuer,
  }));
  const file = dev.replace(listed, `issuers: ${JSON.stringify(all)}`);
  writeFileSync(path.join(copy, 'infra/environments/dev.ts'), file);
  const { accessKeyId, secretAccessKey, sessionToken } = broker.principals.operator.credentials;
  const env = {
    PATH: process.env['PATH'],
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  };
  const options = ['--env', 'dev', '--broker', broker.url, '--origin', broker.url, '--json', ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, [`infra/${script}.ts`, ...options], { cwd: copy, env }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
      const { checks = [] } = code === 2 ? {} : (JSON.parse(stdout) as Partial<Ran>);
      resolve({ code, text: stdout + stderr, checks });
    });
  });
}

describe('npm run doctor', () => {
  test('looks at every issuer: what it calls itself, its keys, and its routes', async () => {
    const { checks } = await run('doctor', ['--jwt', await partnerOf(broker).accessToken('bob')]);
    for (const [name, url] of [
      ['issuer', broker.issuer.url],
      ['issuer partner', partnerOf(broker).url],
    ] as const) {
      expect(named(checks, name, 'environment')).toMatchObject({ status: 'passed', detail: url });
      expect(named(checks, `keys of ${name}`, 'environment')).toMatchObject({
        status: 'passed',
        detail: `1 at ${url}/jwks`,
      });
    }
    for (const end of ['', ' (partner)'])
      expect(named(checks, `request without an access token is refused${end}`, 'broker')?.status).toBe('passed');
    expect(named(checks, 'gettoken (partner)', 'broker')?.detail).toContain('a token for bob');
    expect(named(checks, 'revoketoken (partner)', 'broker')?.status).toBe('passed');
  });

  test('says of an issuer that the broker does not have that it has no routes', async () => {
    const issuers = [{ url: broker.issuer.url }, { name: 'odd', url: 'http://127.0.0.1:9' }];
    const { code, checks } = await run('doctor', [], issuers);
    expect(code).toBe(1);
    expect(named(checks, 'issuer odd', 'environment')?.status).toBe('failed');
    expect(named(checks, 'keys of issuer odd', 'environment')?.status).toBe('skipped');
    expect(named(checks, 'request without an access token is refused (odd)', 'broker')).toMatchObject({
      status: 'failed',
      detail: 'answered 404 instead of 401',
      cure: containing('no such issuer'),
    });
  });

  test('takes no access token of a stranger, and no issuer that is not there, and lists those that are', async () => {
    const known = `the first, which has no name (${broker.issuer.url}), partner (${partnerOf(broker).url})`;
    const stranger = makeSigningKeys('a').sign({ iss: 'https://other.example' });
    expect(await run('doctor', ['--jwt', stranger])).toMatchObject({
      code: 2,
      text: containing(`of https://other.example, which is none of the issuers. Known: ${known}.`),
    });
    expect(await run('doctor', ['--issuer', 'partnr'])).toMatchObject({
      code: 2,
      text: containing(`--issuer partnr is none of the issuers; did you mean partner? Known: ${known}.`),
    });
  });
});

test('npm run accept tries each issuer for which there is an access token', async () => {
  const jwts = [await broker.issuer.accessToken('carol'), await partnerOf(broker).accessToken('bob')];
  const { checks } = await run('accept', ['--jwt', jwts.join(' ')]);
  for (const [end, user] of [
    ['', 'carol'],
    [' (partner)', 'bob'],
  ] as const) {
    expect(named(checks, `a live token is served again${end}`, 'broker')?.detail).toMatch(`lease of ${user}`);
    for (const check of ['an operator sees the lease', 'an operator revokes', 'an operator suspends and reinstates'])
      expect(named(checks, `${check}${end}`, 'broker')).toMatchObject({ status: 'passed' });
  }
});

const oneKey = (jwk: object) => JSON.stringify({ keys: [jwk] });
test.each<[string, Answer, string]>([
  ['is not there', [404, ''], 'there is no key set at'],
  ['is a page', [200, '<html>'], 'there is no key set at'],
  ['is elsewhere', [302, '', { location: '/other' }], 'there is no key set at'],
  ['is no set', [200, '{"keys":"none"}'], 'has no RSA key that signs'],
  ['holds a secret only', [200, oneKey({ kty: 'oct', kid: 'a', k: 'AA' })], 'has no RSA key that signs'],
  ['holds a short key only', [200, oneKey(makeSigningKeys('a', 1024).jwk)], 'has no RSA key that signs'],
  ['holds one for encryption only', [200, oneKey({ ...makeSigningKeys('a').jwk, use: 'enc' })], 'has no RSA key'],
])('an issuer whose key set %s is told so', async (_what, answer, words) => {
  const answers: Readonly<Record<string, Answer>> = {
    '/.well-known/openid-configuration': [200, JSON.stringify({ issuer: oddUrl, jwks_uri: `${oddUrl}/keys` })],
    '/keys': answer,
    '/other': [200, oneKey(makeSigningKeys('a').jwk)],
  };
  odd.removeAllListeners('request').on('request', ({ url = '' }, response: ServerResponse) => {
    const [status, body, headers] = answers[url] ?? [404, ''];
    response.writeHead(status, headers).end(body);
  });
  const [only] = devEnvironment.issuers;
  const environment = parseEnvironment('dev', { ...devEnvironment, issuers: [{ ...only, url: oddUrl }] }, TARGET);
  const checks: Check[] = [];
  await examineIssuers(examiner('environment', checks), environment.issuers);
  expect(named(checks, 'issuer', 'environment')?.status).toBe('passed');
  expect(named(checks, 'keys of issuer', 'environment')).toMatchObject({
    status: 'failed',
    detail: containing(words),
    cure: containing('RS256'),
  });
});

describe('an access token belongs to', () => {
  const known = [{ url: 'https://a.example/' }, { name: 'partner', url: 'https://b.example/' }];
  const of = (iss: unknown) => makeKeys.sign({ iss });
  const makeKeys = makeSigningKeys('k');
  const [first, second] = [of('https://a.example/'), of('https://b.example/')];
  const nobody = { jwt: undefined, unentitledJwt: undefined };
  const tokens = (jwts: readonly string[], issuer?: string, unentitledJwt?: string) => ({
    jwts,
    issuer,
    unentitledJwt,
  });

  test.each<[string, Parameters<typeof callersOf>, ReturnType<typeof callersOf>]>([
    [
      'the issuer that it names',
      [tokens([second]), known],
      [
        { ...nobody, issuer: undefined },
        { ...nobody, issuer: 'partner', jwt: second },
      ],
    ],
    [
      'the issuer that it names, each one',
      [tokens([second, first], undefined, second), known],
      [
        { ...nobody, issuer: undefined, jwt: first },
        { issuer: 'partner', jwt: second, unentitledJwt: second },
      ],
    ],
    [
      'the first issuer, if nobody can read it',
      [tokens(['a.b.c']), known],
      [
        { ...nobody, issuer: undefined, jwt: 'a.b.c' },
        { ...nobody, issuer: 'partner' },
      ],
    ],
    [
      'the issuer that the option names',
      [tokens([first], 'partner'), known],
      [
        { ...nobody, issuer: undefined },
        { ...nobody, issuer: 'partner', jwt: first },
      ],
    ],
    [
      'the only issuer, which the gateway compares',
      [tokens([second]), [{ url: 'https://a.example/' }]],
      [{ ...nobody, issuer: undefined, jwt: second }],
    ],
    [
      'the issuer that the option names, where no environment lists them',
      [tokens([second], 'any')],
      [{ ...nobody, issuer: 'any', jwt: second }],
    ],
    ['the first issuer, where nobody names one', [tokens([second])], [{ ...nobody, issuer: undefined, jwt: second }]],
  ])('%s', (_whose, given, callers) => {
    expect(callersOf(...given)).toEqual(callers);
  });

  test.each<[string, Parameters<typeof callersOf>, string]>([
    ['two of one issuer', [tokens([second, second]), known], 'Give one access token of partner, not several.'],
    ['two where one issuer is named', [tokens([first, second], 'partner'), known], 'of partner, not several'],
    ['a name that cannot be one', [tokens([], '/i/x')], '--issuer /i/x is none of the issuers.'],
  ])('nobody: %s', (_what, given, words) => {
    expect(() => callersOf(...given)).toThrow(UsageError);
    expect(() => callersOf(...given)).toThrow(words);
  });
});
