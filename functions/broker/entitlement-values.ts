/** What a rule gives, worked out from the claims of a caller: texts, lists, the org. */
import { claimValue, isList, kindOf } from './entitlement-match.ts';
import type { ClaimSource, Mapping, OrgSource, TextSource, ValuesSource } from './entitlement-rules.ts';
import type { Claims, ClaimValue } from './ports.ts';

/** A value, or why there is none: a reason for operators, without any claim's value. */
export type Outcome<T> = { readonly value: T } | { readonly refusal: string };

/** Longest text that a claim may put into a grant, in UTF-16 units. */
export const LONGEST_TEXT = 254;

/** ThoughtSpot's words for "all rows" and "no rows" begin so: a claim must not be able to say them. */
const WILDCARD = /^\s*ts_wildcard/i;

/** Control, format, surrogate, private-use, unassigned and other invisible characters, and line separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

export function isPlainText(text: string): boolean {
  return text.length > 0 && text.length <= LONGEST_TEXT && text.trim() === text && !UNPRINTABLE.test(text);
}

/** One text from one claim, or from several through a template. */
export function textFrom(source: TextSource, claims: Claims): Outcome<string> {
  if (source.from === 'claim') return oneText(source.source, claims);
  let text = '';
  for (const piece of source.pieces) {
    if (typeof piece === 'string') {
      text += piece;
      continue;
    }
    const part = oneText(piece, claims);
    if ('refusal' in part) return part;
    text += part.value;
  }
  return isPlainText(text) ? { value: text } : { refusal: 'the text made by the template is too long or malformed' };
}

function oneText(source: ClaimSource, claims: Claims): Outcome<string> {
  const value = claimValue(claims, source.claim);
  if (value === undefined) return refuse(source, 'is absent');
  const mapped = mapItem(source, value);
  if ('refusal' in mapped) return mapped;
  const [only, second] = mapped.value;
  return only === undefined || second !== undefined ? refuse(source, 'does not map to one text') : { value: only };
}

/**
 * A list of texts, without duplicates and in a fixed order, so that the order of a claim's items shapes nothing. A claim
 * that is absent refuses, as does an item that does not map, unless the rule skips those.
 */
export function listFrom(source: ValuesSource, claims: Claims): Outcome<readonly string[]> {
  const values = valuesFrom(source, claims);
  return 'refusal' in values ? values : { value: [...new Set(values.value)].sort() };
}

/** Like `listFrom`, in the order of the claim or document: bounds of a range are no set. */
export function valuesFrom(source: ValuesSource, claims: Claims): Outcome<readonly string[]> {
  if (source.from === 'fixed') return { value: source.values };
  const claim = claimValue(claims, source.source.claim);
  if (claim === undefined) return refuse(source.source, 'is absent');
  const values: string[] = [];
  for (const item of isList(claim) ? claim : [claim]) {
    const mapped = mapItem(source.source, item);
    if ('value' in mapped) values.push(...mapped.value);
    else if (!source.skipUnlisted) return mapped;
  }
  return { value: values };
}

/** The org: a number of the document, or what the document's table says of a claim. Never a claim itself. */
export function orgFrom(source: OrgSource, claims: Claims): Outcome<number> {
  if (source.from === 'fixed') return { value: source.orgId };
  const text = asText(claimValue(claims, source.claim));
  const orgId = text === undefined ? undefined : source.table.get(text);
  return orgId === undefined
    ? { refusal: `claim "${source.claim.name}" is absent or not in the table of orgs` }
    : { value: orgId };
}

function mapItem(source: ClaimSource, value: ClaimValue): Outcome<readonly string[]> {
  const raw = asText(value);
  if (raw === undefined) return refuse(source, `is a ${kindOf(value)}, not a text`);
  const text = source.lowerCase ? raw.toLowerCase() : raw;
  const { mapping } = source;
  if (mapping.by === 'table') {
    const entry = mapping.table.get(text);
    return entry === undefined ? refuse(source, 'is not in the table') : { value: entry };
  }
  if (!isPlainText(text)) return refuse(source, 'is empty, too long, padded or holds unprintable characters');
  const result = mapping.by === 'pattern' ? matched(mapping, text) : text;
  if (result === undefined) return refuse(source, 'does not match the pattern');
  if (!isPlainText(result)) return refuse(source, 'has no plain text where the pattern captures');
  return WILDCARD.test(result.normalize('NFKC')) ? refuse(source, 'is a wildcard of ThoughtSpot') : { value: [result] };
}

/** What the pattern captures, or the whole text if it has no group. */
function matched({ pattern, capture }: Extract<Mapping, { by: 'pattern' }>, text: string): string | undefined {
  const match = pattern.exec(text);
  return capture ? match?.[1] : match?.[0];
}

/** Texts as they are, whole numbers in decimal: both are what an issuer signs as an identifier. Nothing else. */
function asText(value: ClaimValue | undefined): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined;
}

function refuse(source: ClaimSource, what: string): { readonly refusal: string } {
  return { refusal: `claim "${source.claim.name}" ${what}` };
}
