import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { personOf } from '../../functions/broker/lease.ts';
import { PROBLEMS } from '../../functions/contract/problems.ts';
import { startLocalBroker, type LocalBroker } from '../../local/local-broker.ts';
import { launchBrowser, openContext } from '../support/browser.ts';

let broker: LocalBroker;
let browser: Browser;
let page: Page;
const said: string[] = [];

beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null, simulator: { switches: { embedPollMs: 200 } } });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await broker.close();
});
beforeEach(async () => {
  page = await (await openContext(browser, { viewport: { width: 1440, height: 1000 } })).newPage();
  page.on('console', (message) => said.push(message.text()));
  page.on('request', (request) => said.push(request.url()));
  page.on('dialog', (dialog) => {
    said.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
});
afterEach(async () => {
  await page.context().close();
  broker.simulator?.set({ outage: 'none', latencyMs: 0, faultScope: 'all' });
  expect(said.filter((line) => line.startsWith('dialog:'))).toEqual([]);
});

/** Past the refresh of a token of five minutes, and before its end. */
const REFRESH_MS = 255_000;
const frame = () => page.frameLocator('#embed iframe');
const fact = (name: string) => frame().getByTestId(name).innerText();
/** The embed shows its figures, whatever it last said of its tokens. */
const boardStays = () => frame().getByTestId('row-count').waitFor();
const leases = () => page.getByRole('region', { name: 'Live leases' });
/** The button that opens an operation on the page of the API: `post /gettoken`. */
const operation = (name: string) => page.getByRole('button', { name, exact: true });

async function open(query: string): Promise<void> {
  await page.goto(`${broker.url}/${query}`);
}
async function openBoard(query: string): Promise<void> {
  await open(query);
  await frame().getByTestId('status').getByText('Signed in').waitFor();
}

describe('people with different rights', () => {
  test.each([
    ['?user=alice', 'Alice Archer (alice~', 'acme (1)', 'analysts', 'full', '192'],
    ['?user=bob', 'Bob Baker (bob~', 'acme (1)', 'acme-admins', 'full', '192'],
    ['?user=carol', 'Carol Chen (carol~', 'globex (2)', 'viewers', 'full', '192'],
    ['?user=alice&grant=regional', 'Alice Archer (alice~', 'acme (1)', 'analysts', 'custom', '96'],
    ['?user=carol&grant=regional', 'Carol Chen (carol~', 'globex (2)', 'viewers', 'custom', '48'],
  ])('%s sees the board as %s', async (query, user, org, groups, kind, rows) => {
    await openBoard(query);
    expect(await Promise.all(['user', 'org', 'groups', 'kind-of-token', 'row-count'].map(fact))).toEqual([
      expect.stringContaining(user),
      org,
      groups,
      kind,
      rows,
    ]);
  });

  test('one person sees the rows of each grant, whatever was minted before', async () => {
    await openBoard('?user=bob&grant=regional');
    expect(await fact('row-count')).toBe('96');
    await openBoard('?user=bob&grant=full');
    expect(await fact('row-count')).toBe('192');
  });

  test('who may have none is told why, and what to do', async () => {
    await open('?user=mallory');
    await page.getByRole('heading', { name: 'No token: not-entitled' }).waitFor();
    await page.getByText('Choose somebody of a known tenant').waitFor();
    await open('?user=dave');
    await page.getByRole('heading', { name: 'No token: user-not-provisioned' }).waitFor();
  });

  test.each(['Enter', 'Space'])('are chosen by arrow keys and %s, and the focus stays', async (key) => {
    await openBoard('?user=alice');
    await page.getByRole('radio', { name: /Alice Archer/ }).focus();
    await page.keyboard.press('ArrowRight');
    expect(page.url()).toMatch(/user=alice/);
    await page.keyboard.press(key);
    await page.waitForURL(/user=bob/);
    await frame().getByTestId('user').getByText('Bob Baker').waitFor();
    expect(await page.evaluate('document.activeElement.value')).toBe('bob');
  });
});

describe('a lease', () => {
  test('is shown with its state and what is left of it, and ends by its button', async () => {
    await openBoard('?user=bob');
    const row = leases().getByRole('row', { name: /^bob full/ });
    await row.getByText('live').waitFor();
    expect(await row.innerText()).toMatch(/\d+ min \d\d s/);
    await page.getByRole('button', { name: 'Revoke this lease of bob' }).first().click();
    await page.getByText(/Revoke one lease of bob: 1 revoked/).waitFor();
  });

  test.each([
    ['Revoke mine: all tokens of carol', /Revoke mine: [12] revoked/],
    ['This user: as an operator, revoke all tokens of carol', /Revoke all of carol: [12] revoked/],
    ['This org: as an operator, revoke all tokens of the org of this user', /Revoke org 2: .*the sweep/],
    ['All: as an operator, revoke all tokens', /Revoke all: .*the sweep/],
  ])('ends by "%s"', async (name, words) => {
    await openBoard('?user=carol');
    await page.getByRole('button', { name, exact: true }).click();
    if (name.startsWith('All')) {
      await page.getByText('Press "All" once more').waitFor();
      await page.getByRole('button', { name, exact: true }).click();
    }
    await page.getByText(words).waitFor();
  });

  test('of somebody who signs out ends with it', async () => {
    await openBoard('?user=alice&grant=regional');
    // The page asks again where a request failed. What takes ThoughtSpot too long is left to the sweep, and the answer is 202.
    const revoked = page.waitForResponse((answer) => answer.url().endsWith('/revoketoken') && answer.ok());
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Signed out' }).waitFor();
    if ((await revoked).status() === 202) await broker.invoke('sweep', {});
    expect(broker.simulator?.state().tokens.filter(({ user }) => personOf(user) === 'alice')).toHaveLength(0);
  });
});

test('the switches make ThoughtSpot fail and work again, and the audit says what came of it', async () => {
  await openBoard('?user=alice');
  await page.getByRole('switch', { name: /Too many requests/ }).check();
  await page.getByText('Too many requests on.').waitFor();
  expect(broker.simulator?.switches()).toMatchObject({ outage: 'error', outageStatus: 429 });
  await page.getByRole('switch', { name: /Too many requests/ }).uncheck();
  await page.getByText('Too many requests off.').waitFor();
  expect(broker.simulator?.switches()).toMatchObject({ outage: 'none' });
  await page.getByRole('button', { name: 'Sweep now' }).click();
  await page.getByText('Sweep done.').waitFor();
  const audit = page.getByRole('region', { name: 'Last lines of the audit' });
  await audit.getByText('reuse').or(audit.getByText('mint')).first().waitFor();
  await page.getByRole('img', { name: /^Last minute: \d+ minted/ }).waitFor();
});

// A grant may mint five times a minute, and the tests above use up those of "full": these use "regional".
describe('a board that failed says what happened, and comes back when ThoughtSpot does', () => {
  test('where the broker could mint no token', async () => {
    await openBoard('?user=bob&grant=regional');
    broker.simulator?.set({ outage: 'error', outageStatus: 400, faultScope: 'mint' });
    await page.getByRole('button', { name: 'Revoke mine: all tokens of bob' }).click();
    await page.getByRole('heading', { name: /^No token: upstream/ }).waitFor();
    expect(await page.getByRole('status').first().innerText()).not.toMatch(/^Token live/);
    broker.simulator?.set({ outage: 'none' });
    await frame().getByTestId('status').getByText('Signed in').waitFor();
  });

  test('where there is a token, and ThoughtSpot does not take it', async () => {
    await openBoard('?user=alice&grant=regional');
    broker.simulator?.set({ outage: 'error', outageStatus: 429 });
    await page.reload();
    await page.getByRole('heading', { name: 'ThoughtSpot does not answer' }).waitFor();
    expect(await page.getByRole('status').first().innerText()).not.toMatch(/^Token live/);
    broker.simulator?.set({ outage: 'none' });
    await frame().getByTestId('status').getByText('Signed in').waitFor();
  });
});

test('a broker that died takes no board away; the page says so for as long as it is down, and renews the token then', async () => {
  await page.clock.install();
  await openBoard('?user=carol&grant=regional');
  const [token, said] = [page.locator('#token'), page.locator('#said')];
  await token.getByText('the next one is fetched').waitFor();
  await page.route(
    (url) => url.href.startsWith(broker.url),
    (route) => route.abort('connectionrefused'),
  );
  await said.getByText('Nothing answers. Is npm start still running?').waitFor();
  await page.clock.fastForward(REFRESH_MS);
  await token.getByText('the last refresh failed').waitFor();
  expect(await page.getByText('Signed out').count()).toBe(0);
  await boardStays();

  await page.unrouteAll();
  await said.waitFor({ state: 'hidden' });
  await page.evaluate("dispatchEvent(new Event('online'))");
  await token.getByText('the next one is fetched').waitFor();
  await boardStays();
});

test('a phone shows a select in place of the cards, and the code for an app can be copied', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await openBoard('?user=alice&grant=regional');
  expect(await page.getByRole('radio').count()).toBe(0);
  await page.getByRole('combobox', { name: 'Signed in as' }).selectOption('bob');
  await page.waitForURL(/user=bob/);
  await frame().getByTestId('user').getByText('Bob Baker').waitFor();
  const code = await page.getByRole('region', { name: 'Code for your app' }).innerText();
  expect(code).toContain("username: 'bob'");
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByText('Copied.').waitFor();
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(code);
  await page.getByRole('link', { name: 'Tutorial' }).waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
});

describe('axe finds nothing serious', () => {
  /** WCAG 2.5.3: who speaks to a page says what is written on a button. Also what axe leaves to people to judge. */
  const LABEL_IN_NAME = 'label-content-name-mismatch';
  const problems = async (apartFrom = '.none') => {
    const rules = { [LABEL_IN_NAME]: { enabled: true } };
    const { violations, incomplete } = await new AxeBuilder({ page }).exclude(apartFrom).options({ rules }).analyze();
    const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    const open = incomplete.filter(({ id }) => id === LABEL_IN_NAME);
    return [...bad, ...open].map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  };

  test.each([
    [1440, 'light'],
    [1440, 'dark'],
    [360, 'light'],
    [360, 'dark'],
  ] as const)('on the page at %i px, %s', async (width, colorScheme) => {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    await openBoard('?user=bob');
    await leases().getByText('live').first().waitFor();
    expect(await problems()).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  });

  test('on the page of the API, but in what Swagger UI draws', async () => {
    await page.goto(`${broker.url}/docs/`);
    await operation('post /gettoken').waitFor();
    expect(await problems('.swagger-ui')).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  });
});

describe('the page of the API', () => {
  const answer = () => page.locator('.live-responses-table');
  const send = async (name: string, caller: string) => {
    await page.goto(`${broker.url}/docs/`);
    await page.getByRole('combobox', { name: /carry an access token of/ }).selectOption(caller);
    await operation(name).click();
    await page.getByRole('button', { name: 'Try it out' }).click();
    await page.getByRole('button', { name: 'Execute' }).click();
  };

  test('draws every route of the document, and what can go wrong with it', async () => {
    await page.goto(`${broker.url}/docs/`);
    for (const name of ['post /gettoken', 'post /revoketoken', 'get /sessioninfo', 'get /leases']) {
      await operation(name).click();
    }
    const problem = page.getByRole('option', { name: PROBLEMS['upstream-mismatch'].title });
    await problem.first().waitFor({ state: 'attached' });
    const yaml = await fetch(`${broker.url}/openapi.yaml`);
    expect(await yaml.text()).toMatch(/^openapi: 3\.1/);
  });

  test.each([
    ['post /gettoken', 'carol', '200', '"userName": "carol~'],
    ['post /gettoken', 'mallory', '403', '"code": "not-entitled"'],
    ['get /leases', 'ops', '200', '"user": "carol"'],
    ['get /leases', 'carol', '403', '"code": "insufficient-scope"'],
  ])('sends %s to this broker as %s, and shows %s with %s', async (name, caller, status, body) => {
    await send(name, caller);
    await answer().getByText(body).waitFor();
    expect(await answer().locator('.response-col_status').last().innerText()).toMatch(new RegExp(`^${status}`));
  });

  test('sends the access token that a person gives to "Authorize"', async () => {
    await page.goto(`${broker.url}/docs/`);
    await page.getByRole('button', { name: 'Authorize' }).click();
    await page.getByRole('textbox').fill(await broker.issuer.accessToken('bob'));
    await page.getByRole('button', { name: 'Apply credentials' }).click();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    await operation('post /gettoken').click();
    await page.getByRole('button', { name: 'Try it out' }).click();
    await page.getByRole('button', { name: 'Execute' }).click();
    await answer().getByText('"userName": "bob~').waitFor();
  });

  test('asks nobody but this broker for anything', async () => {
    const before = said.length;
    await send('post /gettoken', 'alice');
    await answer().getByText('"userName": "alice~').waitFor();
    const asked = said.slice(before).filter((line) => /^https?:/.test(line));
    expect(asked.filter((url) => !url.startsWith(`${broker.url}/`))).toEqual([]);
    expect(asked.length).toBeGreaterThan(4);
  });
});

test('no token is in the page, its storage, its address, its requests or its console', async () => {
  await openBoard('?user=alice');
  await leases().getByText('live').first().waitFor();
  const kept = await page.evaluate<string>(
    'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML])',
  );
  const all = [kept, JSON.stringify(await page.context().cookies()), ...said].join('\n');
  const issued = broker.simulator?.issued() ?? [];
  expect(issued.length).toBeGreaterThan(3);
  const found = issued.filter((token) => all.includes(token) || all.includes(encodeURIComponent(token)));
  expect(found).toHaveLength(0);
  expect(issued.filter((token) => broker.output.text().includes(token))).toHaveLength(0);
});
