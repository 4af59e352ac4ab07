import type { BrokerCode } from '../../../client/token-error.ts';
import { PROBLEMS, type ProblemCode } from '../../../functions/contract/problems.ts';
import {
  createTokenProvider,
  TokenError,
  type TokenProvider,
  type TokenState,
} from '../../../client/token-provider.ts';
import { accessToken, BrokerStandIn, deferred, problem } from './broker-stand-in.ts';
import { standInPage, type PageStandIn } from './page-stand-in.ts';

let broker: BrokerStandIn;
let user: string;
let browser: PageStandIn;
let refreshed: number;
const providers: TokenProvider[] = [];

function provider(grant?: string, onError?: (error: TokenError) => void): TokenProvider {
  const made = createTokenProvider({
    endpoint: 'https://broker.example/',
    getAccessToken: ({ refresh }) => {
      if (refresh) refreshed += 1;
      return accessToken(user);
    },
    fetch: broker.fetch,
    ...(grant === undefined ? {} : { grant }),
    ...(onError === undefined ? {} : { onError }),
  });
  providers.push(made);
  return made;
}

const gettokens = () => broker.asked.filter(({ path }) => path === '/gettoken');
const sdkHolds = (token: string | undefined) => Reflect.set(globalThis, '_tsEmbedSDK', { cachedAuthToken: token });

beforeEach(() => {
  jest.useFakeTimers({ now: 1_764_000_000_000 });
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
  // One page alone: tabs are tried in a real browser.
  browser = standInPage({ tabs: false });
  broker = new BrokerStandIn();
  user = `user-${Math.floor(performance.now() * 1000)}`;
  refreshed = 0;
});

afterEach(async () => {
  sdkHolds(undefined);
  for (const made of providers.splice(0)) {
    const ended = made.signOut().catch(() => undefined);
    await jest.runAllTimersAsync();
    await ended;
  }
  browser.remove();
  jest.useRealTimers();
  jest.restoreAllMocks();
});

describe('getAuthToken', () => {
  test('resolves to the bare token of the broker', async () => {
    await expect(provider('viewer').getAuthToken()).resolves.toBe('token-1');
    expect(broker.asked).toEqual([
      { path: '/gettoken', bearer: `Bearer ${accessToken(user)}`, body: { grant: 'viewer' } },
    ]);
  });

  test('makes one request for three asks at once', async () => {
    const { getAuthToken } = provider();
    await expect(Promise.all([getAuthToken(), getAuthToken(), getAuthToken()])).resolves.toEqual([
      'token-1',
      'token-1',
      'token-1',
    ]);
    expect(gettokens()).toHaveLength(1);
  });

  test('serves its token until refreshAfter, and a new one after it', async () => {
    const { getAuthToken } = provider();
    await getAuthToken();
    jest.setSystemTime(Date.now() + broker.refreshMs - 1);
    await expect(getAuthToken()).resolves.toBe('token-1');
    jest.setSystemTime(Date.now() + 1);
    await expect(getAuthToken()).resolves.toBe('token-2');
  });

  test('gets the next token in the background, with jitter after refreshAfter', async () => {
    const { getAuthToken } = provider();
    await getAuthToken();
    await jest.advanceTimersByTimeAsync(broker.refreshMs);
    expect(gettokens()).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(gettokens()).toHaveLength(2);
    await expect(getAuthToken()).resolves.toBe('token-2');
    expect(gettokens()).toHaveLength(2);
  });

  test('goes by the broker clock where the clock of the browser is wrong', async () => {
    broker.clockOffsetMs = -7_200_000;
    const { getAuthToken } = provider();
    await getAuthToken();
    await expect(getAuthToken()).resolves.toBe('token-1');
    expect(gettokens()).toHaveLength(1);
  });

  test('asks for a newer token when the embed SDK holds ours and asks again', async () => {
    const { getAuthToken } = provider();
    sdkHolds(await getAuthToken());
    await expect(getAuthToken()).resolves.toBe('token-2');
    expect(gettokens().map(({ body }) => body)).toEqual([{}, { replace: 'lease-1' }]);
  });

  test('does not ask for another token when the SDK holds another one', async () => {
    const { getAuthToken } = provider();
    await getAuthToken();
    sdkHolds('somebody-elses');
    await expect(getAuthToken()).resolves.toBe('token-1');
  });

  test('never serves the token of a user who has gone', async () => {
    const { getAuthToken } = provider();
    await expect(getAuthToken()).resolves.toBe('token-1');
    user = `${user}-other`;
    await expect(getAuthToken()).resolves.toBe('token-2');
    expect(gettokens()[1]?.bearer).toBe(`Bearer ${accessToken(user)}`);
  });

  test('serves the old token while the broker is down, until the hard margin', async () => {
    const { getAuthToken } = provider();
    await getAuthToken();
    jest.setSystemTime(Date.now() + broker.refreshMs);
    broker.next(() => problem(500, 'internal-error'));
    await expect(getAuthToken()).resolves.toBe('token-1');
    jest.setSystemTime(Date.now() + broker.validityMs - broker.refreshMs - 30_000);
    broker.next(() => problem(500, 'internal-error'));
    await expect(getAuthToken()).rejects.toMatchObject({ code: 'internal-error' });
  });
});

describe('failures', () => {
  test('a 503 with Retry-After is waited out, and the caller gets the token', async () => {
    broker.next(() => problem(503, 'upstream-busy', { 'retry-after': '7' }));
    const asked = provider().getAuthToken();
    await jest.advanceTimersByTimeAsync(6_999);
    expect(gettokens()).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1);
    await expect(asked).resolves.toBe('token-1');
  });

  test('a Retry-After beyond a minute is the error of the caller at once', async () => {
    broker.next(() => problem(429, 'mint-limit', { 'retry-after': '61' }));
    await expect(provider().getAuthToken()).rejects.toMatchObject({ code: 'mint-limit', retryAfterMs: 61_000 });
  });

  test('a 401 asks once for a new access token', async () => {
    broker.next(() => new Response('{"message":"Unauthorized"}', { status: 401 }));
    await expect(provider().getAuthToken()).resolves.toBe('token-1');
    expect(refreshed).toBe(1);
  });

  test('a second 401 is the end', async () => {
    broker.next(() => new Response('{"message":"Unauthorized"}', { status: 401 }));
    broker.next(() => new Response('{"message":"Unauthorized"}', { status: 401 }));
    await expect(provider().getAuthToken()).rejects.toMatchObject({ code: 'http-401', status: 401 });
    expect(refreshed).toBe(1);
  });

  test.each([
    ['a problem', () => problem(403, 'not-entitled'), { code: 'not-entitled', status: 403, correlationId: 'c-1' }],
    ['a web page', () => new Response('<html>', { status: 404 }), { code: 'http-404', status: 404 }],
    ['a 200 without a token', () => Response.json({ error: 'x' }), { code: 'invalid-answer' }],
    ['a 200 with an empty token', () => Response.json({ token: '' }), { code: 'invalid-answer' }],
  ])('%s rejects with a typed error and never resolves', async (_name, answer, expected) => {
    broker.next(answer);
    const asked = provider().getAuthToken();
    await expect(asked).rejects.toBeInstanceOf(TokenError);
    await expect(asked).rejects.toMatchObject(expected);
  });

  test('a network that comes back is waited for', async () => {
    jest.spyOn(console, 'warn').mockImplementation();
    broker.next(() => new TypeError('fetch failed'));
    const asked = provider().getAuthToken();
    await jest.advanceTimersByTimeAsync(1_000);
    await expect(asked).resolves.toBe('token-1');
  });

  test('a page without an access token hears so', async () => {
    const made = createTokenProvider({
      endpoint: 'https://broker.example',
      getAccessToken: () => Promise.reject(new Error('login required')),
      fetch: broker.fetch,
    });
    await expect(made.getAuthToken()).rejects.toMatchObject({ code: 'access-token' });
  });

  test('onError hears of a background refresh that failed', async () => {
    const errors: string[] = [];
    const { getAuthToken } = provider(undefined, ({ code }) => errors.push(code));
    await getAuthToken();
    broker.next(() => problem(403, 'not-entitled'));
    await jest.advanceTimersByTimeAsync(broker.refreshMs + 10_000);
    expect(errors).toEqual(['not-entitled']);
  });
});

describe('signOut', () => {
  test('revokes and serves nothing any more', async () => {
    const made = provider();
    await made.getAuthToken();
    await made.signOut();
    expect(broker.asked.at(-1)).toMatchObject({ path: '/revoketoken', body: {} });
    await expect(made.getAuthToken()).rejects.toMatchObject({ code: 'signed-out' });
  });

  test('waits for a mint that is under way, withholds its token and revokes after it', async () => {
    const answer = deferred<Response>();
    broker.next(() => answer.promise);
    const made = provider();
    const asked = made.getAuthToken();
    asked.catch(() => undefined);
    await jest.advanceTimersByTimeAsync(0);
    const ended = made.signOut();
    await jest.advanceTimersByTimeAsync(0);
    expect(broker.asked.map(({ path }) => path)).toEqual(['/gettoken']);
    answer.resolve(broker.token());
    await ended;
    await expect(asked).rejects.toMatchObject({ code: 'signed-out' });
    expect(broker.asked.map(({ path }) => path)).toEqual(['/gettoken', '/revoketoken']);
  });

  test('stops the background refresh', async () => {
    const made = provider();
    await made.getAuthToken();
    await made.signOut();
    await jest.advanceTimersByTimeAsync(broker.validityMs);
    expect(gettokens()).toHaveLength(1);
  });
});

test('subscribe tells every state, and never the token', async () => {
  const states: TokenState[] = [];
  const made = provider();
  const unsubscribe = made.subscribe((state) => states.push(state));
  await made.getAuthToken();
  await made.signOut();
  expect(states.map(({ status }) => status)).toEqual(['idle', 'fetching', 'live', 'signed-out']);
  expect(states[2]).toMatchObject({ userName: 'alice', leaseId: 'lease-1', orgId: 1 });
  expect(JSON.stringify(states)).not.toContain('token-1');
  unsubscribe();
});

test('the client knows every problem code of the broker by name', () => {
  // `satisfies` fails the type check when the contract has a code that the client's union lacks.
  const codes = Object.keys(PROBLEMS) as readonly ProblemCode[] satisfies readonly BrokerCode[];
  expect(codes.length).toBeGreaterThan(20);
});
