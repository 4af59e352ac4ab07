/** The live leases of the ledger, with what is left of each, and the ways to end them. */
import { byId, element, say } from './element.ts';
import type { ListedLease } from '../operator/operator-broker.ts';
import { revoke } from './local-api.ts';
import { until } from './time.ts';

const OPERATOR = 'ops';

async function act(what: string, work: () => Promise<{ revoked: number; pending: number | null }>): Promise<void> {
  say(`${what} ...`);
  try {
    const { revoked, pending } = await work();
    const rest = pending === 0 ? '' : pending === null ? '; the sweep does the rest' : `; ${pending} left to the sweep`;
    say(`${what}: ${revoked} revoked${rest}.`);
  } catch (error) {
    say(`${what} failed. ${error instanceof Error ? error.message : String(error)}`);
  }
}

function button(label: string, description: string, run: () => void): HTMLElement {
  return element('button', { type: 'button', 'aria-label': description, click: run }, label);
}

function row(lease: ListedLease, user: string): HTMLElement {
  const { leaseId, state, kind, grant, orgId, expiresAt } = lease;
  const own = lease.user === user;
  const left = expiresAt === undefined ? '' : until(expiresAt);
  const end = button('Revoke', `Revoke this lease of ${lease.user}`, () => {
    void act(`Revoke one lease of ${lease.user}`, () => revoke(own ? user : OPERATOR, { leaseId }));
  });
  return element(
    'tr',
    own ? { class: 'own' } : {},
    element('th', { scope: 'row' }, lease.user),
    element('td', {}, `${grant}${kind === grant ? '' : `, ${kind}`}`),
    element('td', { class: 'number' }, String(orgId)),
    element('td', {}, element('span', { class: `state ${state}` }, state)),
    element('td', { class: 'number' }, left),
    element('td', {}, end),
  );
}

/** Draws the frame once; the answer draws the rows, as often as there is news. */
export function showLeases(user: string, orgOf: () => number | undefined): (leases: readonly ListedLease[]) => void {
  const rows = element('tbody');
  const none = element('p', { class: 'note' }, 'No token lives.');
  const heads = ['User', 'Grant', 'Org', 'State', 'Left', 'End it'].map((name) =>
    element('th', { scope: 'col' }, name),
  );
  const table = element(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Live leases' },
    element('table', {}, element('thead', {}, element('tr', {}, ...heads)), rows),
  );
  let asked = false;
  const all = button('All', 'All: as an operator, revoke all tokens', () => {
    if (asked) void act('Revoke all', () => revoke(OPERATOR, { all: true }));
    else say('This revokes every token of everybody. Press "All" once more to do it.');
    asked = !asked;
  });
  all.addEventListener('blur', () => (asked = false));
  byId('leases').replaceChildren(
    element('h2', { id: 'leases-title' }, 'Leases'),
    table,
    none,
    element(
      'div',
      { class: 'row' },
      button(
        'Revoke mine',
        `Revoke mine: all tokens of ${user}`,
        () => void act('Revoke mine', () => revoke(user, {})),
      ),
    ),
    element('h3', {}, 'As an operator'),
    element(
      'div',
      { class: 'row' },
      button('This user', `This user: as an operator, revoke all tokens of ${user}`, () => {
        void act(`Revoke all of ${user}`, () => revoke(OPERATOR, { userName: user }));
      }),
      button('This org', 'This org: as an operator, revoke all tokens of the org of this user', () => {
        const orgId = orgOf();
        if (orgId === undefined) return say(`${user} has no token yet, so this page knows no org.`);
        void act(`Revoke org ${orgId}`, () => revoke(OPERATOR, { orgId }));
      }),
      all,
    ),
  );

  let drawn = '';
  return (leases) => {
    const focused = document.activeElement?.getAttribute('aria-label');
    const next = JSON.stringify([leases, leases.map(({ expiresAt }) => until(expiresAt))]);
    if (next === drawn) return;
    drawn = next;
    rows.replaceChildren(...leases.map((lease) => row(lease, user)));
    none.hidden = leases.length > 0;
    table.hidden = leases.length === 0;
    // A row that is drawn again must not take the keyboard's place away.
    if (focused) rows.querySelector<HTMLElement>(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  };
}
