import { inspect } from 'node:util';
import { Failure } from '../../../functions/broker/failure.ts';
import type { Credential, Grant } from '../../../functions/broker/ports.ts';
import { beta, documented, TEXT } from './errors.ts';
import { html, lose, RawServer, reply } from './raw-server.ts';
import {
  custom,
  fullToken,
  grant,
  OTHER_SECRET_KEY,
  PASSWORD,
  rig,
  SECRET_KEY,
  serviceGrant,
  SESSION,
  sessionToken,
  TOKEN,
  withKey,
  withPassword,
} from './rig.ts';

const server = new RawServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

const refusal = reply(401, documented(10097, TEXT.badKey));
const minted = reply(200, fullToken());
const keysSent = (): unknown[] =>
  server.requests.map(({ body }) => (JSON.parse(body) as { secret_key: unknown }).secret_key);

describe('a credential that ThoughtSpot refuses', () => {
  test('is replaced once, and the mint repeated once', async () => {
    server.will(refusal, minted);
    const { issuer, by, refused, signals } = rig(server.url, { replacement: withKey(OTHER_SECRET_KEY) });
    expect(await issuer.mint(grant(), by())).toMatchObject({ outcome: 'minted' });
    expect(keysSent()).toEqual([SECRET_KEY, OTHER_SECRET_KEY]);
    expect(refused).toHaveLength(1);
    expect(signals).toEqual(['upstream-clock-offset']);
    await issuer.close();
  });

  test('pages when the replacement is refused too, and no third is asked for', async () => {
    server.will(refusal);
    const { issuer, by, refused, signals } = rig(server.url, { replacement: withKey(OTHER_SECRET_KEY) });
    const outcome = await issuer.mint(grant(), by());
    expect(outcome).toMatchObject({ outcome: 'not-minted', failure: { code: 'upstream-credential-refused' } });
    expect(server.requests).toHaveLength(2);
    expect(refused).toHaveLength(1);
    expect(signals).toEqual(['upstream-credential-refused']);
    await issuer.close();
  });

  test.each([
    ['the store has no other', undefined],
    ['the store cannot be asked', new Failure('secret-unavailable')],
  ])('pages when %s, after one call', async (_name, replacement) => {
    server.will(refusal);
    const { issuer, by, signals } = rig(server.url, replacement === undefined ? {} : { replacement });
    const outcome = await issuer.mint(grant(), by());
    expect(outcome).toMatchObject({ outcome: 'not-minted', failure: { code: 'upstream-credential-refused' } });
    expect(server.requests).toHaveLength(1);
    expect(signals).toEqual(['upstream-credential-refused']);
    await issuer.close();
  });

  test('is not asked to be replaced for any other refusal', async () => {
    server.will(reply(403, documented(10023, TEXT.trustedAuthOff)));
    const { issuer, by, refused } = rig(server.url, { replacement: withKey(OTHER_SECRET_KEY) });
    await issuer.mint(grant(), by());
    expect(refused).toHaveLength(0);
    await issuer.close();
  });
});

test('no credential at all: nothing is sent, and the failure is that of its source', async () => {
  server.will(minted);
  const { issuer, by } = rig(server.url, { credential: new Failure('secret-unavailable') });
  expect(await issuer.mint(grant(), by())).toMatchObject({
    outcome: 'not-minted',
    failure: { code: 'secret-unavailable' },
  });
  expect(server.requests).toHaveLength(0);
  await issuer.close();
});

describe('nothing is sent for a grant that the dialect cannot mint', () => {
  const jit = { provisioning: { groups: [] } };
  test.each<readonly [string, 'auth-2.0' | 'session-v2', Credential, Grant]>([
    ['auth-2.0: a password, and another user', 'auth-2.0', withPassword(), grant()],
    ['auth-2.0: a password, and provisioning', 'auth-2.0', withPassword(), serviceGrant(jit)],
    ['session-v2: a secret key', 'session-v2', withKey(), serviceGrant()],
    ['session-v2: another user', 'session-v2', withPassword(), grant()],
    ['session-v2: not marked as the service account', 'session-v2', withPassword(), grant({ user: 'svc-broker' })],
    ['session-v2: another service account', 'session-v2', withPassword(), serviceGrant({ user: 'svc-other' })],
    [
      'session-v2: a narrower token',
      'session-v2',
      withPassword(),
      serviceGrant({ rights: { kind: 'object', objectId: 'x' } }),
    ],
    ['session-v2: a custom token', 'session-v2', withPassword(), serviceGrant({ rights: custom() })],
    ['session-v2: provisioning', 'session-v2', withPassword(), serviceGrant(jit)],
  ])('%s', async (_name, dialect, credential, wanted) => {
    server.will(minted);
    const { issuer, by } = rig(server.url, { dialect, credential });
    expect(await issuer.mint(wanted, by())).toMatchObject({
      outcome: 'not-minted',
      failure: { code: 'misconfigured' },
    });
    expect(server.requests).toHaveLength(0);
    await issuer.close();
  });
});

describe('the session of the service account in session-v2', () => {
  const login = (changes: object = {}) => reply(200, sessionToken({ token: SESSION, ...changes }));
  const token = reply(200, sessionToken());
  const refused = reply(500, { error: 'Operation failed or unauthorized request' });
  const v2 = { dialect: 'session-v2', credential: withPassword() } as const;
  const calls = (): string[] => server.requests.map(({ path }) => path.slice('/api/rest/v2/session/'.length));

  test('is opened once and kept', async () => {
    server.will(login(), token);
    const { issuer, by } = rig(server.url, v2);
    await issuer.mint(serviceGrant(), by());
    await issuer.mint(serviceGrant(), by());
    expect(calls()).toEqual(['login', 'gettoken', 'gettoken']);
    await issuer.close();
  });

  test('is opened once for mints at the same time', async () => {
    server.will(login(), token);
    const { issuer, by } = rig(server.url, v2);
    await Promise.all([1, 2, 3].map(() => issuer.mint(serviceGrant(), by())));
    expect(calls()).toEqual(['login', 'gettoken', 'gettoken', 'gettoken']);
    await issuer.close();
  });

  test('is opened again shortly before its end', async () => {
    server.will(login({ tokenExpiryDuration: '3600' }), token, token, login(), token);
    const { issuer, by, clock } = rig(server.url, { ...v2, random: 0 });
    await issuer.mint(serviceGrant(), by());
    await clock.sleep(1_000);
    await issuer.mint(serviceGrant(), by());
    await clock.sleep(3_600_000);
    await issuer.mint(serviceGrant(), by());
    expect(calls()).toEqual(['login', 'gettoken', 'gettoken', 'login', 'gettoken']);
    await issuer.close();
  });

  test.each([
    ['500, as documented', refused],
    ['500 with its code', reply(500, beta(10097, 'Unauthorized'))],
    ['401 in its error model', reply(401, { error: 'Unauthorized' })],
    ['401 that does not say who speaks', reply(401, '')],
  ])('is opened again when it is refused: %s', async (_name, refusedAct) => {
    server.will(login(), token, refusedAct, login({ token: 'another-session' }), token);
    const { issuer, by, signals } = rig(server.url, v2);
    await issuer.mint(serviceGrant(), by());
    expect(await issuer.mint(serviceGrant(), by())).toMatchObject({ outcome: 'minted' });
    expect(calls()).toEqual(['login', 'gettoken', 'gettoken', 'login', 'gettoken']);
    expect(server.requests[4]?.headers.authorization).toBe('Bearer another-session');
    expect(signals).not.toContain('upstream-credential-refused');
    await issuer.close();
  });

  test('that is refused when it is new has the credential replaced, once', async () => {
    server.will(login(), refused, login(), token);
    const { issuer, by, refused: reported } = rig(server.url, { ...v2, replacement: withPassword('canary-new') });
    expect(await issuer.mint(serviceGrant(), by())).toMatchObject({ outcome: 'minted' });
    expect(calls()).toEqual(['login', 'gettoken', 'login', 'gettoken']);
    expect(JSON.parse(server.requests[2]?.body ?? '')).toMatchObject({ password: 'canary-new' });
    expect(reported).toHaveLength(1);
    await issuer.close();
  });

  test.each([
    ['is refused', refused, 'upstream-credential-refused'],
    ['is answered with a page', html(200, 'Sign in'), 'upstream-invalid'],
    ['gives a cookie instead of a token', login({ token: '', tokenType: 'Cookie' }), 'upstream-invalid'],
    ['is lost', lose, 'upstream-unavailable'],
  ])('whose login %s mints nothing', async (_name, act, code) => {
    server.will(act);
    const { issuer, by } = rig(server.url, v2);
    expect(await issuer.mint(serviceGrant(), by())).toMatchObject({ outcome: 'not-minted', failure: { code } });
    expect(calls()).toEqual(['login']);
    await issuer.close();
  });
});

test('no secret and no token is in what is logged or thrown, whatever goes wrong', async () => {
  const said: unknown[] = [];
  for (const dialect of ['auth-2.0', 'session-v2'] as const) {
    for (const act of [refusal, reply(500, `${SECRET_KEY} ${PASSWORD} ${TOKEN}`), html(200, TOKEN), lose]) {
      server.will(reply(200, sessionToken({ token: SESSION })), act);
      const credential = dialect === 'auth-2.0' ? withKey() : withPassword();
      const { issuer, by, logged } = rig(server.url, { dialect, credential });
      said.push(await issuer.mint(dialect === 'auth-2.0' ? grant() : serviceGrant(), by(300)));
      server.will(act);
      said.push(await issuer.revoke(TOKEN, 'alice', by(300)));
      said.push(await issuer.sessionInfo(TOKEN, by(300)).catch((error: unknown) => error));
      said.push(logged, issuer);
      await issuer.close();
    }
  }
  const minted = (outcome: unknown): boolean => inspect(outcome).includes("outcome: 'minted'");
  const text = said.filter((outcome) => !minted(outcome)).map((what) => inspect(what, { depth: 20, showHidden: true }));
  expect(text.length).toBeGreaterThan(30);
  expect(text.join('\n')).not.toMatch(/canary/);
});
