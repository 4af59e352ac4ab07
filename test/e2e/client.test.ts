import type { Browser, BrowserContext, Frame, Page } from 'playwright-core';
import { startLocalBroker, type LocalBroker } from '../../local/local-broker.ts';
import type { Simulator } from '../../local/thoughtspot/simulator.ts';
import { launchBrowser, openContext } from '../support/browser.ts';
import { crowd } from '../support/crowd.ts';
import { type AppHost, startAppHost } from './app-host.ts';
import { operatorEvent } from '../../local/operator/operator-event.ts';

/** Somebody else for every test: a grant may mint five times a minute. */
const { names, users, cluster } = crowd(15);
let user = '';
let tests = -1;
let host: AppHost;
let stranger: AppHost;
let broker: LocalBroker;
let simulator: Simulator;
let browser: Browser;
let context: BrowserContext;
/** Everything that pages said, asked for or popped up. */
let heard: { console: string[]; dialogs: string[]; urls: string[]; mints: number };

beforeAll(async () => {
  [host, stranger] = await Promise.all([startAppHost(), startAppHost()]);
  broker = await startLocalBroker({
    sweepEveryMs: null,
    allowOrigins: [host.origin],
    users,
    simulator: { cluster, switches: { embedPollMs: 100, rateLimit: false } },
  });
  if (!broker.simulator) throw new Error('no simulator');
  ({ simulator } = broker);
  for (const one of [host, stranger]) one.accessToken = (user) => broker.issuer.accessToken(user);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await broker.close();
  host.close();
  stranger.close();
});
beforeEach(async () => {
  user = names[(tests += 1)] ?? '';
  context = await openContext(browser);
  heard = { console: [], dialogs: [], urls: [], mints: simulator.state().mints };
});
afterEach(async () => {
  await context.close();
  simulator.set({ outage: 'none', faultScope: 'all' });
  await broker.invoke('operator', operatorEvent('POST', '/leases/revoke', { userName: user, keepSignIn: true }));
  expect(heard.dialogs).toEqual([]);
});

const address = (origin: string, embed: boolean) =>
  `${origin}/?${new URLSearchParams({ broker: broker.url, thoughtspot: simulator.url, user, ...(embed && { embed: '' }) })}`;

async function open({ embed = false, origin = host.origin } = {}): Promise<Page> {
  const page = await context.newPage();
  page.on('console', (message) => heard.console.push(message.text()));
  page.on('request', (request) => heard.urls.push(request.url()));
  page.on('dialog', (dialog) => {
    heard.dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  await page.goto(address(origin, embed));
  return page;
}
async function openEmbed(): Promise<Page> {
  const page = await open({ embed: true });
  await status(page, 'Signed in');
  return page;
}
const inFrame = (page: Page) => page.frameLocator('#embed iframe');
const status = (page: Page, text: string) => inFrame(page).getByTestId('status').getByText(text).waitFor();
/** A token as the page got it, or the code of why not. */
const getToken = (page: Page): Promise<string> =>
  page.evaluate('window.tokens.getAuthToken().catch((error) => "failed: " + error.code)');
const minted = () => simulator.state().mints - heard.mints;
const asked = (path: string) => heard.urls.filter((url) => url === broker.url + path).length;
const everyStatus = async (page: Page, count: number, text: string) => {
  for (let index = 0; index < count; index += 1) {
    await page.frameLocator('.embed iframe').nth(index).getByTestId('status').getByText(text).waitFor();
  }
};
/** Somebody ends a token at ThoughtSpot, and the broker does not know. */
const endAtThoughtSpot = (token: string) =>
  fetch(`${simulator.url}/api/rest/2.0/auth/token/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user_identifier: simulator.state().tokens[0]?.user, token }),
  });
/** Resolves at the next call that reaches ThoughtSpot. */
const nextCall = () =>
  new Promise<void>((resolve) => {
    const stop = simulator.onCall(() => {
      stop();
      resolve();
    });
  });

test('three asks at the same time make one request and one token', async () => {
  const page = await open();
  const tokens = await page.evaluate<string[]>('Promise.all([1, 2, 3].map(() => window.tokens.getAuthToken()))');
  expect(new Set(tokens).size).toBe(1);
  expect([asked('/gettoken'), minted()]).toEqual([1, 1]);
  expect(simulator.tokens().includes(tokens[0] ?? '')).toBe(true);
});

test('two tabs that ask at the same time make one token', async () => {
  const [one, other] = [await open(), await open()];
  const release = simulator.hold();
  const call = nextCall();
  const tokens = Promise.all([getToken(one), getToken(other)]);
  await call;
  release();
  expect([new Set(await tokens).size, minted()]).toEqual([1, 1]);
});

describe('the embed', () => {
  test('gets the next token when it asks for one (RefreshAuthToken), without a reload, and keeps its state', async () => {
    const page = await openEmbed();
    await inFrame(page).getByRole('button', { name: 'Shoes' }).click();
    await page.evaluate("window.embed.trigger('simulator:refresh')");
    await status(page, 'RefreshAuthToken: new token in use');
    expect(await inFrame(page).getByRole('button', { name: 'Shoes' }).getAttribute('aria-pressed')).toBe('true');
    expect(await inFrame(page).getByTestId('tokens-received').innerText()).toBe('2');
  });

  test('whose token has died gets another (ThoughtspotAuthExpired), without a reload, and keeps its state', async () => {
    const page = await openEmbed();
    await inFrame(page).getByRole('button', { name: 'Shoes' }).click();
    const [dead = ''] = simulator.tokens();
    await endAtThoughtSpot(dead);
    await status(page, 'ThoughtspotAuthExpired: new token in use');
    expect(await inFrame(page).getByRole('button', { name: 'Shoes' }).getAttribute('aria-pressed')).toBe('true');
    expect(minted()).toBe(2);
    expect(simulator.tokens().includes(dead)).toBe(false);
  });

  test('whose token dies twice within a minute gets another one each time', async () => {
    const page = await openEmbed();
    for (const mints of [2, 3]) {
      const [dead = ''] = simulator.tokens();
      await endAtThoughtSpot(dead);
      await page.waitForFunction(
        `![undefined, null, ${JSON.stringify(dead)}].includes(window._tsEmbedSDK.cachedAuthToken)`,
      );
      expect([minted(), simulator.tokens().includes(dead)]).toEqual([mints, false]);
      await status(page, 'ThoughtspotAuthExpired: new token in use');
    }
  });

  test('is one of eight that ask for a new token 150 ms apart: one mint more, and all have it', async () => {
    const page = await open();
    await page.evaluate('window.show(8)');
    await everyStatus(page, 8, 'Signed in');
    const before = minted();
    await page.evaluate(
      "window.embeds.forEach((embed, index) => setTimeout(() => embed.trigger('simulator:refresh'), index * 150))",
    );
    await everyStatus(page, 8, 'RefreshAuthToken: new token in use');
    expect([before, minted(), heard.console.filter((line) => line.includes('429'))]).toEqual([1, 2, []]);
  });

  test('is one of twelve of a page that checks no tokens: at most two mints, and all are signed in', async () => {
    const page = await open();
    await page.evaluate('window.show(12, { disableTokenVerification: true })');
    await everyStatus(page, 12, 'Signed in');
    expect(minted()).toBeLessThanOrEqual(2);
  });

  test('ends within one check when the user signs out in another tab', async () => {
    const [page, other] = [await openEmbed(), await open()];
    await getToken(other);
    await other.evaluate('window.tokens.signOut()');
    // The vendor's SDK takes the iframe away.
    await page.locator('#embed').getByText('Not logged in').waitFor();
    expect(page.frames()).toHaveLength(1);
    expect(await getToken(page)).toBe('failed: signed-out');
    expect(simulator.tokens()).toHaveLength(0);
  });

  test('shows once the broker has recovered that answered 503 with Retry-After, and no alert', async () => {
    simulator.set({ outage: 'error', outageStatus: 429, faultScope: 'mint' });
    const page = await open();
    const refused = page.waitForResponse((response) => response.url() === `${broker.url}/gettoken`);
    await page.evaluate('void window.show()');
    const answer = await refused;
    expect([answer.status(), Number(answer.headers()['retry-after']) > 0]).toEqual([503, true]);
    simulator.set({ outage: 'none' });
    await status(page, 'Signed in');
  });

  test('leaves no token in storage, cookies, addresses, console or DOM', async () => {
    const page = await openEmbed();
    await page.evaluate("window.embed.trigger('simulator:refresh')");
    await status(page, 'RefreshAuthToken: new token in use');
    const kept = (frame: Frame) =>
      frame.evaluate<string>(
        'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML])',
      );
    const frames = await Promise.all(page.frames().map(kept));
    expect(frames.length).toBeGreaterThan(1);
    const cookies = JSON.stringify(await context.cookies());
    const all = [...frames, cookies, ...heard.console, ...heard.urls].join('\n');
    const tokens = simulator.issued().slice(-minted());
    expect(tokens.length).toBeGreaterThan(0);
    expect(
      tokens.filter((token) =>
        [token, encodeURIComponent(token), JSON.stringify(token)].some((form) => all.includes(form)),
      ),
    ).toHaveLength(0);
    // The page had them all the same: it can still name the last one.
    expect(tokens.includes(await page.evaluate('window._tsEmbedSDK.cachedAuthToken'))).toBe(true);
  });
});

test('signing out while a token is being minted leaves none alive', async () => {
  const page = await open();
  const release = simulator.hold();
  const call = nextCall();
  await page.evaluate('window.asked = window.tokens.getAuthToken().then(() => "token", (error) => error.code); 0');
  await call;
  await page.evaluate('window.left = window.tokens.signOut(); 0');
  release();
  expect(await page.evaluate('window.asked')).not.toBe('token');
  await page.evaluate('window.left');
  expect([minted(), simulator.tokens().length]).toEqual([1, 0]);
  expect(await getToken(page)).toBe('failed: signed-out');
});

test('a page that is offline gets its token when it is back', async () => {
  const page = await open();
  const jwt = await broker.issuer.accessToken(user);
  await page.route('**/access-token*', (route) => route.fulfill({ body: jwt }));
  await context.setOffline(true);
  const failed = page.waitForEvent('requestfailed');
  await page.evaluate('window.asked = window.tokens.getAuthToken(); 0');
  await failed;
  await context.setOffline(false);
  const token = await page.evaluate<string>('window.asked');
  expect(simulator.tokens().includes(token)).toBe(true);
});

test('a page of another origin cannot ask, by CORS', async () => {
  const page = await open({ origin: stranger.origin });
  const answer = await page.evaluate<string>(
    `window.accessToken().then((jwt) => fetch(${JSON.stringify(`${broker.url}/gettoken`)}, {
      method: 'POST', headers: { authorization: 'Bearer ' + jwt } })).then(() => 'answered', (error) => error.name)`,
  );
  expect([answer, minted()]).toEqual(['TypeError', 0]);
});

test('nothing that the functions printed holds a token', () => {
  const printed = broker.output.text();
  expect(simulator.issued().length).toBeGreaterThan(5);
  expect(simulator.issued().filter((token) => printed.includes(token))).toHaveLength(0);
});
