/** Nobody gets another user's token, or one of another grant: every order in which people, tabs and answers may come. */
import {
  createTokenProvider,
  type TokenError,
  type TokenProvider,
  type TokenState,
} from '../../../client/token-provider.ts';
import { accessToken, BrokerStandIn, deferred } from './broker-stand-in.ts';
import { ChannelStandIn, standInPage, type PageStandIn } from './page-stand-in.ts';

let browser: PageStandIn;
let broker: BrokerStandIn;

beforeEach(() => {
  jest.useFakeTimers({ now: 1_764_000_000_000 });
  browser = standInPage();
  broker = new BrokerStandIn();
  broker.ownTokens = true;
});
afterEach(() => {
  jest.useRealTimers();
  browser.remove();
});

interface Page extends TokenProvider {
  signedIn: string;
  readonly states: TokenState[];
}
function open(signedIn: string, grant?: string, getAccessToken?: () => Promise<string>): Page {
  const states: TokenState[] = [];
  const made = createTokenProvider({
    endpoint: 'https://broker.example',
    getAccessToken: getAccessToken ?? (() => accessToken(page.signedIn)),
    fetch: broker.fetch,
    ...(grant === undefined ? {} : { grant }),
  });
  const page: Page = { ...made, signedIn, states };
  made.subscribe((state) => states.push(state));
  return page;
}
/** The token, or the code of why there is none. */
const ask = (page: Page): Promise<string> => page.getAuthToken().catch((error: TokenError) => error.code);
const moment = () => jest.advanceTimersByTimeAsync(100);

test('a page whose user changes while the mint is slow gets nobody the token of the other', async () => {
  const slow = deferred<Response>();
  broker.next(() => slow.promise);
  const page = open('alice');
  const first = ask(page);
  await moment();
  page.signedIn = 'carol';
  const second = ask(page);
  await moment();
  expect(await first).toBe('user-changed');
  expect(await second).toMatch(/^token of carol/);
  slow.resolve(broker.tokenFor('alice'));
  await moment();
  expect(await ask(page)).toMatch(/^token of carol/);
  const tab = open('carol');
  const third = ask(tab);
  await moment();
  expect(await third).toMatch(/^token of carol/);
  expect(broker.asked.map(({ path }) => path)).not.toContain('/revoketoken');
});

test('a renewal of the access token that names another user ends the request of the first', async () => {
  broker.next(() => new Response('{"message":"Unauthorized"}', { status: 401 }));
  let calls = 0;
  const page = open('', undefined, async () => accessToken((calls += 1) === 1 ? 'alice' : 'carol'));
  const asked = ask(page);
  await moment();
  expect(await asked).toBe('user-changed');
  const again = ask(page);
  await moment();
  expect(await again).toMatch(/^token of carol/);
});

test('an access token that arrives late does not bring its user back', async () => {
  const late = deferred<string>();
  const answers = [late.promise, Promise.resolve(accessToken('carol')), Promise.resolve(accessToken('carol'))];
  const page = open('', undefined, () => answers.shift() ?? Promise.reject(new Error('none')));
  const [first, second] = [ask(page), ask(page)];
  await moment();
  expect(await second).toMatch(/^token of carol/);
  late.resolve(accessToken('alice'));
  expect(await first).toBe('user-changed');
  expect(await ask(page)).toMatch(/^token of carol/);
});

test('two opaque access tokens may be two people', async () => {
  broker.ownTokens = false;
  let opaque = 'opaque-of-alice';
  const page = open('', undefined, async () => opaque);
  const first = await ask(page);
  opaque = 'opaque-of-carol';
  expect(await ask(page)).not.toBe(first);
});

test('the same person in another session of the issuer is asked for anew', async () => {
  let sid = 'one';
  const page = open('', undefined, async () => accessToken('alice', { sid }));
  const first = ask(page);
  await moment();
  sid = 'two';
  const second = ask(page);
  await moment();
  expect(await second).not.toBe(await first);
});

test('the embed SDK forgets the token of a user who has gone', async () => {
  const page = open('alice');
  const first = ask(page);
  await moment();
  Reflect.set(globalThis, '_tsEmbedSDK', { cachedAuthToken: await first });
  page.signedIn = 'carol';
  void ask(page);
  await jest.advanceTimersByTimeAsync(0);
  expect(Reflect.get(globalThis, '_tsEmbedSDK')).toEqual({ cachedAuthToken: null });
  await moment();
});

test.each<[string, object]>([
  ['of another user', { identity: 'carol' }],
  ['of another grant', { grant: 'regional' }],
  ['without an owner', { identity: undefined }],
  ['that is no token', { token: 'text' }],
  ['of an older client', { identity: undefined, grant: undefined }],
])('a message %s is not taken', async (_name, difference) => {
  const page = open('alice');
  const asked = ask(page);
  await moment();
  const before = await asked;
  const [channel] = ChannelStandIn.open;
  const held = {
    token: 'of carol',
    leaseId: 'l',
    userName: 'carol',
    orgId: 2,
    expiresAt: Infinity,
    refreshAfter: Infinity,
  };
  const stranger = new ChannelStandIn(channel?.name ?? '');
  const owner = JSON.stringify(['https://issuer.example', 'alice', null]);
  stranger.postMessage({ identity: owner, grant: '', token: held, ...difference });
  expect(await ask(page)).toBe(before);
});

/** Every order of the events of two tabs, in which each tab's own events keep their order. */
function orders<T>(one: readonly T[], other: readonly T[]): T[][] {
  const [first, second] = [one[0], other[0]];
  if (first === undefined || second === undefined) return [[...one, ...other]];
  return [
    ...orders(one.slice(1), other).map((rest) => [first, ...rest]),
    ...orders(one, other.slice(1)).map((rest) => [second, ...rest]),
  ];
}

test('in every interleaving of two people, two tabs, two grants and delayed answers each gets only what is theirs', async () => {
  type Event = `${'alice' | 'carol'} asks` | 'answer the oldest' | 'answer the newest';
  const mine: Event[] = ['alice asks', 'carol asks', 'answer the newest', 'alice asks'];
  const theirs: Event[] = ['carol asks', 'answer the oldest', 'alice asks'];
  let tokens = 0;
  const grants = [
    [undefined, undefined],
    [undefined, 'regional'],
  ] as const;
  for (const order of orders<[number, Event]>(
    mine.map((event) => [0, event]),
    theirs.map((event) => [1, event]),
  )) {
    for (const grant of grants) {
      ChannelStandIn.open.clear();
      broker.held = [];
      const tabs = grant.map((name) => open('alice', name));
      const asks: { who: string; grant: string; got: Promise<string> }[] = [];
      for (const [index, event] of order) {
        const [page, name] = [tabs[index], grant[index] ?? ''];
        if (!page) throw new Error('no such tab');
        if (event === 'answer the oldest') broker.held.shift()?.();
        else if (event === 'answer the newest') broker.held.pop()?.();
        else {
          const [who = ''] = event.split(' ');
          page.signedIn = who;
          asks.push({ who, grant: name, got: ask(page) });
        }
        await moment();
      }
      while (broker.held.length > 0) {
        broker.held.pop()?.();
        await moment();
      }
      for (const { who, grant: name, got } of asks) {
        const text = await got;
        if (text !== 'user-changed') expect(text).toMatch(new RegExp(`^token of ${who} for ${name || 'default'} `));
        if (text !== 'user-changed') tokens += 1;
      }
      tabs.forEach(({ dispose }) => dispose());
    }
  }
  expect(tokens).toBeGreaterThan(100);
});
