import type { SessionInfo } from '../../../functions/broker/ports.ts';
import type { DialectName } from '../../../functions/thoughtspot/rejection.ts';
import { bare, beta, documented, live, TEXT } from './errors.ts';
import { html, lose, RawServer, reply, type Act } from './raw-server.ts';
import { rig, TOKEN, withPassword } from './rig.ts';

const server = new RawServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

async function revoke(dialect: DialectName, ...acts: Act[]): Promise<unknown> {
  server.will(...acts);
  const { issuer, by } = rig(server.url, { dialect, credential: withPassword() });
  const outcome = await issuer.revoke(TOKEN, 'alice', by(60_000));
  await issuer.close();
  return outcome;
}

async function sessionInfo(dialect: DialectName, act: Act): Promise<SessionInfo | undefined> {
  server.will(act);
  const { issuer, by } = rig(server.url, { dialect, credential: withPassword() });
  return issuer.sessionInfo(TOKEN, by(60_000)).finally(() => issuer.close());
}

describe('a revocation is confirmed by', () => {
  test.each<readonly [fact: string, dialect: DialectName, act: Act]>([
    ['3.3: 204', 'auth-2.0', reply(204, '')],
    ['3.3: 200 before 9.5.0.cl', 'auth-2.0', reply(200, '')],
    ['1.1: JSON true', 'session-v2', reply(200, 'true')],
  ])('%s', async (_fact, dialect, act) => {
    expect(await revoke(dialect, act)).toEqual({ outcome: 'dead' });
  });
});

describe('a token is not accepted now, which confirms nothing, after', () => {
  test.each<readonly [fact: string, dialect: DialectName, act: Act]>([
    ['3.5: 401', 'auth-2.0', reply(401, documented(10097, 'Unauthorized'))],
    ['401, live shape', 'auth-2.0', reply(401, live(10097, 'Unauthorized'))],
    ['401, live shape without the outer error', 'auth-2.0', reply(401, bare(10097, 'Unauthorized'))],
    ['401', 'session-v2', reply(401, documented(10097, 'Unauthorized'))],
    ['500 with the code of a bearer that is not accepted', 'session-v2', reply(500, beta(10097, 'Unauthorized'))],
  ])('%s', async (_fact, dialect, act) => {
    expect(await revoke(dialect, act)).toEqual({ outcome: 'not-accepted' });
  });
});

describe('a revocation has to be tried again after', () => {
  test.each<readonly [fact: string, dialect: DialectName, code: string, act: Act]>([
    [
      '400 for another reason',
      'auth-2.0',
      'upstream-refused',
      reply(400, documented(10002, 'user_identifier or token must be given')),
    ],
    [
      '400 that speaks of input and, apart from that, of the token',
      'auth-2.0',
      'upstream-refused',
      reply(400, documented(10002, 'Invalid input: user_identifier or token is required')),
    ],
    ['400 in HTML that speaks of an invalid token', 'auth-2.0', 'upstream-refused', html(400, 'Invalid token')],
    ['3.4 point 4: 403', 'auth-2.0', 'upstream-refused', reply(403, live(10023, TEXT.noPermission))],
    ['404', 'auth-2.0', 'upstream-refused', reply(404, '')],
    ['3.8: 400, could not', 'auth-2.0', 'upstream-refused', reply(400, documented(10002, TEXT.notRevoked))],
    ['3.8: 400, CSRF', 'auth-2.0', 'upstream-refused', reply(400, documented(10002, 'Invalid CSRF token'))],
    ['400, expired', 'auth-2.0', 'upstream-refused', reply(400, documented(10002, 'Token has expired'))],
    ['400, revoked already', 'auth-2.0', 'upstream-refused', reply(400, live(10002, 'The token was already revoked'))],
    ['200 with an error', 'auth-2.0', 'upstream-invalid', reply(200, documented(10002, TEXT.notRevoked))],
    ['200 with JSON', 'auth-2.0', 'upstream-invalid', reply(200, {})],
    ['200 with JSON true', 'auth-2.0', 'upstream-invalid', reply(200, 'true')],
    ['401 without a body', 'auth-2.0', 'upstream-invalid', reply(401, '')],
    ['401 of a gateway', 'auth-2.0', 'upstream-invalid', reply(401, { message: 'Unauthorized' })],
    ['401 of a login wall', 'auth-2.0', 'upstream-invalid', html(401, 'Sign in')],
    ['200 with a page', 'auth-2.0', 'upstream-invalid', html(200, 'Sign in')],
    ['202', 'auth-2.0', 'upstream-invalid', reply(202, '')],
    ['302', 'auth-2.0', 'upstream-invalid', reply(302, '', { location: '/' })],
    ['429', 'auth-2.0', 'upstream-busy', reply(429, '')],
    ['500', 'auth-2.0', 'upstream-unavailable', reply(500, documented(10038, TEXT.fault))],
    [
      '500 that speaks of an invalid token',
      'auth-2.0',
      'upstream-unavailable',
      reply(500, documented(10038, 'Token not found')),
    ],
    ['503', 'auth-2.0', 'upstream-unavailable', html(503, 'Site Maintenance')],
    ['504', 'auth-2.0', 'upstream-timeout', reply(504, '')],
    ['a lost reply', 'auth-2.0', 'upstream-unavailable', lose],
    ['1.4: false', 'session-v2', 'upstream-invalid', reply(200, 'false')],
    ['1.4: the JSON string "true"', 'session-v2', 'upstream-invalid', reply(200, '"true"')],
    ['1.1: 200 without a body', 'session-v2', 'upstream-invalid', reply(200, '')],
    ['1.1: 200 with an error', 'session-v2', 'upstream-invalid', reply(200, beta(10002, TEXT.notRevoked))],
    ['401 without a body', 'session-v2', 'upstream-invalid', reply(401, '')],
    ['1.4: an object', 'session-v2', 'upstream-invalid', reply(200, {})],
    ['1.4: 204', 'session-v2', 'upstream-invalid', reply(204, '')],
    [
      '1.1: 500, "failed or unauthorized" proves nothing',
      'session-v2',
      'upstream-credential-refused',
      reply(500, { error: 'x' }),
    ],
    ['500 without a body', 'session-v2', 'upstream-unavailable', reply(500, '')],
  ])('%s', async (_fact, dialect, code, act) => {
    expect(await revoke(dialect, act)).toMatchObject({ outcome: 'retry', failure: { code } });
  });
});

test('a revocation whose reply is lost is sent again, and that the bearer is not accepted then confirms nothing', async () => {
  const gone = reply(401, documented(10097, 'Unauthorized'));
  expect(await revoke('auth-2.0', lose, gone)).toEqual({ outcome: 'not-accepted' });
  expect(server.requests).toHaveLength(2);
});

describe('session information', () => {
  const user = {
    id: 'guid',
    name: 'alice',
    display_name: 'Alice A.',
    email: 'alice@acme.example',
    account_status: 'ACTIVE',
    current_org: { id: 1, name: 'acme' },
    privileges: ['DATADOWNLOADING'],
    expiration_time_in_millis: 1675171235,
    token: TOKEN,
  };
  test('of auth-2.0 is given in the words of the beta, without a token (3.3)', async () => {
    expect(await sessionInfo('auth-2.0', reply(200, user))).toEqual({
      userName: 'alice',
      userId: 'guid',
      orgId: 1,
      details: {
        userDisplayName: 'Alice A.',
        userEmail: 'alice@acme.example',
        state: 'ACTIVE',
        privileges: ['DATADOWNLOADING'],
      },
    });
  });

  test('of session-v2 leaves out the token and what the model does not know (1.3)', async () => {
    const info = { userName: 'svc', userGUID: 'guid', authToken: TOKEN, timezone: 'UTC', locale: null, other: TOKEN };
    expect(await sessionInfo('session-v2', reply(200, info))).toEqual({
      userName: 'svc',
      userId: 'guid',
      details: { timezone: 'UTC' },
    });
  });

  test.each<readonly [fact: string, dialect: DialectName, act: Act]>([
    ['3.5: 401', 'auth-2.0', reply(401, live(10097, 'Unauthorized'))],
    ['1.1: 500', 'session-v2', reply(500, { error: 'Operation failed or unauthorized request' })],
    ['2: 500 with its code', 'session-v2', reply(500, beta(10097, 'Unauthorized'))],
  ])('is undefined where the token is not accepted: %s', async (_fact, dialect, act) => {
    expect(await sessionInfo(dialect, act)).toBeUndefined();
  });

  test.each<readonly [fact: string, dialect: DialectName, code: string, act: Act]>([
    ['a page', 'auth-2.0', 'upstream-invalid', html(200, 'Sign in')],
    ['a page of a login wall', 'auth-2.0', 'upstream-invalid', html(401, 'Sign in')],
    ['JSON without a name', 'auth-2.0', 'upstream-invalid', reply(200, { id: 'guid' })],
    ['a fault', 'auth-2.0', 'upstream-unavailable', reply(500, documented(10038, TEXT.fault))],
    ['too many requests', 'session-v2', 'upstream-busy', reply(429, '')],
  ])('fails on %s', async (_fact, dialect, code, act) => {
    await expect(sessionInfo(dialect, act)).rejects.toMatchObject({ name: 'Failure', code });
  });
});
