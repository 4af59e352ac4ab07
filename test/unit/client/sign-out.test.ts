/** Signing out and in again, in the same page and with the same provider. */
import { accessToken, problem } from './broker-stand-in.ts';
import { type TokenError } from '../../../client/token-provider.ts';
import { ask, never, pass, status, useRig } from './rig.ts';

const rig = useRig();

test('another user starts anew', async () => {
  let user = 'alice';
  const made = rig.open({ getAccessToken: () => accessToken(user) });
  await ask(made);
  await made.signOut();
  expect(await ask(made)).toBe('signed-out');
  user = 'carol';
  expect([await ask(made), status(made)]).toEqual(['token-2', 'live']);
});

test('the same user starts anew by signIn()', async () => {
  const made = rig.open();
  await ask(made);
  await made.signOut();
  made.signIn();
  expect([await ask(made), status(made)]).toEqual(['token-2', 'live']);
});

test('who signs in while the sign-out is under way gets a token that it does not revoke', async () => {
  const made = rig.open();
  await ask(made);
  rig.broker.held = [];
  const left = made.signOut();
  made.signIn();
  const asked = made.getAuthToken();
  await pass(100);
  expect(rig.broker.asked.map(({ path }) => path)).toEqual(['/gettoken', '/revoketoken']);
  rig.broker.held.shift()?.();
  await left;
  await pass(100);
  rig.broker.held.shift()?.();
  expect(await asked).toBe('token-2');
});

test('a sign-out that the broker did not confirm is tried again by the next call', async () => {
  const made = rig.open();
  await ask(made);
  rig.broker.next(() => problem(500, 'internal-error'));
  await expect(made.signOut()).rejects.toMatchObject({ code: 'internal-error' });
  expect(await ask(made)).toBe('signed-out');
  await made.signOut();
  await made.signOut();
  expect(rig.broker.asked.map(({ path }) => path)).toEqual(['/gettoken', '/revoketoken', '/revoketoken']);
});

test('a sign-out ends every grant of the page, and the SDK’s own copy', async () => {
  const [one, other] = [rig.open(), rig.open({ grant: 'regional' })];
  await ask(one);
  await ask(other);
  Reflect.set(globalThis, '_tsEmbedSDK', { cachedAuthToken: 'token-2' });
  await one.signOut();
  expect([status(other), await ask(other)]).toEqual(['signed-out', 'signed-out']);
  expect(Reflect.get(globalThis, '_tsEmbedSDK')).toEqual({ cachedAuthToken: null });
});

test('a page that has forgotten its user already signs out with the last access token', async () => {
  let gone = false;
  const made = rig.open({ getAccessToken: () => (gone ? Promise.reject(new Error('gone')) : accessToken('alice')) });
  await ask(made);
  gone = true;
  await made.signOut();
  expect(rig.broker.asked.at(-1)).toMatchObject({ path: '/revoketoken', bearer: `Bearer ${accessToken('alice')}` });
});

test('a sign-out of alice never revokes what carol holds', async () => {
  let user = 'alice';
  const made = rig.open({ getAccessToken: () => accessToken(user) });
  await ask(made);
  user = 'carol';
  await made.signOut();
  expect(rig.broker.asked.at(-1)).toMatchObject({ path: '/revoketoken', bearer: `Bearer ${accessToken('alice')}` });
});

test('a page that signs out before it asked for anything revokes, and takes no token any more', async () => {
  const made = rig.open();
  await made.signOut();
  expect(rig.broker.asked.map(({ path }) => path)).toEqual(['/revoketoken']);
  expect(await ask(made)).toBe('signed-out');
});

test('another user signs out while the sign-out of the first is under way', async () => {
  let user = 'alice';
  const made = rig.open({ getAccessToken: () => accessToken(user) });
  await ask(made);
  rig.broker.next(never);
  const left = made.signOut().catch(() => 'not confirmed');
  user = 'carol';
  expect(await ask(made)).toBe('token-2');
  await made.signOut();
  expect([status(made), await ask(made)]).toEqual(['signed-out', 'signed-out']);
  expect(rig.broker.asked.at(-1)).toMatchObject({ path: '/revoketoken', bearer: `Bearer ${accessToken('carol')}` });
  await pass(90_000);
  await left;
});

test('who signs in and out again while the first sign-out is under way is signed out', async () => {
  const made = rig.open();
  await ask(made);
  rig.broker.next(never);
  const left = made.signOut().catch(() => 'not confirmed');
  made.signIn();
  const asked = made.getAuthToken().catch((error: TokenError) => error.code);
  await pass(100);
  const again = made.signOut();
  await pass(90_000);
  await Promise.all([left, again]);
  expect([await asked, status(made), await ask(made)]).toEqual(['signed-out', 'signed-out', 'signed-out']);
});

test.each(['https://broker.example/i/partner', 'https://broker.example/i/partner/'])(
  'everything of a further issuer is asked of the routes of that issuer: %s',
  async (endpoint) => {
    const made = rig.open({ endpoint });
    expect(await ask(made)).toBe('token-1');
    await made.signOut();
    expect(rig.broker.asked.map(({ path }) => path)).toEqual(['/i/partner/gettoken', '/i/partner/revoketoken']);
  },
);
