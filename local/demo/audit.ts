/** The last lines of the audit: what the broker decided and did, newest first. */
import { byId, element } from './element.ts';
import type { OutputLine } from '../lambda/output.ts';
import { timeOfDay } from './time.ts';

const SHOWN = 12;

interface AuditLine {
  readonly action: string;
  readonly user?: string;
  readonly caller?: { readonly subject?: string };
  readonly actor?: { readonly subject?: string; readonly session?: string };
  readonly code?: string;
  readonly rule?: string;
  readonly grant?: string;
  readonly reasons?: readonly string[];
  readonly lease?: { readonly state?: string };
}

/** Not the page's own look at the leases, every second. */
const isAudit = ({ text }: OutputLine): boolean =>
  text.startsWith('{"audit":true') && !text.includes('assumed-role/npm-start/demo-page');

function row({ at, text }: OutputLine): HTMLElement {
  const { action, user, caller, actor, code, rule, grant, reasons = [], lease } = JSON.parse(text) as AuditLine;
  const facts = reasons.length > 0 ? reasons : [rule && `rule ${rule}`, grant && `grant ${grant}`];
  const about = [code, ...facts, lease?.state && `lease ${lease.state}`];
  return element(
    'tr',
    {},
    element('td', { class: 'number' }, timeOfDay(at)),
    element('th', { scope: 'row' }, element('span', { class: `action ${action}` }, action)),
    element('td', {}, user ?? caller?.subject ?? actor?.subject ?? actor?.session ?? ''),
    element('td', {}, about.filter(Boolean).join('; ')),
  );
}

/** Draws the frame once; the answer draws the lines, as often as there is news. */
export function showAudit(): (lines: readonly OutputLine[]) => void {
  const rows = element('tbody');
  const none = element('p', { class: 'note' }, 'Nothing has been decided yet.');
  const heads = ['Time', 'Action', 'Who', 'About'].map((name) => element('th', { scope: 'col' }, name));
  byId('audit').replaceChildren(
    element('h2', { id: 'audit-title' }, 'Audit'),
    element(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Last lines of the audit' },
      element('table', {}, element('thead', {}, element('tr', {}, ...heads)), rows),
    ),
    none,
  );
  return (lines) => {
    const last = lines.filter(isAudit).slice(-SHOWN).reverse();
    rows.replaceChildren(...last.map(row));
    none.hidden = last.length > 0;
  };
}
