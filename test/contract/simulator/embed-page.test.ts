import type { Browser, FrameLocator, Page } from 'playwright-core';
import { AxeBuilder } from '@axe-core/playwright';
import type { Server } from 'node:http';
import type { Simulator } from '../../../local/thoughtspot/simulator.ts';
import { launchBrowser, openContext } from '../../support/browser.ts';
import { call, start } from './cluster-client.ts';
import { startEmbedHost } from './embed-host.ts';

let browser: Browser;
let simulator: Simulator;
let host: { origin: string; server: Server };
let user = 'alice';
let variables: { name: string; values: string[] }[] = [];
let gate: Promise<void> | undefined;

/** What a token service does: a custom token, by secret key. */
async function mint(): Promise<string> {
  await gate;
  const body = {
    username: user,
    org_identifier: user === 'carol' ? 'globex' : 'acme',
    secret_key: simulator.secretKey(),
    persist_option: 'REPLACE',
    variable_values: variables,
  };
  const reply = await call(simulator.url, 'POST /api/rest/2.0/auth/token/custom', { body });
  return (reply.json as { token: string }).token;
}

beforeAll(async () => {
  host = await startEmbedHost(mint);
  simulator = await start({ allowedOrigins: [host.origin], switches: { embedPollMs: 100 } });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await simulator.close();
  host.server.close();
  host.server.closeAllConnections();
});

let page: Page;
let frame: FrameLocator;
beforeEach(async () => {
  simulator.reset();
  user = 'alice';
  variables = [];
  gate = undefined;
  page = await (await openContext(browser)).newPage();
  frame = page.frameLocator('#embed iframe');
});
afterEach(() => page.context().close());

const open = async (): Promise<void> => {
  await page.goto(`${host.origin}/?host=${encodeURIComponent(simulator.url)}`);
  await frame.getByTestId('status').getByText('Signed in').waitFor();
};
const fact = (name: string) => frame.getByTestId(name);
const text = (name: string): Promise<string> => fact(name).innerText();

test('it shows who the user is, the Org, the groups and the rights of the token', async () => {
  variables = [{ name: 'region', values: ['emea'] }];
  await open();
  expect(await frame.locator('#user-name').innerText()).toBe('alice');
  expect(await text('user')).toBe('Alice Archer (alice)');
  expect(await Promise.all(['org', 'groups', 'variables', 'kind-of-token'].map(text))).toEqual([
    'acme (1)',
    'analysts',
    'region = emea',
    'custom',
  ]);
  expect(await text('row-count')).toBe('48');
  expect(await page.evaluate('window.seen')).toContain('SUCCESS');
});

test('another user sees another Org', async () => {
  user = 'carol';
  await open();
  expect(await text('org')).toBe('globex (2)');
  expect(await text('row-count')).toBe('192');
});

test.each([
  ['RefreshAuthToken', 'Ask the app for a new token', false],
  ['ThoughtspotAuthExpired', 'Report the token expired', true],
])('%s gets a token without a reload, and the page keeps its state', async (event, button, reusesLiveToken) => {
  await open();
  const first = simulator.tokens();
  await frame.getByRole('button', { name: 'Shoes' }).click();
  await frame.getByRole('button', { name: button }).click();
  await frame.getByTestId('status').getByText(`${event}: new token in use`).waitFor();
  expect(await frame.getByRole('button', { name: 'Shoes' }).getAttribute('aria-pressed')).toBe('true');
  expect(await Promise.all(['filter-clicks', 'tokens-received', 'row-count'].map(text))).toEqual(['1', '2', '48']);
  // The SDK checks its cached token on expiry and gives it again if it lives; on a refresh it never does.
  expect(simulator.tokens().length - first.length).toBe(reusesLiveToken ? 0 : 1);
});

test('the app’s page can trigger both', async () => {
  await open();
  await page.evaluate("window.embed.trigger('simulator:refresh')");
  await frame.getByTestId('status').getByText('RefreshAuthToken: new token in use').waitFor();
});

test('it asks for a token a minute ahead of expiry, once', async () => {
  await page.clock.install();
  await open();
  const { mints } = simulator.state();
  await page.clock.fastForward(239_000);
  expect(simulator.state().mints).toBe(mints);
  await page.clock.fastForward(2_000);
  await frame.getByTestId('status').getByText('RefreshAuthToken: new token in use').waitFor();
  expect(simulator.state().mints).toBe(mints + 1);
});

test('it sees its token die, says so, and goes on with the next one', async () => {
  await open();
  await frame.getByRole('button', { name: 'Bags' }).click();
  const [token = ''] = simulator.tokens();
  const { promise, resolve: letMint } = Promise.withResolvers<void>();
  gate = promise;
  const body = { user_identifier: 'alice', token };
  await call(simulator.url, 'POST /api/rest/2.0/auth/token/revoke', { bearer: token, body });
  await frame.getByRole('alert').getByText('Session ended').waitFor();
  letMint();
  await frame.getByTestId('status').getByText('ThoughtspotAuthExpired: new token in use').waitFor();
  expect(await frame.getByRole('alert').isVisible()).toBe(false);
  expect(await text('filter-clicks')).toBe('1');
});

test('the session stays ended if the app has no other token', async () => {
  await open();
  simulator.setUserStatus('alice', 'INACTIVE');
  await page.locator('#embed').getByText('Not logged in').waitFor();
});

test('a page of another origin can neither call the cluster nor frame the page', async () => {
  const other = await startEmbedHost(mint);
  const refused = page.waitForEvent('console', (message) => /frame-ancestors|CORS/.test(message.text()));
  await page.goto(`${other.origin}/?host=${encodeURIComponent(simulator.url)}`);
  await refused;
  expect(await frame.getByTestId('user').count()).toBe(0);
  other.server.close();
  other.server.closeAllConnections();
});

test.each(['light', 'dark'] as const)('axe finds nothing serious in the %s page', async (colorScheme) => {
  await page.emulateMedia({ colorScheme });
  await open();
  // The iframe's title is the SDK's and the app's affair.
  const { violations } = await new AxeBuilder({ page }).disableRules('frame-title').analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(serious.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))).toEqual([]);
});

test('the token is in no storage, cookie, address or element', async () => {
  await open();
  const inner = page.frames().find((candidate) => candidate.url().startsWith(simulator.url));
  const places = await inner?.evaluate(
    () =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]) +
      document.documentElement.outerHTML,
  );
  for (const token of simulator.tokens()) expect(places).not.toContain(token);
});
