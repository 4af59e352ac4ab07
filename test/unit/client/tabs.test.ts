/** Two tabs of one browser, in one process: a channel and locks that work at once. A real browser is tried in test/e2e. */
import { identityOf } from '../../../client/identity.ts';
import { createTokenProvider, type TokenProvider, type TokenState } from '../../../client/token-provider.ts';
import { accessToken, BrokerStandIn, deferred, problem } from './broker-stand-in.ts';
import { ChannelStandIn, standInPage, type PageStandIn } from './page-stand-in.ts';

const NOW = 1_764_000_000_000;
let broker: BrokerStandIn;
let users: string[];
let browser: PageStandIn;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
  browser = standInPage();
  broker = new BrokerStandIn();
  users = [];
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
  browser.remove();
});

/** A new tab listens for a moment whether another one has a token. */
async function soon<T>(work: Promise<T>): Promise<T> {
  const settled = Promise.allSettled([work]);
  await jest.advanceTimersByTimeAsync(50);
  await settled;
  return work;
}

/** A tab of a user; who is signed in can change while it is open. */
function tab(user: string, grant?: string): TokenProvider & { readonly states: TokenState[] } {
  const index = users.push(user) - 1;
  const made = createTokenProvider({
    endpoint: 'https://broker.example',
    getAccessToken: () => accessToken(users[index] ?? ''),
    fetch: broker.fetch,
    ...(grant === undefined ? {} : { grant }),
  });
  const states: TokenState[] = [];
  made.subscribe((state) => states.push(state));
  return { ...made, getAuthToken: () => soon(made.getAuthToken()), states };
}
const gettokens = () => broker.asked.filter(({ path }) => path === '/gettoken').length;

test('two tabs of one user share one token', async () => {
  const [one, other] = [tab('ann'), tab('ann')];
  expect(await Promise.all([one.getAuthToken(), other.getAuthToken()])).toEqual(['token-1', 'token-1']);
  expect([gettokens(), other.states.at(-1)?.status]).toEqual([1, 'live']);
});

test('tabs of two users, and of two grants, share nothing', async () => {
  const tabs = [tab('ann'), tab('ben'), tab('ann', 'regional')];
  expect(new Set(await Promise.all(tabs.map(({ getAuthToken }) => getAuthToken()))).size).toBe(3);
});

test('signing out in one tab ends the other, which takes no token any more', async () => {
  const [one, other] = [tab('ann'), tab('ann')];
  await Promise.all([one.getAuthToken(), other.getAuthToken()]);
  await one.signOut();
  await one.signOut();
  expect(other.states.at(-1)?.status).toBe('signed-out');
  await expect(other.getAuthToken()).rejects.toMatchObject({ code: 'signed-out' });
  const third = tab('ann');
  await third.getAuthToken();
  expect(other.states.at(-1)?.status).toBe('signed-out');
});

test('a tab whose user changes leaves the channel of the first', async () => {
  const [one, other] = [tab('ann'), tab('ann')];
  await one.getAuthToken();
  users[0] = 'ben';
  expect(await one.getAuthToken()).toBe('token-2');
  await other.getAuthToken();
  expect(one.states.at(-1)?.leaseId).toBe('lease-2');
});

test('a tab whose access token becomes opaque leaves the channel, and shares nothing', async () => {
  let text = accessToken('ann');
  const one = createTokenProvider({
    endpoint: 'https://broker.example',
    getAccessToken: () => text,
    fetch: broker.fetch,
  });
  const other = tab('ann');
  await soon(one.getAuthToken());
  text = 'opaque';
  expect(await one.getAuthToken()).toBe('token-2');
  expect(await other.getAuthToken()).toBe('token-3');
});

test("the page's own fetch is used where none is given", async () => {
  const fetched = jest.spyOn(globalThis, 'fetch').mockImplementation(broker.fetch);
  const made = createTokenProvider({ endpoint: 'https://broker.example', getAccessToken: () => accessToken('ann') });
  expect(await soon(made.getAuthToken())).toBe('token-1');
  expect(fetched).toHaveBeenCalledTimes(1);
});

test('a slot of the embed SDK that is null holds no token', async () => {
  Reflect.set(globalThis, '_tsEmbedSDK', null);
  const page = tab('ann');
  await page.getAuthToken();
  expect(await page.getAuthToken()).toBe('token-1');
  Reflect.deleteProperty(globalThis, '_tsEmbedSDK');
});

test('a page that wakes up after its sign-out, or before it is time, asks for nothing', async () => {
  const page = tab('ann');
  await page.getAuthToken();
  browser.fire('visibilitychange');
  await page.signOut();
  jest.setSystemTime(NOW + broker.validityMs);
  browser.fire('visibilitychange');
  await jest.advanceTimersByTimeAsync(60_000);
  expect(gettokens()).toBe(1);
});

test('a sign-out while the page gets its access token, or waits to try again, asks for no token any more', async () => {
  const slow = deferred<string>();
  const page = createTokenProvider({
    endpoint: 'https://broker.example',
    getAccessToken: () => slow.promise,
    fetch: broker.fetch,
  });
  const asked = page.getAuthToken().catch((error: { code: string }) => error.code);
  const left = page.signOut();
  slow.resolve(accessToken('ann'));
  expect(await asked).toBe('signed-out');
  await left;
  expect(gettokens()).toBe(0);

  const other = tab('ben');
  broker.next(() => problem(503, 'upstream-busy', { 'retry-after': '1' }));
  broker.next(() => problem(503, 'upstream-busy', { 'retry-after': '1' }));
  const waiting = other.getAuthToken().catch((error: { code: string }) => error.code);
  await jest.advanceTimersByTimeAsync(100);
  const gone = other.signOut();
  await jest.advanceTimersByTimeAsync(10_000);
  expect(await waiting).toBe('signed-out');
  await gone;
  expect(gettokens()).toBe(1);
});

test('a user whose access token is opaque stays alone, and so does a browser without channels', async () => {
  users.push('opaque');
  const alone = createTokenProvider({
    endpoint: 'https://broker.example',
    getAccessToken: () => 'opaque-access-token',
    fetch: broker.fetch,
  });
  expect(await alone.getAuthToken()).toBe('token-1');
  expect(ChannelStandIn.open.size).toBe(0);
  Reflect.deleteProperty(globalThis, 'BroadcastChannel');
  expect(await tab('ann').getAuthToken()).toBe('token-2');
});

test('a hidden page waits with its refresh until it is seen again', async () => {
  const page = tab('ann');
  await page.getAuthToken();
  browser.visibility = 'hidden';
  await jest.advanceTimersByTimeAsync(broker.refreshMs + 60_000);
  expect(gettokens()).toBe(1);
  browser.visibility = 'visible';
  browser.fire('visibilitychange');
  await jest.advanceTimersByTimeAsync(0);
  expect(gettokens()).toBe(2);
});

test('a sign-out while another tab mints waits for its turn, so that no token outlives it', async () => {
  const [one, other] = [tab('ann'), tab('ann')];
  await other.getAuthToken();
  const answer = deferred<Response>();
  jest.setSystemTime(NOW + broker.refreshMs + 1_000);
  broker.next(() => answer.promise);
  const asked = one.getAuthToken().catch((error: { code: string }) => error.code);
  await jest.advanceTimersByTimeAsync(100);
  const left = other.signOut();
  await jest.advanceTimersByTimeAsync(0);
  expect(broker.asked.at(-1)?.path).toBe('/gettoken');
  answer.resolve(broker.token());
  expect(await asked).toBe('signed-out');
  await left;
  expect(broker.asked.at(-1)?.path).toBe('/revoketoken');
});

test.each([
  ['no JWT', 'opaque', 'opaque'],
  ['a payload that is no object', `h.${btoa('"text"')}.s`, `h.${btoa('"text"')}.s`],
  ['a payload without subject', `h.${btoa('{"iss":"i"}')}.s`, `h.${btoa('{"iss":"i"}')}.s`],
  ['a JWT', `h.${btoa('{"iss":"i","sub":"s"}')}.s`, '["i","s",null]'],
  ['a JWT of a session', `h.${btoa('{"iss":"i","sub":"s","sid":"n"}')}.s`, '["i","s","n"]'],
])('%s names its user as it should', (_name, text, identity) => {
  expect(identityOf(text)).toBe(identity);
});
