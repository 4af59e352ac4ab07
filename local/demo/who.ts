/** Who is signed in. The choice is in the address, so that a reload keeps it; tokens never are. */
import { byId, element } from './element.ts';
import type { DemoUser } from '../issuer.ts';

export interface Choice {
  readonly user: string;
  readonly grant: string;
}

const TENANT = 'https://broker.example/tenant';
const GRANTS: Readonly<Record<string, string>> = {
  full: 'All data of the tenant',
  regional: 'Only the regions of the tenant',
};

export function chosen(users: Readonly<Record<string, DemoUser>>): Choice {
  const query = new URLSearchParams(location.search);
  const [user, grant] = [query.get('user') ?? 'alice', query.get('grant') ?? 'full'];
  return { user: Object.hasOwn(users, user) ? user : 'alice', grant: Object.hasOwn(GRANTS, grant) ? grant : 'full' };
}

/** Set while the page loads again because of a key: the focus goes back to who was chosen. */
const BY_KEY = 'chosen-by-key';

/** While an arrow key is down: browsers make a click of it, and that one only moves the mark. */
let moving = false;

function go(choice: Choice): void {
  location.search = new URLSearchParams({ ...choice }).toString();
}

const text = (claim: unknown): string =>
  Array.isArray(claim) ? claim.join(', ') : typeof claim === 'string' ? claim : '';

function card(name: string, { about, claims }: DemoUser, choice: Choice): HTMLElement {
  const [role, tenant] = [text(claims['groups']), text(claims[TENANT])];
  const input = element('input', {
    type: 'radio',
    name: 'user',
    value: name,
    'aria-describedby': `about-${name}`,
    // Arrow keys move between the people; Enter, Space or a click chooses.
    click: () => {
      if (!moving) go({ ...choice, user: name });
    },
    keydown: (event) => {
      if (!(event instanceof KeyboardEvent)) return;
      moving = event.key.startsWith('Arrow');
      if (!['Enter', ' '].includes(event.key)) return;
      sessionStorage.setItem(BY_KEY, 'yes');
      go({ ...choice, user: name });
    },
    keyup: () => (moving = false),
    ...(name === choice.user ? { checked: true } : {}),
  });
  return element(
    'label',
    { class: 'person', title: about },
    input,
    element('span', { class: 'name' }, text(claims['name'])),
    element(
      'span',
      { class: 'note', id: `about-${name}` },
      [role, tenant && `at ${tenant}`].filter(Boolean).join(' ') || 'no tenant',
    ),
  );
}

/** Draws the choice; another choice loads the page again, as a new sign-in does. */
export function showWho(users: Readonly<Record<string, DemoUser>>, choice: Choice, signOut: () => void): void {
  const options = Object.entries(GRANTS).map(([grant, words]) =>
    element('option', { value: grant, ...(grant === choice.grant ? { selected: true } : {}) }, words),
  );
  const select = element('select', { id: 'grant', change: () => go({ ...choice, grant: select.value }) }, ...options);
  const names = Object.entries(users).map(([name, { claims }]) =>
    element('option', { value: name, ...(name === choice.user ? { selected: true } : {}) }, text(claims['name'])),
  );
  const person = element('select', { id: 'person', change: () => go({ ...choice, user: person.value }) }, ...names);
  byId('who').replaceChildren(
    element(
      'fieldset',
      { class: 'people' },
      element('legend', {}, 'Signed in as'),
      ...Object.entries(users).map(([name, user]) => card(name, user, choice)),
    ),
    element(
      'div',
      { class: 'row' },
      element('div', { class: 'pair phone' }, element('label', { for: 'person' }, 'Signed in as'), person),
      element('div', { class: 'pair' }, element('label', { for: 'grant' }, 'Grant'), select),
      element('button', { type: 'button', id: 'sign-out', click: signOut }, 'Sign out'),
    ),
  );
  if (sessionStorage.getItem(BY_KEY) !== null) byId('who').querySelector<HTMLElement>('input:checked')?.focus();
  sessionStorage.removeItem(BY_KEY);
}
