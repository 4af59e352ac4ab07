import type { SessionDetails } from '../endpoints/callosum.ts';
import type { SalesRow } from '../liveboard.ts';
import { bars, curve, format, type Point } from './charts.ts';
import { askHost, isEmbedded, onHostEvent, postToHost, type HostReply } from './host.ts';

// The page's state. The token lives here only: not in the DOM, not in storage. Category and counters outlive tokens.
let token = '';
let details: SessionDetails | undefined;
let clockGap = 0;
let rows: readonly SalesRow[] = [];
let category = 'All';
let tokensReceived = 0;
let clicks = 0;
let wantsNearExpiry = true;
let refreshed = false;
let busy = false;
let watching: ReturnType<typeof setTimeout> | undefined;

function find(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return element;
}

const say = (text: string): void => void (find('status').textContent = text);

function call(path: string): Promise<Response> {
  // Without a token the embed goes by cookie: trusted authentication that is not cookieless.
  const headers: HeadersInit = token === '' ? {} : { authorization: `Bearer ${token}` };
  return fetch(path, { headers, credentials: token === '' ? 'same-origin' : 'omit', cache: 'no-store' });
}

/** Takes a token into use if ThoughtSpot accepts it. */
async function adopt(text: string): Promise<boolean> {
  token = text;
  const [info, sales] = await Promise.all([call('/callosum/v1/session/info'), call('/simulator/sales')]);
  if (!info.ok || !sales.ok) return false;
  details = (await info.json()) as SessionDetails;
  rows = ((await sales.json()) as { rows: SalesRow[] }).rows;
  clockGap = details.simulator.now - Date.now();
  tokensReceived += 1;
  refreshed = false;
  find('ended').hidden = true;
  find('liveboard').hidden = false;
  render();
  return true;
}

function showEnded(reason: string): void {
  find('ended-reason').textContent = reason;
  find('ended').hidden = false;
  say('Session ended');
}

/** Asks the app for a token by one of the SDK's events, one at a time. */
async function askForToken(type: 'RefreshAuthToken' | 'ThoughtspotAuthExpired'): Promise<void> {
  if (busy) return;
  busy = true;
  try {
    const reply: HostReply | undefined = await askHost(type);
    const fresh = reply?.data?.authToken;
    if (!fresh) say(`${type}: the app gave no new token`);
    else if (await adopt(fresh)) say(`${type}: new token in use`);
    else showEnded('ThoughtSpot did not accept the new token.');
  } catch {
    say(`${type}: ThoughtSpot cannot be reached`);
  } finally {
    busy = false;
  }
}

/** When to ask ahead of expiry: a fifth of the token's life before its end, at most a minute. */
function refreshAt(): number | undefined {
  const { issuedAt = null, expiresAt = null } = details?.simulator ?? {};
  if (issuedAt === null || expiresAt === null || !wantsNearExpiry || refreshed) return undefined;
  return expiresAt - Math.min(60_000, (expiresAt - issuedAt) / 5);
}

const clusterNow = (): number => Date.now() + clockGap;

/** Looks whether the session is alive, again and again; a dead one is reported to the app, which may have another. */
async function watch(): Promise<void> {
  const due = refreshAt();
  if (due !== undefined && clusterNow() >= due) {
    refreshed = true;
    await askForToken('RefreshAuthToken');
  }
  try {
    const asked = token;
    const answer = await call('/callosum/v1/session/isactive');
    if (answer.status === 401 && asked === token) {
      if (find('ended').hidden) showEnded('The token was revoked or has expired.');
      await askForToken('ThoughtspotAuthExpired');
    }
  } catch {
    say('ThoughtSpot cannot be reached; trying again');
  }
  scheduleWatch();
}

function scheduleWatch(): void {
  clearTimeout(watching);
  const poll = details?.simulator.pollMs ?? 5000;
  const due = refreshAt();
  watching = setTimeout(() => void watch(), due === undefined ? poll : Math.max(0, Math.min(poll, due - clusterNow())));
}

function sums(of: readonly SalesRow[], key: 'region' | 'category' | 'month'): Point[] {
  const totals = new Map<string, number>();
  for (const row of of) totals.set(row[key], (totals.get(row[key]) ?? 0) + row.sales);
  return [...totals].map(([label, value]) => ({ label, value }));
}

function render(): void {
  if (!details) return;
  const { org } = details.simulator;
  const shown = rows.filter((row) => category === 'All' || row.category === category);
  const months = sums(shown, 'month');
  const best = [...months].sort((one, other) => other.value - one.value)[0];
  find('title').textContent = `Sales of ${org.name}`;
  find('user-name').textContent = details.userName;
  find('user-org').textContent = org.name;
  find('total').textContent = format(shown.reduce((total, row) => total + row.sales, 0));
  find('best-month').textContent = best?.label ?? 'none';
  find('row-count').textContent = String(shown.length);
  draw('by-month', (width) => curve(months, width));
  draw('by-region', (width) => bars(sums(shown, 'region'), width));
  draw('by-category', (width) => bars(sums(shown, 'category'), width));
  renderChips();
  renderIdentity(details);
}

function draw(id: string, chart: (width: number) => Element): void {
  const holder = find(id);
  holder.replaceChildren(chart(Math.max(holder.clientWidth, 240)));
}

function renderChips(): void {
  const names = ['All', ...new Set(rows.map((row) => row.category))];
  const holder = find('chips');
  const focused =
    document.activeElement instanceof HTMLElement ? document.activeElement.dataset['category'] : undefined;
  for (const old of holder.querySelectorAll('button')) old.remove();
  for (const name of names) {
    const chip = document.createElement('button');
    chip.type = 'button';
    chip.textContent = name;
    chip.dataset['category'] = name;
    chip.setAttribute('aria-pressed', String(name === category));
    chip.addEventListener('click', () => {
      category = name;
      clicks += 1;
      render();
    });
    holder.append(chip);
    if (name === focused) chip.focus();
  }
}

const listed = (words: readonly string[]): string => (words.length === 0 ? 'none' : words.join(', '));

function renderIdentity({ userDisplayName, userName, privileges, simulator }: SessionDetails): void {
  const { variables, filters, parameters } = simulator.entitlements;
  const until = simulator.expiresAt === null ? 'unknown' : new Date(simulator.expiresAt).toLocaleTimeString();
  const facts: Record<string, string> = {
    User: `${userDisplayName} (${userName})`,
    Org: `${simulator.org.name} (${simulator.org.id})`,
    Groups: listed(simulator.groups),
    Privileges: listed(privileges),
    Variables: listed(Object.entries(variables).map(([name, values]) => `${name} = ${values.join(' or ')}`)),
    Filters: listed(filters.map(({ column, operator, values }) => `${column} ${operator} ${values.join(', ')}`)),
    Parameters: listed(Object.entries(parameters).map(([name, value]) => `${name} = ${value}`)),
    'Kind of token': simulator.objectId === null ? simulator.kind : `${simulator.kind}, for ${simulator.objectId}`,
    'Valid until': until,
    'Tokens received': String(tokensReceived),
    'Filter clicks': String(clicks),
  };
  const pairs = Object.entries(facts).flatMap(([name, value]) => {
    const [term, detail] = [document.createElement('dt'), document.createElement('dd')];
    term.textContent = name;
    detail.textContent = value;
    detail.dataset['testid'] = name.toLowerCase().replaceAll(' ', '-');
    return [term, detail];
  });
  find('identity').replaceChildren(...pairs);
}

async function start(): Promise<void> {
  find('ask-refresh').addEventListener('click', () => void askForToken('RefreshAuthToken').then(scheduleWatch));
  find('report-expiry').addEventListener('click', () => void askForToken('ThoughtspotAuthExpired').then(scheduleWatch));
  window.addEventListener('resize', render);
  onHostEvent((type) => {
    if (type === 'simulator:refresh') void askForToken('RefreshAuthToken').then(scheduleWatch);
    if (type === 'simulator:expire') void askForToken('ThoughtspotAuthExpired').then(scheduleWatch);
  });
  const init = isEmbedded() ? await askHost('appInit') : undefined;
  wantsNearExpiry = init?.data?.embedExpiryInAuthToken ?? true;
  if (!(await adopt(init?.data?.authToken ?? ''))) {
    showEnded(
      isEmbedded() ? 'ThoughtSpot did not accept the token.' : 'Nobody is signed in, and no app embeds this page.',
    );
    if (isEmbedded()) postToHost('ThoughtspotAuthFailure', { type: 'OTHER' });
    return;
  }
  say('Signed in');
  if (isEmbedded()) {
    postToHost('authInit', { userGUID: details?.userGUID });
    for (const event of ['EmbedListenerReady', 'load', 'PinboardRendered']) postToHost(event);
  }
  scheduleWatch();
}

start().catch(() => showEnded('ThoughtSpot cannot be reached.'));
