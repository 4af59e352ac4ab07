/**
 * Entitlements belong to ThoughtSpot's user, so a policy must not let grants of different entitlements meet in one user of
 * one org: the later mint would change the rows behind every live token of the earlier one. Found here, when the stack is
 * synthesized. What is reported may meet; what is not reported is provably different.
 */
import { normaliseUser } from '../../functions/broker/lease.ts';
import type { Claims, ClaimValue } from '../../functions/broker/ports.ts';
import type { Claim, ClaimText, Condition, Rule, Tables } from '../../functions/policy/document.ts';
import { canonicalJson } from '../../functions/policy/fingerprint.ts';
import { nameOf } from '../../functions/policy/match.ts';
import { NONE, persistedSource } from '../../functions/policy/persisted.ts';
import { orgFrom, textFrom } from '../../functions/policy/values.ts';
import type { Faults } from './policy-error.ts';

/** A warning that allows two rules to meet: the guard at run time is left to keep people apart. */
export const MAY_DIFFER = 'entitlements-may-differ';
const WAY_OUT = 'set `"perEntitlement": true` in `user`, with `provision`';

/** What a grant leaves on the user, as its rule says it, and the first claim that it depends on. */
interface Left {
  readonly grant: string;
  readonly source: string;
  readonly claim: string | undefined;
  readonly appends: boolean;
}

/** Faults within one rule. Rules in audit mode mint nothing. */
export function checkRule(rule: Rule, index: number, tables: Tables, faults: Faults): void {
  if (rule.mode === 'audit') return;
  const all = leftBy(rule);
  const [first] = all;
  for (const [at, left] of all.entries()) {
    const path = ['rules', index, 'grants', at];
    const differs = first !== undefined && left.source !== first.source;
    const appends = all.find((other) => other.appends && (other === left || differs));
    if (appends && (left.claim !== undefined || differs)) {
      const why =
        left.claim === undefined ? `differs from grant "${first?.grant}"` : `depends on claim "${left.claim}"`;
      const problem = `${why}, and APPEND adds to what earlier mints left: the union of all of them would be in force`;
      faults.add([...path, 'persist'], `${problem}. Use REPLACE`);
    } else if (differs && !rule.perEntitlement) {
      const problem = `leaves other entitlements on the user than grant "${first.grant}"`;
      faults.add(
        path,
        `${problem}, and they hold for all tokens of that user, those of the other grant too: ${WAY_OUT}`,
      );
    } else if (left.claim !== undefined && !rule.perEntitlement && isSharedUser(rule, tables)) {
      const problem = `depends on claim "${left.claim}", but several callers share the user`;
      faults.add(path, `${problem}: one caller's mint would change the rows behind the token of another: ${WAY_OUT}`);
    }
  }
}

/**
 * Pairs of rules that may leave different entitlements on one user of one org. Users per entitlement are left out: no
 * other rule can name them.
 */
export function meetings(
  rules: readonly Rule[],
  tables: Tables,
): readonly (readonly [earlier: number, later: number])[] {
  const minting = rules.flatMap((rule, index) => {
    if (rule.mode === 'audit' || rule.perEntitlement) return [];
    // Within a rule all grants leave the same, or it has a fault already.
    const left = leftBy(rule)[0]?.source;
    return [{ rule, index, left, names: namesOf(rule, tables), orgs: orgsOf(rule, tables) }];
  });
  return minting.flatMap((later, at) => {
    const earlier = minting.slice(0, at).filter((other) => {
      const sameOrg = [...later.orgs].some((orgId) => other.orgs.has(orgId));
      return later.left !== other.left && sameOrg && mayBeOneUser(later, other);
    });
    return earlier.map((other) => [other.index, later.index] as const);
  });
}

/** Reports the first meeting of every rule that neither of the two rules accepts. */
export function checkMeetings(
  rules: readonly Rule[],
  tables: Tables,
  accepts: (index: number) => boolean,
  faults: Faults,
): void {
  const reported = new Set<number>();
  for (const [earlier, later] of meetings(rules, tables)) {
    if (accepts(earlier) || accepts(later) || reported.has(later)) continue;
    reported.add(later);
    const problem = `may name the same ThoughtSpot user as rule "${rules[earlier]?.name}" and leaves other entitlements on it`;
    const ways = `let the names differ by a fixed text or a list, or, if only one person can ever have both, accept "${MAY_DIFFER}"`;
    faults.add(['rules', later, 'user'], `${problem}: ${WAY_OUT}, ${ways}`);
  }
}

/**
 * Rules that may name a user whom an earlier rule names for another issuer. A name, and a subject too, is somebody's only
 * within one issuer (OpenID Connect Core, 2); a user of ThoughtSpot is one in all of its orgs.
 */
export function meetingIssuers(rules: readonly Rule[], tables: Tables): ReadonlySet<Rule> {
  const minting = rules.flatMap((rule) =>
    rule.mode === 'audit' || rule.issuer === undefined || 'serviceAccount' in rule.user
      ? []
      : [{ rule, names: namesOf(rule, tables) }],
  );
  const meets = (later: (typeof minting)[number], at: number) =>
    minting.slice(0, at).some((one) => one.rule.issuer !== later.rule.issuer && mayBeOneUser(later, one));
  return new Set(minting.filter(meets).map(({ rule }) => rule));
}

function leftBy({ grants, provision }: Rule): readonly Left[] {
  return grants.map((offer) => {
    const source = persistedSource(offer, provision);
    const appends = offer.kind === 'custom' && offer.persist === 'APPEND';
    return { grant: offer.name, source: canonicalJson(source ?? NONE), claim: claimIn(source), appends };
  });
}

function claimIn(source: unknown): string | undefined {
  if (typeof source !== 'object' || source === null) return undefined;
  if ('claim' in source && Array.isArray(source.claim)) return nameOf(source.claim);
  for (const member of Object.values(source)) {
    const claim = claimIn(member);
    if (claim !== undefined) return claim;
  }
  return undefined;
}

/** Certain only where it says yes: a claim may be the same for several callers too, which the guard at run time finds. */
function isSharedUser({ user }: Rule, tables: Tables): boolean {
  if ('serviceAccount' in user) return true;
  if (!('claim' in user) || user.table === undefined) return false;
  const names = Object.values(tables[user.table] ?? {}).map((name) => normaliseUser(String(name)));
  return new Set(names).size < names.length;
}

// --- which users and orgs a rule can name ----------------------------------------------------------------------------

/** How the name of a user can begin; `whole`: it is all of the name. */
interface Beginning {
  readonly text: string;
  readonly whole: boolean;
}
interface Names {
  readonly names: readonly Beginning[];
  readonly rule: Rule;
}

/** More beginnings than this are not told apart. */
const MOST_NAMES = 2_000;

function mayBeOneUser(one: Names, other: Names): boolean {
  // No claim may name a service account: decide.ts refuses it.
  if ('serviceAccount' in one.rule.user !== 'serviceAccount' in other.rule.user) return false;
  const texts = new Set(other.names.filter(({ whole }) => whole).map(({ text }) => text));
  const open = other.names.filter(({ whole }) => !whole);
  return one.names.some(({ text, whole }) => {
    if (whole) return texts.has(text) || open.some((begin) => text.startsWith(begin.text));
    const meets = (begin: Beginning) => begin.text.startsWith(text) || (!begin.whole && text.startsWith(begin.text));
    return other.names.some(meets);
  });
}

function namesOf({ user, when }: Rule, tables: Tables): readonly Beginning[] {
  if ('serviceAccount' in user) return [comparable({ text: user.serviceAccount, whole: true })];
  let begins: readonly Beginning[] = [{ text: '', whole: true }];
  for (const piece of 'template' in user ? user.template : [user]) {
    const next = typeof piece === 'string' ? [piece] : textsOf(piece, when, tables);
    if (next === undefined || begins.length * next.length > MOST_NAMES) {
      begins = begins.map(({ text }) => ({ text, whole: false }));
      break;
    }
    begins = begins.flatMap(({ text }) => next.map((end) => ({ text: text + end, whole: true })));
  }
  return begins.map(comparable);
}

/** As names are compared. Other than in ASCII, the case of a letter may depend on the next one: such a name stays open. */
function comparable({ text, whole }: Beginning): Beginning {
  const [ascii = ''] = /^[\x00-\x7f]*/.exec(text) ?? [];
  return ascii === text
    ? { text: normaliseUser(text), whole }
    : { text: normaliseUser(ascii.slice(0, -1)), whole: false };
}

/** The texts that a part of a name can have, where they can be listed. */
function textsOf(source: ClaimText, when: Condition, tables: Tables): readonly string[] | undefined {
  const asked = valuesAsked(when, source.claim);
  if (asked !== undefined) {
    return asked.flatMap((value) => {
      const text = textFrom(source, claimsWith(source.claim, value), tables);
      return 'value' in text ? [text.value] : [];
    });
  }
  if (source.allow !== undefined) return source.allow;
  return source.table === undefined ? undefined : Object.values(tables[source.table] ?? {}).map(String);
}

function orgsOf({ org, when }: Rule, tables: Tables): ReadonlySet<number> {
  if (typeof org === 'number') return new Set([org]);
  const asked = valuesAsked(when, org.claim) ?? Object.keys(tables[org.table] ?? {});
  return new Set(
    asked.flatMap((value) => {
      const found = orgFrom(org, claimsWith(org.claim, value), tables);
      return 'value' in found ? [found.value] : [];
    }),
  );
}

/** The only values that the claim can have where the condition holds; undefined if they cannot be listed. */
function valuesAsked(when: Condition, claim: Claim): readonly (string | number | boolean)[] | undefined {
  if (when === 'always' || 'not' in when) return undefined;
  if ('all' in when) {
    for (const part of when.all) {
      const values = valuesAsked(part, claim);
      if (values !== undefined) return values;
    }
    return undefined;
  }
  if ('any' in when) {
    const values = when.any.map((part) => valuesAsked(part, claim));
    return values.every((some) => some !== undefined) ? values.flat() : undefined;
  }
  if (canonicalJson(when.claim) !== canonicalJson(claim)) return undefined;
  if ('equals' in when) return [when.equals];
  return 'oneOf' in when ? when.oneOf : undefined;
}

function claimsWith(claim: Claim, value: ClaimValue): Claims {
  const [first = '', ...inner] = claim;
  return { [first]: inner.reduceRight<ClaimValue>((nested, name) => ({ [name]: nested }), value) };
}
