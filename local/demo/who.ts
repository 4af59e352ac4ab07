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
    change: () => go({ ...choice, user: name }),
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
      element('label', { for: 'grant' }, 'Grant'),
      select,
      element('button', { type: 'button', id: 'sign-out', click: signOut }, 'Sign out'),
    ),
  );
}
