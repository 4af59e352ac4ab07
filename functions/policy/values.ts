/** What a rule gives, worked out from the claims of a caller: texts, lists, the org. */
import type { Claims, ClaimValue } from '../broker/ports.ts';
import type { Claim, ClaimText, Org, Tables, Template, Text, Values } from './document.ts';
import { UNPRINTABLE } from '../contract/shapes.ts';
import { fold } from './fold.ts';
import { expressionOf, isList, kindOf, nameOf, readClaim, UNREADABLE } from './match.ts';

/** A value, or why there is none: a reason for operators, without any claim's value. */
export type Outcome<T> = { readonly value: T } | { readonly refusal: string };

/** Longest text that a claim may put into a grant, in UTF-16 units. */
export const LONGEST_TEXT = 254;

/** ThoughtSpot's words for "all rows" and "no rows" begin like this, folded: they must never come from a claim. */
const WILDCARD = 'ts_wildcard';

/** Invisible characters that join or separate letters in Persian and Indic names, and make up emoji. */
const JOINERS = /[\u200c\u200d\ufe0f]/g;

export function isPlainText(text: string): boolean {
  return text.length > 0 && text.length <= LONGEST_TEXT && text.trim() === text && !UNPRINTABLE.test(text);
}

/**
 * What a text is for. An `identity` can be read back in one way only, so that no two sets of claims give the same one.
 * A `label` is only shown: it is trimmed, may hold joiners, may be ambiguous, and is '' where there is nothing to show.
 */
type Use = 'identity' | 'label';

/** One text from one claim, or from several through a template. A claim that is absent refuses either. */
export function textFrom(source: Text, claims: Claims, tables: Tables, use: Use = 'identity'): Outcome<string> {
  return 'template' in source ? joined(source, claims, tables, use) : oneText(source, claims, tables, use);
}

function joined({ template }: Template, claims: Claims, tables: Tables, use: Use): Outcome<string> {
  let text = '';
  for (const [index, piece] of template.entries()) {
    if (typeof piece === 'string') {
      text += piece;
      continue;
    }
    const part = oneText(piece, claims, tables, use);
    if ('refusal' in part) return part;
    const after = template[index + 1];
    const [next] = typeof after === 'string' ? after : '';
    if (use === 'identity' && next !== undefined && caseless(part.value).includes(caseless(next)))
      return refuse(piece.claim, 'holds the character that ends its part of the template');
    text += part.value;
  }
  const whole = use === 'label' ? labelOf(text) : text;
  return fits(whole, use) ? { value: whole } : { refusal: 'the text made by the template is too long or malformed' };
}

function labelOf(text: string): string {
  return text.replace(JOINERS, '').trim() === '' ? '' : text.trim();
}

function fits(text: string, use: Use): boolean {
  return use === 'label' ? text === '' || isPlainText(text.replace(JOINERS, '_')) : isPlainText(text);
}

/** Users are the same in either case. Lower case first, so that a dotted capital I counts as an I too. */
function caseless(text: string): string {
  return text.toLowerCase().toUpperCase();
}

function oneText(source: ClaimText, claims: Claims, tables: Tables, use: Use): Outcome<string> {
  const value = readClaim(claims, source.claim);
  if (value === undefined) return refuse(source.claim, 'is absent');
  if (value === UNREADABLE) return refuse(source.claim, 'is unreadable');
  const mapped = mapItem(source, value, tables, use);
  if ('refusal' in mapped) return mapped;
  const [only, second] = mapped.value;
  return only === undefined || second !== undefined
    ? refuse(source.claim, 'does not map to one text')
    : { value: only };
}

/**
 * A list of texts, without duplicates and in a fixed order, so that the order of a claim's items shapes nothing. A claim
 * that is absent refuses, as does an item that does not map, unless the rule skips those.
 */
export function listFrom(source: Values, claims: Claims, tables: Tables): Outcome<readonly string[]> {
  const values = valuesFrom(source, claims, tables);
  return 'refusal' in values ? values : { value: [...new Set(values.value)].sort() };
}

/** Like `listFrom`, in the order of the claim or document: bounds of a range are no set. */
export function valuesFrom(source: Values, claims: Claims, tables: Tables): Outcome<readonly string[]> {
  if (!('claim' in source)) return { value: source };
  const claim = readClaim(claims, source.claim);
  if (claim === undefined) return refuse(source.claim, 'is absent');
  if (claim === UNREADABLE) return refuse(source.claim, 'is unreadable');
  const values: string[] = [];
  for (const item of isList(claim) ? claim : [claim]) {
    const mapped = mapItem(source, item, tables);
    if ('value' in mapped) values.push(...mapped.value);
    else if (source.unlisted === 'refuse') return mapped;
  }
  return { value: values };
}

/** The org: a number of the document, or what the document's table says of a claim. Never a claim itself. */
export function orgFrom(source: Org, claims: Claims, tables: Tables): Outcome<number> {
  if (typeof source === 'number') return { value: source };
  const text = asText(readClaim(claims, source.claim));
  const orgId = text === undefined ? undefined : entryOf(tables, source.table, text);
  return typeof orgId === 'number'
    ? { value: orgId }
    : { refusal: `claim "${nameOf(source.claim)}" is absent or not in the table of orgs` };
}

function mapItem(
  source: ClaimText,
  value: ClaimValue,
  tables: Tables,
  use: Use = 'identity',
): Outcome<readonly string[]> {
  const { claim, lowerCase, pattern, table, allow } = source;
  const raw = asText(value);
  if (raw === undefined) return refuse(claim, `is a ${kindOf(value)}, not a text`);
  const cased = lowerCase ? raw.toLowerCase() : raw;
  const text = use === 'label' ? labelOf(cased) : cased;
  if (table !== undefined) {
    const entry = entryOf(tables, table, text);
    if (entry === undefined || typeof entry === 'number') return refuse(claim, 'is not in the table');
    return { value: typeof entry === 'string' ? [entry] : entry };
  }
  if (allow !== undefined) return allow.includes(text) ? { value: [text] } : refuse(claim, 'is not in the table');
  if (use === 'label' && text === '') return { value: [text] };
  if (!fits(text, use)) return refuse(claim, 'is empty, too long, padded or holds unprintable characters');
  const match = pattern === undefined ? text : matched(pattern, text);
  if (match === undefined) return refuse(claim, 'does not match the pattern');
  const result = use === 'label' ? labelOf(match) : match;
  if (!fits(result, use)) return refuse(claim, 'has no plain text where the pattern captures');
  return fold(result).startsWith(WILDCARD) ? refuse(claim, 'is a wildcard of ThoughtSpot') : { value: [result] };
}

/** What the pattern captures, or the whole text if it has no group. */
function matched(pattern: string, text: string): string | undefined {
  const match = expressionOf(pattern).exec(text);
  return match !== null && match.length > 1 ? match[1] : match?.[0];
}

function entryOf(tables: Tables, name: string, text: string): Tables[string][string] | undefined {
  const table = Object.hasOwn(tables, name) ? tables[name] : undefined;
  return table !== undefined && Object.hasOwn(table, text) ? table[text] : undefined;
}

/** Texts as they are, whole numbers in decimal: both are what an issuer signs as an identifier. Nothing else. */
function asText(value: ReturnType<typeof readClaim>): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined;
}

function refuse(claim: Claim, what: string): { readonly refusal: string } {
  return { refusal: `claim "${nameOf(claim)}" ${what}` };
}
