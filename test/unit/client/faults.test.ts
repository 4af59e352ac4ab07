/** What may go wrong around the client: requests that hang, a broker that fails, a page that sleeps, odd answers. */
import type { TokenError, TokenProviderOptions } from '../../../client/token-provider.ts';
import { accessToken, problem } from './broker-stand-in.ts';
import { ask, never, offline, pass, status, useRig } from './rig.ts';

const rig = useRig();
const owner = JSON.stringify(['https://issuer.example', 'alice', null]);

describe('nothing waits for ever', () => {
  test('a request that is never answered ends after ten seconds, and is tried again within a minute', async () => {
    const aborted: boolean[] = [];
    const made = rig.open({
      fetch: (_, init) => {
        init?.signal?.addEventListener('abort', () => aborted.push(true));
        return never();
      },
    });
    const asked = made.getAuthToken().catch((error: TokenError) => error.code);
    await pass(10_100);
    expect(aborted).toEqual([true]);
    await pass(60_000);
    expect(await asked).toBe('timeout');
  });

  test('an answer whose body never ends counts as none', async () => {
    const endless = () => new Response(new ReadableStream(), { headers: { 'content-type': 'application/json' } });
    rig.broker.next(endless);
    expect(await ask(rig.open({ timeoutMs: 300 }), 2_000)).toBe('token-1');
  });

  test('a getAccessToken that never settles ends after ten seconds', async () => {
    const made = rig.open({ getAccessToken: never });
    expect(await ask(made, 10_000)).toBe('access-token');
  });

  test('a request that hangs in one tab holds up neither the other tab nor its sign-out', async () => {
    rig.broker.next(never);
    const [one, other] = [rig.open(), rig.open()];
    void one.getAuthToken().catch(() => undefined);
    await pass(100);
    expect(await ask(other, 10_300)).toBe('token-1');
    const left = other.signOut();
    await pass(10_000);
    await left;
    expect(rig.broker.asked.at(-1)?.path).toBe('/revoketoken');
  });

  test('a tab that is frozen while it has its turn keeps nobody waiting', async () => {
    const frozen = navigator.locks.request(
      `ts-token|https://broker.example|${owner}`,
      { signal: new AbortController().signal },
      never,
    );
    void frozen;
    const made = rig.open();
    expect(await ask(made, 10_100)).toBe('token-1');
    const left = made.signOut();
    await pass(10_100);
    await left;
  });

  test('a signal ends the wait of its caller, and nobody else’s', async () => {
    rig.broker.held = [];
    const made = rig.open();
    const gone = new AbortController();
    const [one, other] = [made.getAuthToken({ signal: gone.signal }), made.getAuthToken()];
    await pass(100);
    gone.abort();
    await expect(one).rejects.toMatchObject({ code: 'aborted' });
    rig.broker.held.shift()?.();
    await expect(other).resolves.toBe('token-1');
    await expect(made.getAuthToken({ signal: gone.signal })).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a refresh that failed', () => {
  const live = async (options: Partial<TokenProviderOptions> = {}) => {
    const made = rig.open(options);
    await ask(made);
    return made;
  };

  test('is tried again by itself until it succeeds', async () => {
    const made = await live();
    rig.broker.next(() => problem(500, 'internal-error'));
    rig.broker.next(offline);
    await pass(rig.broker.refreshMs + 6_000);
    expect([status(made), made.errors]).toEqual(['stale', ['internal-error']]);
    await pass(30_000);
    expect([status(made), made.errors, rig.requests()]).toEqual(['live', ['internal-error', 'network'], 4]);
  });

  test('is given up with the token, and says so at its end', async () => {
    const made = await live();
    for (let n = 0; n < 50; n += 1) rig.broker.next(() => problem(500, 'internal-error'));
    await pass(rig.broker.validityMs - 30_000 - 200);
    expect(status(made)).toBe('stale');
    await pass(6_000);
    expect(status(made)).toBe('failed');
    expect(rig.requests()).toBeLessThan(15);
  });

  test.each(['online', 'visibilitychange'])('is tried again at the event %s', async (event) => {
    const made = await live();
    for (let n = 0; n < 50; n += 1) rig.broker.next(offline);
    await pass(rig.broker.refreshMs + 75_000);
    rig.broker.script.length = 0;
    const before = rig.requests();
    rig.browser.fire(event);
    await pass(5_000);
    expect([status(made), rig.requests()]).toEqual(['live', before + 1]);
  });

  test('is tried at once by retry()', async () => {
    const made = await live();
    rig.broker.next(() => problem(503, 'upstream-busy', { 'retry-after': '100' }));
    await pass(rig.broker.refreshMs + 10_000);
    expect(status(made)).toBe('stale');
    await made.retry();
    expect(status(made)).toBe('live');
  });

  test('for want of an access token leaves the token in use', async () => {
    let fails = false;
    const made = await live({
      getAccessToken: () => (fails ? Promise.reject(new Error('login_required')) : accessToken('alice')),
    });
    fails = true;
    expect([await ask(made), status(made), made.errors]).toEqual(['token-1', 'stale', ['access-token']]);
    await pass(rig.broker.refreshMs + 10_000);
    expect([await ask(made), status(made)]).toEqual(['token-1', 'stale']);
    fails = false;
    await pass(70_000);
    expect(status(made)).toBe('live');
  });

  test.each([
    [403, 'suspended', 'failed'],
    [403, 'not-entitled', 'failed'],
    [401, 'sign-in-again', 'sign-in-required'],
  ])('with %i %s ends the token, for the SDK too, and is not repeated', async (code, name, expected) => {
    const made = await live();
    Reflect.set(globalThis, '_tsEmbedSDK', { cachedAuthToken: 'token-1' });
    for (let n = 0; n < 2; n += 1) rig.broker.next(() => problem(code, name));
    await pass(rig.broker.refreshMs + 10_000);
    expect([status(made), made.errors, Reflect.get(globalThis, '_tsEmbedSDK')]).toEqual([
      expected,
      [name],
      { cachedAuthToken: null },
    ]);
    const before = rig.requests();
    await pass(600_000);
    expect(rig.requests()).toBe(before);
  });
});

describe('losing nothing', () => {
  test('a provider that is disposed of asks for nothing any more, and says so', async () => {
    rig.broker.refreshMs = 500;
    const made = Array.from({ length: 20 }, () => rig.open());
    await Promise.all(made.map((page) => ask(page)));
    made.forEach(({ dispose }) => dispose());
    const before = rig.requests();
    await pass(12_000);
    expect([rig.requests() - before, await ask(made[0] ?? rig.open())]).toEqual([0, 'disposed']);
    expect([...rig.browser.listeners.values()].map(({ size }) => size)).toEqual([0, 0]);
  });

  test('an answer whose refreshAfter has passed is refreshed every five seconds, not at once', async () => {
    Object.assign(rig.broker, { refreshMs: -1_000, validityMs: 29_000 });
    await ask(rig.open(), 5_000);
    expect(rig.requests()).toBeLessThanOrEqual(2);
    await pass(30_000);
    expect(rig.requests()).toBeLessThanOrEqual(8);
  });

  test('a refresh that is due in a month does not make the timer fire at once', async () => {
    rig.broker.refreshMs = 30 * 86_400_000;
    rig.broker.validityMs = 60 * 86_400_000;
    await ask(rig.open(), 60_000);
    expect(rig.requests()).toBe(1);
  });

  test('a Retry-After may be a date', async () => {
    const at = new Date(Date.now() + 90_000).toUTCString();
    rig.broker.next(() => problem(503, 'upstream-busy', { 'retry-after': at }));
    const made = rig.open();
    await ask(made);
    expect(Math.round((made.states.at(-1)?.error?.retryAfterMs ?? 0) / 1_000)).toBe(90);
  });

  test('the web page of a captive portal is no answer, and no network failure', async () => {
    rig.broker.next(() => new Response('<html>Welcome</html>', { headers: { 'content-type': 'text/html' } }));
    const made = rig.open();
    expect([await ask(made), status(made)]).toEqual(['invalid-answer', 'failed']);
    expect(rig.warnings).not.toHaveBeenCalled();
    await pass(10_000);
    expect(status(made)).toBe('live');
  });

  test.each<[string, () => Response, number]>([
    ['a 401 of the gateway', () => new Response('{"message":"Unauthorized"}', { status: 401 }), 1],
    ['sign-in-again', () => problem(401, 'sign-in-again'), 1],
    ['a 400 that names the field authorization', () => faulty('authorization'), 1],
    ['a 400 that names another field', () => faulty('grant'), 0],
    ['suspended', () => problem(403, 'suspended'), 0],
  ])('%s renews the access token so many times: once or never', async (_name, answer, times) => {
    let renewed = 0;
    const made = rig.open({
      getAccessToken: ({ refresh }) => {
        if (refresh) renewed += 1;
        return accessToken('alice');
      },
    });
    rig.broker.next(answer);
    rig.broker.next(answer);
    expect(await ask(made)).not.toBe('token-1');
    expect([renewed, rig.requests()]).toEqual([times, times + 1]);
  });

  test('after a sign-out it waits as long as the broker says, renews, asks once, and gives up on the second no', async () => {
    const renewedAt: number[] = [];
    const made = rig.open({
      getAccessToken: ({ refresh }) => {
        if (refresh) renewedAt.push(Date.now());
        return accessToken('alice');
      },
    });
    const signedOut = () =>
      new Response('{"code":"sign-in-again"}', {
        status: 401,
        headers: { 'content-type': 'application/problem+json', 'retry-after': '6' },
      });
    rig.broker.next(signedOut);
    rig.broker.next(signedOut);
    const begun = Date.now();
    made.getAuthToken().catch(() => undefined);
    await pass(120_000);
    expect([renewedAt.map((at) => Math.floor((at - begun) / 1_000)), rig.requests()]).toEqual([[6], 2]);
    expect(status(made)).toBe('sign-in-required');
  });

  test('the faults of a request are named', async () => {
    rig.broker.next(() => faulty('grant'));
    const asked = rig.open().getAuthToken();
    asked.catch(() => undefined);
    await pass(100);
    await expect(asked).rejects.toMatchObject({
      code: 'invalid-request',
      errors: [{ field: 'grant', detail: 'is odd' }],
    });
  });

  test('an access token that the gateway cannot take is named at once', async () => {
    const made = rig.open({ getAccessToken: () => accessToken('alice', { groups: 'g'.repeat(8_000) }) });
    expect([await ask(made, 60), rig.requests()]).toEqual(['access-token-too-large', 0]);
  });

  test.each([undefined, '', null])('an access token that is %p is none', async (nothing) => {
    expect(await ask(rig.open({ getAccessToken: () => nothing as unknown as string }))).toBe('access-token');
  });

  test('a refusal of the browser is warned of once, with both causes', async () => {
    for (let n = 0; n < 3; n += 1) rig.broker.next(offline);
    await ask(rig.open(), 20_000);
    expect(rig.warnings).toHaveBeenCalledTimes(1);
    for (const word of ['https://broker.example', 'CORS', 'BROKER_ORIGINS', 'CSP', 'connect-src']) {
      expect(rig.warnings).toHaveBeenCalledWith(expect.stringContaining(word));
    }
  });

  test('a browser that knows it is offline warns of nothing', async () => {
    rig.browser.online = false;
    rig.broker.next(offline);
    await ask(rig.open(), 2_000);
    expect(rig.warnings).not.toHaveBeenCalled();
  });

  test('a tab that is opened later gets the token of the open tabs, and asks for none', async () => {
    await ask(rig.open());
    expect([await ask(rig.open()), rig.requests()]).toEqual(['token-1', 1]);
  });

  test.each<[string, Response, string]>([
    ['ours', problem(403, 'not-entitled', { 'apigw-requestid': 'g-1' }), 'c-1'],
    [
      "the gateway's",
      new Response('{"message":"Forbidden"}', { status: 403, headers: { 'apigw-requestid': 'g-1' } }),
      'g-1',
    ],
  ])('the id to quote is %s', async (_name, answer, id) => {
    rig.broker.next(() => answer);
    const asked = rig.open().getAuthToken();
    asked.catch(() => undefined);
    await pass(100);
    await expect(asked).rejects.toMatchObject({ correlationId: id });
  });
});

function faulty(field: string): Response {
  return Response.json({ code: 'invalid-request', errors: [{ field, detail: 'is odd' }, 'odd'] }, { status: 400 });
}
