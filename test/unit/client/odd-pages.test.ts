/** What pages, browsers and people do that nobody expects. */
import { accessToken, deferred, problem } from './broker-stand-in.ts';
import { ask, never, offline, pass, status, useRig } from './rig.ts';

const rig = useRig();
/** Libraries reject with anything. */
// eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
const rejecting = (reason: unknown) => () => Promise.reject<string>(reason);

describe('getAccessToken', () => {
  test.each<[string, () => never | Promise<string>, unknown]>([
    [
      'throws',
      () => {
        throw new Error('no session');
      },
      new Error('no session'),
    ],
    ['rejects with a text', rejecting('login_required'), 'login_required'],
    ['rejects with nothing', rejecting(undefined), undefined],
  ])('that %s is named, and leaves nothing behind', async (_name, getAccessToken, cause) => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const made = rig.open({ getAccessToken });
    await expect(made.getAuthToken()).rejects.toMatchObject({ name: 'TokenError', code: 'access-token', cause });
    await pass(11_000);
    jest.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test('that answers after dispose() leads to no request', async () => {
    const late = deferred<string>();
    const made = rig.open({ getAccessToken: () => late.promise });
    const asked = made.getAuthToken();
    made.dispose();
    late.resolve(accessToken('alice'));
    await expect(asked).rejects.toMatchObject({ code: 'disposed' });
    expect(rig.broker.asked).toEqual([]);
  });
});

describe('three people', () => {
  test('who take turns while the answers wait get each only what is theirs', async () => {
    rig.broker.ownTokens = true;
    rig.broker.held = [];
    let user = 'alice';
    const made = rig.open({ getAccessToken: () => accessToken(user) });
    const asked: Promise<string>[] = [];
    for (user of ['alice', 'carol', 'bob', 'alice', 'carol']) {
      asked.push(ask(made));
      await asked.at(-1);
    }
    // Who comes back waits for the turn of their own first request.
    for (let n = 0; n < 3; n += 1) {
      rig.broker.held.splice(0).forEach((answer) => answer());
      await pass(100);
    }
    rig.broker.held = undefined;
    expect(await ask(made)).toMatch(/^token of carol/);
    expect((await Promise.all(asked)).filter((text) => text.startsWith('token'))).toEqual([]);
  });

  test('are not kept waiting by the sign-out of another one that fails', async () => {
    let user = 'alice';
    const made = rig.open({ getAccessToken: () => accessToken(user) });
    await ask(made);
    rig.broker.next(never);
    const left = made.signOut().catch(() => 'not confirmed');
    user = 'carol';
    expect(await ask(made)).toBe('token-2');
    await pass(90_000);
    await left;
    expect(rig.broker.asked.filter(({ path }) => path === '/revoketoken').map(({ bearer }) => bearer)).toEqual(
      expect.not.arrayContaining([`Bearer ${accessToken('carol')}`]),
    );
  });
});

describe('two tabs', () => {
  test('with two brokers share nothing', async () => {
    const [one, other] = [rig.open(), rig.open({ endpoint: 'https://other.example' })];
    expect([await ask(one), await ask(other)]).toEqual(['token-1', 'token-2']);
    await one.signOut();
    expect([status(one), status(other)]).toEqual(['signed-out', 'live']);
  });

  test('of which one could not confirm its sign-out: the other one can', async () => {
    const [one, other] = [rig.open(), rig.open()];
    await ask(one);
    await ask(other);
    rig.broker.next(() => problem(500, 'internal-error'));
    await expect(one.signOut()).rejects.toMatchObject({ code: 'internal-error' });
    one.dispose();
    await other.signOut();
    expect(rig.broker.asked.map(({ path }) => path)).toEqual(['/gettoken', '/revoketoken', '/revoketoken']);
  });

  test('of a browser that refuses channels and locks ask for themselves', async () => {
    const refused = () => Promise.reject(new DOMException('The request was denied.', 'SecurityError'));
    Reflect.set(navigator, 'locks', { request: refused });
    Reflect.deleteProperty(globalThis, 'BroadcastChannel');
    const [one, other] = [rig.open(), rig.open()];
    expect([await ask(one), await ask(other)]).toEqual(['token-1', 'token-2']);
    await one.signOut();
    expect(status(one)).toBe('signed-out');
  });
});

test('a provider that was disposed of can still sign its user out', async () => {
  const made = rig.open();
  await ask(made);
  made.dispose();
  await made.signOut();
  expect(rig.broker.asked.at(-1)).toMatchObject({ path: '/revoketoken', bearer: `Bearer ${accessToken('alice')}` });
});

test('a computer that slept for two hours hands out no dead token, and has a new one as soon as it wakes', async () => {
  const made = rig.open();
  await ask(made);
  // Timers stand still, the clock does not; ThoughtSpot and the broker are reached only a moment after.
  jest.setSystemTime(Date.now() + 7_200_000);
  rig.broker.next(offline);
  rig.browser.fire('visibilitychange');
  expect(await ask(made, 20_000)).toBe('token-2');
});
