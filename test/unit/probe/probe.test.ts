import { Failure } from '../../../functions/broker/failure.ts';
import type { Answered, Asked } from '../../../functions/probe/ask.ts';
import { parseProberSecret } from '../../../functions/probe/credential.ts';
import { makeProbe } from '../../../functions/probe/probe.ts';

const BROKER = 'https://tokens.example.com';
const SECRET = {
  tokenUrl: 'https://login.example.com/oauth/token',
  clientId: 'prober',
  clientSecret: 'canary-client-secret',
  scope: 'broker:token',
  unentitled: { clientId: 'stranger', clientSecret: 'canary-other-secret' },
};
const STEPS = [
  'sign-in',
  'forged-token-refused',
  'gettoken',
  'sessioninfo',
  'revoketoken',
  'revoked-token-dead',
  'unentitled-refused',
];

type Answer = (asked: Asked) => Answered;

/** Issuer, broker and ThoughtSpot as a healthy prober finds them; `faults` answer in their place, by path. */
function world(faults: Readonly<Record<string, Answer>> = {}, { forgets = true, knows = true } = {}) {
  let alive = false;
  let now = 0;
  const asked: [string, Asked][] = [];
  const emitted: string[] = [];
  const logged: unknown[] = [];
  const concealed: string[] = [];
  const json = (status: number, body: object = {}): Answered => ({ status, json: { ...body } });
  const as = ({ headers }: Asked) => headers['authorization'];
  const answers: Record<string, Answer> = {
    '/oauth/token': (request) => {
      const basic = Buffer.from(String(as(request)).replace('Basic ', ''), 'base64').toString();
      return json(200, { access_token: basic.startsWith('prober:') ? 'a.b.signature' : 'c.d.signature' });
    },
    '/gettoken': (request) => {
      if (as(request) === 'Bearer c.d.signature') return json(403, { code: 'not-entitled' });
      if (as(request) !== 'Bearer a.b.signature') return json(401);
      alive = knows;
      return json(200, { token: 'canary-token', leaseId: 'lease-1', userName: 'probe' });
    },
    '/sessioninfo': () => json(200, { userName: 'probe' }),
    '/revoketoken': () => {
      alive &&= !forgets;
      return json(200, { revoked: 1, pending: 0 });
    },
  };
  const log = (...line: unknown[]) => void logged.push(line);
  const probe = makeProbe({
    brokerUrl: BROKER,
    credential: () => Promise.resolve(parseProberSecret(JSON.stringify(SECRET))),
    ask: (url, request) => {
      const { pathname } = new URL(url);
      asked.push([pathname, request]);
      return Promise.resolve((faults[pathname] ?? answers[pathname] ?? (() => json(404)))(request));
    },
    thoughtspot: { sessionInfo: () => Promise.resolve(alive ? { userName: 'probe', details: {} } : undefined) },
    clock: { now: () => now, sleep: (ms) => Promise.resolve(void (now += ms)) },
    signals: { emit: (signal) => void emitted.push(signal) },
    log: { info: log, warn: log, error: log },
    conceal: (secret) => void concealed.push(secret),
  });
  return { probe: () => probe(60_000), asked, emitted, logged, concealed, isAlive: () => alive };
}

test('a healthy broker passes every step, and the token of the probe is dead', async () => {
  const { probe, asked, emitted, concealed, isAlive } = world();
  expect(await probe()).toEqual({ passed: STEPS, failed: [] });
  expect(emitted).toEqual(['probe-latency']);
  expect(isAlive()).toBe(false);
  expect(concealed).toEqual(expect.arrayContaining(['a.b.signature', 'canary-token']));
  const [, signIn] = asked[0] ?? [];
  expect(signIn?.body).toBe('grant_type=client_credentials&scope=broker%3Atoken');
  const minting = asked.find(([path, { body }]) => path === '/gettoken' && body !== undefined);
  expect(minting?.[1].body).toBe('{"fresh":true}');
});

const status =
  (code: number, body: object = {}): Answer =>
  () => ({ status: code, json: { ...body } });

test.each<[string, string, Readonly<Record<string, Answer>>, Parameters<typeof world>[1]?]>([
  ['the issuer refuses the client', 'sign-in: the issuer answered 401', { '/oauth/token': status(401) }],
  ['anybody gets in', 'forged-token-refused: answered 200 instead of 401', { '/gettoken': status(200) }],
  [
    'no token is to be had',
    'gettoken: answered 502 upstream-refused instead of 200',
    { '/gettoken': status(502, { code: 'upstream-refused' }) },
  ],
  [
    'the token is for another user',
    'sessioninfo: it describes another',
    { '/sessioninfo': status(200, { userName: 'x' }) },
  ],
  ['ThoughtSpot does not know the token', 'sessioninfo: ThoughtSpot does not take', {}, { knows: false }],
  ['a revocation is put off', 'revoketoken: answered 202 instead of 200', { '/revoketoken': status(202) }],
  ['a revoked token lives', 'revoked-token-dead: ThoughtSpot still takes', {}, { forgets: false }],
])('if %s, that step fails and rings once', async (_title, fault, faults, options = {}) => {
  const { probe, emitted, logged } = world(faults, options);
  const { failed } = await probe();
  expect(failed.some((line) => line.startsWith(fault))).toBe(true);
  expect(emitted.filter((signal) => signal === 'probe-failed')).toHaveLength(1);
  expect(JSON.stringify(logged)).toContain(fault);
  expect(JSON.stringify(logged)).not.toMatch(/canary|signature/);
});

test('a caller without rights who gets a token rings', async () => {
  const granted: Answer = ({ headers }) => {
    const bearer = headers['authorization'];
    return bearer === 'Bearer a.b.signature' || bearer === 'Bearer c.d.signature'
      ? { status: 200, json: { token: 't', leaseId: 'l', userName: 'probe' } }
      : { status: 401, json: {} };
  };
  const { probe, emitted } = world({ '/gettoken': granted });
  expect((await probe()).failed).toContain('unentitled-refused: answered 200 instead of 403');
  expect(emitted).toContain('probe-failed');
});

test('the token is revoked though the look at it failed', async () => {
  const { probe, isAlive } = world({ '/sessioninfo': status(500) });
  expect((await probe()).failed).toEqual(['sessioninfo: answered 500 instead of 200']);
  expect(isAlive()).toBe(false);
});

describe("the prober's secret", () => {
  test.each<[string, string]>([
    [
      JSON.stringify({ ...SECRET, issuer: '/i/partner' }),
      "the prober's secret: $.issuer: is not the name of an issuer",
    ],
    ['canary{', 'is not JSON'],
    [JSON.stringify({ ...SECRET, clientSecret: '' }), '$.clientSecret: is empty'],
    [JSON.stringify({ ...SECRET, tokenUrl: 'http://login.example.com/canary' }), '$.tokenUrl: is no https URL'],
    [JSON.stringify({ ...SECRET, unentitled: { clientId: 'x' } }), '$.unentitled.clientSecret: is missing'],
    [JSON.stringify({ ...SECRET, clientId: 'canary \ud800' }), '$.clientId: holds half a character'],
  ])('%s is refused without a value of it', (text, reason) => {
    const parse = () => parseProberSecret(text);
    expect(parse).toThrow(Failure);
    expect(parse).toThrow(reason);
    expect(parse).not.toThrow(/canary/);
  });
});
