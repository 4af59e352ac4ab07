/** Asking again is not being refused: embeds of one page ask one after the other, and the SDK never says why. */
import { identityOf } from '../../../client/identity.ts';
import { accessToken, problem } from './broker-stand-in.ts';
import { ChannelStandIn } from './page-stand-in.ts';
import { ask, offline, pass, status, useRig, type Page } from './rig.ts';

const rig = useRig();
/** The embed SDK: it keeps the last token that it got for all embeds of the page. */
const sdk = { cachedAuthToken: undefined as unknown, embedConfig: {} as object };
let accepts: (token: string) => number | Promise<number>;
const embed = async (page: Page): Promise<string> => {
  const token = await ask(page);
  sdk.cachedAuthToken = token;
  return token;
};
const page = () => {
  const thoughtspot: typeof fetch = async (input, init) => {
    if (typeof input !== 'string' || !input.startsWith('https://ts.example/')) return rig.broker.fetch(input, init);
    const bearer = new Headers(init?.headers).get('authorization') ?? '';
    return new Response(null, { status: await accepts(bearer.replace('Bearer ', '')) });
  };
  return rig.open({ fetch: thoughtspot });
};
beforeEach(() => {
  Object.assign(sdk, { cachedAuthToken: undefined, embedConfig: { thoughtSpotHost: 'https://ts.example' } });
  accepts = () => 204;
  Reflect.set(globalThis, '_tsEmbedSDK', sdk);
});

test('eight embeds that ask for a new token one after the other make one mint more', async () => {
  const made = page();
  await embed(made);
  const tokens = [];
  for (let n = 0; n < 8; n += 1) tokens.push(await embed(made));
  expect(new Set(tokens)).toEqual(new Set(['token-2']));
  expect(rig.broker.asked.map(({ body }) => body)).toEqual([{}, { replace: 'lease-1' }]);
});

test('twelve embeds of a page that does not check tokens make at most two mints', async () => {
  Object.assign(sdk.embedConfig, { disableTokenVerification: true });
  const made = page();
  for (let n = 0; n < 12; n += 1) expect(await embed(made)).toMatch(/^token-[12]$/);
  expect(rig.requests()).toBeLessThanOrEqual(2);
});

test('a hundred asks in a minute make one mint', async () => {
  const made = page();
  await embed(made);
  for (let n = 0; n < 100; n += 1) {
    await embed(made);
    await pass(490);
  }
  expect(rig.requests()).toBe(2);
});

test('a token that died is replaced at once, and so is its successor', async () => {
  const made = page();
  await embed(made);
  expect(await embed(made)).toBe('token-2');
  accepts = (token) => (token === 'token-2' ? 401 : 204);
  expect(await embed(made)).toBe('token-3');
  accepts = (token) => (token === 'token-3' ? 401 : 204);
  expect(await embed(made)).toBe('token-4');
  expect(rig.broker.asked.map(({ body }) => body)).toEqual([{}, ...[1, 2, 3].map((n) => ({ replace: `lease-${n}` }))]);
});

test('an hour later a token is replaced again', async () => {
  const made = page();
  await embed(made);
  await embed(made);
  await pass(61_000);
  expect(await embed(made)).toBe('token-3');
});

test.each([
  ['mint-limit', () => problem(429, 'mint-limit', { 'retry-after': '40' })],
  ['upstream-busy', () => problem(503, 'upstream-busy', { 'retry-after': '5' })],
  ['network', offline],
  ['http-502', () => new Response('<html>', { status: 502 })],
])('on %s the token that is held and lives is served', async (code, answer) => {
  const made = page();
  await embed(made);
  rig.broker.next(answer);
  expect(await embed(made)).toBe('token-1');
  expect([status(made), made.errors]).toEqual(['stale', [code]]);
});

test('on mint-limit a token that ThoughtSpot does not take is not served', async () => {
  const made = page();
  await embed(made);
  accepts = () => 401;
  rig.broker.next(() => problem(429, 'mint-limit', { 'retry-after': '40' }));
  expect(await ask(made)).toBe('mint-limit');
});

describe('while ThoughtSpot is slow to say that the token is dead', () => {
  /** A page in a wave whose token `token-2` is dead; ThoughtSpot says so when `tell` is called. */
  const slowly = async () => {
    const made = page();
    await embed(made);
    await embed(made);
    const waiting: (() => void)[] = [];
    accepts = (token) => new Promise((resolve) => waiting.push(() => resolve(token === 'token-2' ? 401 : 204)));
    return { made, tell: () => waiting.shift()?.() };
  };

  test('embeds that hear of it one after the other make one mint more', async () => {
    const { made, tell } = await slowly();
    const asked = [made.getAuthToken(), made.getAuthToken(), made.getAuthToken()];
    for (let n = 0; n < 3; n += 1) {
      await pass(100);
      tell();
    }
    await pass(100);
    expect(await Promise.all(asked)).toEqual(['token-3', 'token-3', 'token-3']);
    expect(rig.requests()).toBe(3);
  });

  test('a token that comes in the meantime is not thrown away with it', async () => {
    const { made, tell } = await slowly();
    const asked = ask(made);
    await pass(100);
    rig.broker.next(() => problem(429, 'mint-limit', { 'retry-after': '40' }));
    tell();
    await pass(100);
    // The broker refused, and the client looks once more whether the token in use is dead. Another tab has a new one now.
    const [tab] = [...ChannelStandIn.open];
    const now = Date.now();
    const token = { token: 'token-9', leaseId: 'lease-9', userName: 'alice', orgId: 1 };
    const message = { ...token, expiresAt: now + 700_000, refreshAfter: now + 300_000 };
    tab?.onmessage?.({ data: { identity: identityOf(accessToken('alice')), grant: '', token: message } });
    tell();
    expect([await asked, await ask(made)]).toEqual(['still waiting', 'token-9']);
    expect(status(made)).toBe('live');
  });
});
