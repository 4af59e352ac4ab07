import { inspect } from 'node:util';
import type { Grant, MintOutcome } from '../../../functions/broker/ports.ts';
import { bare, beta, documented, INCIDENT, live, TEXT } from './errors.ts';
import { html, RawServer, raw, reply, type Act } from './raw-server.ts';
import {
  custom,
  customToken,
  fullToken,
  grant,
  rig,
  serviceGrant,
  SESSION,
  sessionToken,
  TOKEN,
  withPassword,
} from './rig.ts';

const server = new RawServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

async function mint20(act: Act, changes: Partial<Grant> = {}): Promise<MintOutcome> {
  server.will(act);
  const { issuer, clock } = rig(server.url);
  // Too short for a second attempt by the leaping clock, long enough for one on a busy machine.
  const outcome = await issuer.mint(grant(changes), clock.now() + 60_000);
  await issuer.close();
  return outcome;
}

async function mintV2(act: Act): Promise<MintOutcome> {
  server.will(reply(200, sessionToken({ token: SESSION })), act);
  const { issuer, by } = rig(server.url, { dialect: 'session-v2', credential: withPassword() });
  const outcome = await issuer.mint(serviceGrant(), by(60_000));
  await issuer.close();
  return outcome;
}

const day = 86_400_000;
const object = { kind: 'object', objectId: 'guid-of-a-liveboard' } as const;

describe('auth-2.0: a 200 with a token is minted, and says only what the reply says', () => {
  const times = { creation_time_in_millis: 1_700_000_000_000, expiration_time_in_millis: 1_700_000_300_000 };
  const rows: readonly (readonly [fact: string, changes: Partial<Grant>, body: object, minted: object])[] = [
    ['3.2 full', {}, fullToken(), { userName: 'alice', orgId: 1, kind: 'full', createdAt: 1_700_000_000_000 }],
    ['3.2 full, org null', {}, fullToken({ scope: { access_type: 'FULL', org_id: null } }), { kind: 'full' }],
    [
      '3.2 full, newer example with org_scope and one org',
      {},
      fullToken({
        scope: { access_type: 'FULL', org_id: 1, org_scope: 'SPECIFIC_ORGS', org_ids: [{ id: 1, name: 'acme' }] },
      }),
      { orgId: 1 },
    ],
    [
      '3.7 a token for several orgs is not for the one that was asked for',
      {},
      fullToken({
        scope: { access_type: 'FULL', org_id: 1, org_scope: 'SPECIFIC_ORGS', org_ids: [{ id: 1 }, { id: 2 }] },
      }),
      { orgId: -1 },
    ],
    [
      '3.7 a scope of orgs that is not known counts as more than one',
      {},
      fullToken({ scope: { access_type: 'FULL', org_id: 1, org_scope: 'ALL_ORGS' } }),
      { orgId: -1 },
    ],
    [
      '3.2 object',
      { rights: object },
      fullToken({ scope: { access_type: 'REPORT_BOOK_VIEW', org_id: 1, metadata_id: object.objectId } }),
      { kind: 'object', objectId: object.objectId },
    ],
    [
      '3.2 custom: user and org, not valid_for and scope',
      { rights: custom() },
      customToken(),
      { userName: 'alice', orgId: 1, kind: 'custom' },
    ],
    ['§8.9 another user shows', {}, fullToken({ valid_for_username: 'bob' }), { userName: 'bob' }],
    ['§8.9 another org shows', { rights: custom() }, customToken({ org: { id: 2, name: 'globex' } }), { orgId: 2 }],
    ['no user named: nobody', {}, fullToken({ valid_for_username: undefined }), { userName: '' }],
    [
      '3.2 life is the difference of their times',
      {},
      fullToken(times),
      { lifetimeMs: 300_000, longestLifetimeMs: 300_000 },
    ],
    [
      '3.2 [C] ten digits are seconds',
      {},
      fullToken({ creation_time_in_millis: 1_700_000_000, expiration_time_in_millis: 1_700_000_300 }),
      { lifetimeMs: 300_000, createdAt: 1_700_000_000_000 },
    ],
    [
      'no times: rely on nothing, fear a day',
      {},
      fullToken({ creation_time_in_millis: undefined, expiration_time_in_millis: null }),
      { lifetimeMs: 0, longestLifetimeMs: day },
    ],
    [
      'times in reverse: rely on nothing',
      {},
      fullToken({ expiration_time_in_millis: 1_600_000_000_000 }),
      { lifetimeMs: 0, longestLifetimeMs: day },
    ],
  ];
  test.each(rows)('%s', async (_fact, changes, body, minted) => {
    const outcome = await mint20(reply(200, body), changes);
    expect(outcome).toMatchObject({ outcome: 'minted', minted: { token: TOKEN, tokenType: 'Bearer', ...minted } });
  });

  test('an org that the reply does not name is absent, not guessed', async () => {
    const outcome = await mint20(reply(200, fullToken({ scope: { access_type: 'FULL', org_id: null } })));
    expect(outcome.outcome === 'minted' && 'orgId' in outcome.minted).toBe(false);
  });
});

describe('auth-2.0: anything else is not', () => {
  const rows: readonly (readonly [fact: string, act: Act, outcome: MintOutcome['outcome'], code: string])[] = [
    [
      '3.5 wrong key, documented',
      reply(401, documented(10097, TEXT.badKey)),
      'not-minted',
      'upstream-credential-refused',
    ],
    ['3.5 wrong key, live', reply(401, live(10097, TEXT.badKey)), 'not-minted', 'upstream-credential-refused'],
    [
      '3.5 wrong key, no outer error',
      reply(401, bare(10097, TEXT.badKey)),
      'not-minted',
      'upstream-credential-refused',
    ],
    [
      '3.5 trusted auth off',
      reply(403, documented(10023, TEXT.trustedAuthOff)),
      'not-minted',
      'upstream-trusted-auth-disabled',
    ],
    [
      '3.5 trusted auth off, v1',
      reply(500, live(10023, TEXT.trustedAuthOff)),
      'not-minted',
      'upstream-trusted-auth-disabled',
    ],
    ['3.5 10023 with another text', reply(403, live(10023, TEXT.noPermission)), 'not-minted', 'upstream-refused'],
    ['3.5 unknown user', reply(400, documented(10002, TEXT.noUser)), 'not-minted', 'user-not-provisioned'],
    ['3.5 unknown user, as 404', reply(404, live(10002, TEXT.noUser)), 'not-minted', 'user-not-provisioned'],
    ['3.5 unknown user, as 500', reply(500, live(10002, 'USER_NOT_FOUND')), 'not-minted', 'user-not-provisioned'],
    [
      '3.5 inactive user',
      reply(403, documented(10023, 'User account is inactive')),
      'not-minted',
      'user-not-provisioned',
    ],
    ['3.5 locked user', reply(403, live(10023, 'The user is locked.')), 'not-minted', 'user-not-provisioned'],
    [
      '3.5 user outside the org',
      reply(400, live(10002, 'User does not belong to the org')),
      'not-minted',
      'user-not-provisioned',
    ],
    [
      '3.5 org not accessible',
      reply(400, documented(10002, 'Org is not valid or accessible')),
      'not-minted',
      'user-not-provisioned',
    ],
    [
      '3.5 persist and variables',
      reply(400, documented(10002, 'persist_option NONE is not allowed')),
      'not-minted',
      'upstream-refused',
    ],
    [
      '3.5 neither credential',
      reply(400, documented(10002, 'Either secret_key or password must be given')),
      'not-minted',
      'upstream-refused',
    ],
    [
      '3.5 user_parameters off',
      reply(400, live(10000, 'JWT Beta endpoint is disabled')),
      'not-minted',
      'upstream-refused',
    ],
    ['2 known bug: 404', html(404, 'Not found'), 'not-minted', 'upstream-refused'],
    ['3.5 server fault, documented', reply(500, documented(10038, TEXT.fault)), 'not-minted', 'upstream-unavailable'],
    ['3.5 500 as a permission error', reply(500, live(10038, 'FORBIDDEN')), 'not-minted', 'upstream-refused'],
    ['500 without a body', reply(500, ''), 'unknown', 'upstream-unavailable'],
    ['500 of a proxy', reply(500, { error: 'Internal Server Error' }), 'unknown', 'upstream-unavailable'],
    ['502 of a proxy', html(502, 'Bad Gateway'), 'unknown', 'upstream-unavailable'],
    ['503 that does not say who speaks', reply(503, ''), 'unknown', 'upstream-unavailable'],
    ['504, in whatever shape', reply(504, documented(10038, 'gateway')), 'unknown', 'upstream-timeout'],
    [
      '500 that says that something timed out',
      reply(500, live(10038, 'Upstream timed out')),
      'unknown',
      'upstream-unavailable',
    ],
    ['3.5 maintenance page, 200', html(200, 'System Maintenance'), 'not-minted', 'upstream-invalid'],
    ['200 with another page', html(200, 'Sign in'), 'unknown', 'upstream-invalid'],
    ['200 with JSON of another shape', reply(200, { ok: true }), 'unknown', 'upstream-invalid'],
    ['200 with an array', reply(200, []), 'unknown', 'upstream-invalid'],
    ['200 with a blank token', reply(200, fullToken({ token: ' ' })), 'unknown', 'upstream-invalid'],
    ['200 with what cannot be a bearer', reply(200, fullToken({ token: 'two\nlines' })), 'unknown', 'upstream-invalid'],
    ['200 with an empty body', reply(200, ''), 'unknown', 'upstream-invalid'],
    ['204', reply(204, ''), 'unknown', 'upstream-invalid'],
    ['301 to https', reply(301, '', { location: 'https://elsewhere.example/' }), 'not-minted', 'upstream-invalid'],
    ['308', reply(308, '', { location: '/elsewhere' }), 'not-minted', 'upstream-invalid'],
    ['302, which v1 answers success with (5.5 K3)', reply(302, '', { location: '/' }), 'unknown', 'upstream-invalid'],
    ['303', reply(303, '', { location: '/' }), 'unknown', 'upstream-invalid'],
    ['not HTTP at all', raw('SSH-2.0-OpenSSH_9.2\r\n'), 'unknown', 'upstream-invalid'],
  ];
  test.each(rows)('%s', async (_fact, act, outcome, code) => {
    const answer = await mint20(act);
    expect(answer).toMatchObject({ outcome, failure: { code } });
    expect(server.requests).toHaveLength(1);
  });

  test('a redirect is not followed', async () => {
    await mint20(reply(307, '', { location: `${server.url}/elsewhere` }));
    expect(server.requests.map(({ path }) => path)).toEqual(['/api/rest/2.0/auth/token/full']);
  });

  test('the reason names status, code and incident, and nothing that ThoughtSpot wrote', async () => {
    const outcome = await mint20(reply(400, live(10002, `no such user alice ${TOKEN}`)));
    expect(outcome).toMatchObject({
      failure: {
        reason: `ThoughtSpot answered 400 (code 10002, incident ${INCIDENT}) to POST /api/rest/2.0/auth/token/full`,
      },
    });
    expect(inspect(outcome, { depth: 20, showHidden: true })).not.toMatch(/canary|alice/);
  });
});

describe('session-v2', () => {
  const life = (lifetimeMs: number, longestLifetimeMs = lifetimeMs): object => ({ lifetimeMs, longestLifetimeMs });
  test.each<readonly [fact: string, changes: object, minted: object]>([
    [
      '1.3 strings',
      {},
      { userName: 'svc-broker', tokenType: 'Bearer', createdAt: 1_700_000_000_000, ...life(300_000) },
    ],
    ['1.3 created in a format not stated', { tokenCreatedTime: 'Tue Nov 14 2023' }, life(300_000)],
    ['2 revision 9d1d0c12: milliseconds', { tokenExpiryDuration: '300000' }, life(300_000)],
    ['2 neither equals the request: both readings', { tokenExpiryDuration: '30000' }, life(30_000, 30_000_000)],
    ['a shorter life than asked, in seconds', { tokenExpiryDuration: '200' }, life(200_000)],
    ['1.3 all optional: no duration', { tokenExpiryDuration: undefined }, life(0, day)],
    ['a number where a string is due', { tokenExpiryDuration: 300 }, life(300_000)],
  ])('a token: %s', async (_fact, changes, minted) => {
    expect(await mintV2(reply(200, sessionToken(changes)))).toMatchObject({ outcome: 'minted', minted });
  });

  test.each<readonly [fact: string, act: Act, outcome: MintOutcome['outcome'], code: string]>([
    ['2 error body of 1.13.1', reply(500, beta(10002, TEXT.noUser)), 'not-minted', 'user-not-provisioned'],
    ['2 bad input in that shape', reply(500, beta(10002, 'bad tokenExpiryDuration')), 'not-minted', 'upstream-refused'],
    ['500 with HTML', html(500, 'oops'), 'unknown', 'upstream-unavailable'],
    ['500 without a body', reply(500, ''), 'unknown', 'upstream-unavailable'],
    [
      '1.3 blank token, cookie type',
      reply(200, sessionToken({ token: '', tokenType: 'Cookie' })),
      'unknown',
      'upstream-invalid',
    ],
    ['200 with nonsense', reply(200, 'true'), 'unknown', 'upstream-invalid'],
    ['200 with HTML', html(200, 'Sign in'), 'unknown', 'upstream-invalid'],
  ])('no token: %s', async (_fact, act, outcome, code) => {
    expect(await mintV2(act)).toMatchObject({ outcome, failure: { code } });
  });
});
