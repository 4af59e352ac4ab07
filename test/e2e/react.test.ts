/** The React bindings on Vite's development server: who asks for a token and when, remounts, and hot reload. */
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, openContext } from '../support/browser.ts';
import { type ReactHost, startReactHost } from './react-host.ts';

let host: ReactHost;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  [host, browser] = await Promise.all([startReactHost(), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await host.close();
});
beforeEach(async () => {
  page = await (await openContext(browser)).newPage();
  await page.clock.install();
  await page.goto(host.origin);
  await status('live alice');
  await board().waitFor();
  await page.waitForFunction('window._tsEmbedSDK.cachedAuthToken');
});
afterEach(() => page.context().close());

const status = (text: string) => page.getByRole('status').getByText(text).waitFor();
const board = () => page.getByTitle('board');
const counted = () => page.evaluate<number[]>('[window.mints, window.starts]');
/** Whatever the mount asked for has been answered: an ask that follows it waits for it. */
const settled = () => page.evaluate('new Promise((resolve) => setTimeout(resolve, 0))').then(() => page.evaluate('0'));

test('StrictMode mounts twice: one mint, and the SDK is started once', async () => {
  expect(await counted()).toEqual([1, 1]);
});

test('a background refresh that finds another user asks for their token, and the board comes back', async () => {
  await page.evaluate("window.user = 'carol'");
  await page.clock.fastForward(220_000);
  await status('live carol');
  await board().waitFor();
  expect(await page.getByText('loading').count()).toBe(0);
});

test('unmounting and mounting costs no mint, and the board comes back', async () => {
  const toggle = page.getByRole('button', { name: 'Toggle' });
  for (let times = 0; times < 3; times += 1) {
    await toggle.click();
    await board().waitFor({ state: 'detached' });
    await toggle.click();
    await board().waitFor();
    await settled();
  }
  expect(await counted()).toEqual([1, 1]);
});

test('who signs in again after a sign-out gets a token and the board', async () => {
  await page.evaluate('window.tokens.signOut()');
  await status('signed-out');
  await board().waitFor({ state: 'detached' });
  await page.evaluate('window.tokens.signIn()');
  await status('live alice');
  await board().waitFor();
});

describe('hot reload', () => {
  beforeEach(() => page.evaluate('window.sameDocument = true'));
  const stillOnePageAndOneMint = async () => {
    expect(await page.evaluate('window.sameDocument')).toBe(true);
    expect(await counted()).toEqual([1, 1]);
  };

  test('of the component around the board leaves the board alone, and mints nothing', async () => {
    const before = await page.evaluate('window.boards');
    host.edit('Board.tsx', /<h1>.*<\/h1>/, '<h1>Hot</h1>');
    await page.getByRole('heading', { name: 'Hot' }).waitFor();
    await board().waitFor();
    await settled();
    await stillOnePageAndOneMint();
    expect(await page.evaluate('window.boards')).toBe(before);
  });

  test('that mounts everything anew brings the board back, and mints nothing', async () => {
    host.edit('Board.tsx', /^/, '// @refresh reset\n');
    host.edit('Board.tsx', /<h1>.*<\/h1>/, '<h1>Reset</h1>');
    await page.getByRole('heading', { name: 'Reset' }).waitFor();
    await board().waitFor();
    await settled();
    await stillOnePageAndOneMint();
  });
});
