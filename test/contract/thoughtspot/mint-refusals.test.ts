/** Refusals that are nobody's fault at the broker: an object that is not there, and a variable that others change. */
import type { Grant } from '../../../functions/broker/ports.ts';
import { documented, live, TEXT } from './errors.ts';
import { html, RawServer, reply, type Act } from './raw-server.ts';
import { custom, customToken, fullToken, grant, OTHER_SECRET_KEY, rig, withKey } from './rig.ts';

const server = new RawServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

describe('an object that ThoughtSpot does not have', () => {
  const rights = { kind: 'object', objectId: 'guid-of-a-liveboard' } as const;
  const callers = { rights, callersObject: true } as const;
  test.each<readonly [string, Act, Partial<Grant>, string]>([
    [
      '400, of the caller’s choice',
      reply(400, documented(10002, 'The object does not exist')),
      callers,
      'object-not-available',
    ],
    ['404, live', reply(404, live(10002, 'Could not find it')), callers, 'object-not-available'],
    ['400, whatever it says', reply(400, documented(10002, 'Bad input')), callers, 'object-not-available'],
    [
      "on the policy's own list",
      reply(400, documented(10002, 'The object does not exist')),
      { rights },
      'upstream-refused',
    ],
    ['in a page of somebody else', html(404, 'Not found'), callers, 'upstream-refused'],
    ['and a user who is not there', reply(400, documented(10002, TEXT.noUser)), callers, 'user-not-provisioned'],
    ['403, no access', reply(403, documented(10023, TEXT.noPermission)), callers, 'object-not-available'],
    ['500 as a permission error', reply(500, live(10038, 'FORBIDDEN')), callers, 'object-not-available'],
    [
      'and trusted authentication off',
      reply(403, live(10023, TEXT.trustedAuthOff)),
      callers,
      'upstream-trusted-auth-disabled',
    ],
    ['and a wrong key', reply(401, live(10097, TEXT.badKey)), callers, 'upstream-credential-refused'],
  ])('%s', async (_fact, act, changes, code) => {
    server.will(act);
    const { issuer, by } = rig(server.url);
    expect(await issuer.mint(grant(changes), by(60_000))).toMatchObject({ outcome: 'not-minted', failure: { code } });
    await issuer.close();
  });
});

describe('a refusal in none of ThoughtSpot’s own shapes is the word of somebody on the way', () => {
  const shapes: readonly (readonly [string, (status: number) => Act])[] = [
    ['a page', (status) => html(status, 'Access denied: the user account is not known here')],
    ['nothing', (status) => reply(status, '')],
    ['text', (status) => reply(status, 'Forbidden by administrative rules')],
    ["an API gateway's JSON", (status) => reply(status, { message: 'Forbidden' })],
    ["a proxy's JSON", (status) => reply(status, { error: 'trusted authentication is not enabled for this cluster' })],
  ];
  const rows = shapes.flatMap(([shape, act]) => [401, 403, 407].map((status) => [status, shape, act(status)] as const));
  test.each(rows)('%i with %s: no token was made, and no credential is blamed', async (status, _shape, act) => {
    server.will(act);
    const { issuer, by, signals, refused } = rig(server.url, { replacement: withKey(OTHER_SECRET_KEY) });
    expect(await issuer.mint(grant(), by(60_000))).toMatchObject({
      outcome: 'not-minted',
      failure: {
        code: 'upstream-invalid',
        reason: expect.stringMatching(`^somebody on the way to ThoughtSpot answered ${status}`) as string,
      },
    });
    expect([server.requests.length, refused, signals]).toEqual([1, [], []]);
    await issuer.close();
  });
});

describe('3.8 409, a concurrent update of the same variable', () => {
  const conflict = reply(409, documented(10002, 'A concurrent update of the variable was detected.'));
  const writing = { rights: custom({ persist: 'REPLACE', variables: [{ name: 'v', values: ['1'] }] }) };
  test.each<readonly [string, Partial<Grant>, object]>([
    ['of a mint that writes', writing, customToken()],
    ['of a mint that does not', {}, fullToken()],
  ])('%s is sent again until it gets through, however often', async (_name, changes, token) => {
    server.will(...Array.from({ length: 9 }, () => conflict), reply(200, token));
    const { issuer, by, signals } = rig(server.url);
    expect(await issuer.mint(grant(changes), by(60_000))).toMatchObject({ outcome: 'minted' });
    expect(server.requests).toHaveLength(10);
    expect(signals).toEqual(['upstream-clock-offset']);
    await issuer.close();
  });

  test('that lasts is not minted, for certain, and the caller may ask again', async () => {
    server.will(conflict);
    const { issuer, clock } = rig(server.url);
    const deadline = clock.now() + 5_000;
    const outcome = await issuer.mint(grant(writing), deadline);
    expect(outcome).toMatchObject({
      outcome: 'not-minted',
      failure: { code: 'upstream-conflict', retryAfterMs: 1_000 },
    });
    expect(server.requests.length).toBeGreaterThan(4);
    expect(clock.now()).toBeLessThan(deadline);
    await issuer.close();
  });
});
