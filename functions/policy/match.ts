/** Whether a caller's claims meet a condition. */
import type { Claims, ClaimValue } from '../broker/ports.ts';
import { isObject } from '../contract/shapes.ts';
import type { Claim, Condition, Scalar, Test } from './document.ts';

/** Longer texts are not matched, so that a hostile claim cannot make a pattern slow. UTF-16 units. */
export const LONGEST_MATCHED = 1_024;

/** What a claim that nobody can read has for a value. */
export const UNREADABLE = Symbol('unreadable');
type Read = ClaimValue | undefined | typeof UNREADABLE;

/**
 * The value of a claim; undefined if it is plainly absent; UNREADABLE if the issuer held it back, or if it should be within
 * something that is no object. Own properties only: no claim is inherited.
 */
export function readClaim(claims: Claims, claim: Claim): Read {
  let value: ClaimValue = claims;
  for (const name of claim) {
    if (value === null) return null;
    if (!isObject(value)) return UNREADABLE;
    const next: ClaimValue | undefined = Object.hasOwn(value, name) ? value[name] : undefined;
    if (value === claims && isHeldBack(claims, name, next)) return UNREADABLE;
    if (next === undefined) return undefined;
    value = next;
  }
  return value;
}

/**
 * Whether the token says that a claim has more than it holds: by `_claim_names` (OpenID Connect Core, 5.6.2), or by the name of
 * a source as its value. Entra: too many groups, `hasgroups` in the implicit flow, or a claim `groups:src1`.
 */
function isHeldBack(claims: Claims, name: string, value: ClaimValue | undefined): boolean {
  const { _claim_names: names, _claim_sources: sources, hasgroups } = claims;
  if (name === 'groups' && (hasgroups ?? false) !== false) return true;
  if (Object.keys(claims).some((mark) => mark.startsWith(`${name}:src`))) return true;
  if (typeof value === 'string' && isObject(sources) && Object.hasOwn(sources, value)) return true;
  if (isObject(names)) return Object.hasOwn(names, name);
  // Something is held back, and nobody can tell what: of a list it may even be a part that is there.
  return (names ?? null) !== null || (value === undefined && (sources ?? null) !== null);
}

/**
 * Whether a time (seconds since 1970) lies at most `limit` seconds back; undefined if it cannot be told. The clock, so to
 * speak, of a condition.
 */
export type IsRecent = (time: number, limit: number) => Verdict;

/** How far the issuer's clock may differ from ours, s. */
const CLOCK_SKEW_S = 5;

/** `now`: epoch ms. A time in the future is no time of a sign-in; one in milliseconds lies far there. */
export function recentAt(now: number): IsRecent {
  return (time, limit) => {
    const age = now / 1_000 - time;
    return age < -CLOCK_SKEW_S ? undefined : age <= limit + CLOCK_SKEW_S;
  };
}

/**
 * The condition that fails, undefined if none does: for `all` its first failing part, for everything else the condition
 * itself. Values are compared as signed: the text "1" is not the number 1. A condition that cannot be judged fails, and
 * so does its negation.
 */
export function firstFailure(condition: Condition, claims: Claims, isRecent: IsRecent): Condition | undefined {
  if (condition !== 'always' && 'all' in condition) {
    for (const part of condition.all) {
      const failure = firstFailure(part, claims, isRecent);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }
  return judge(condition, claims, isRecent) === true ? undefined : condition;
}

/** Undefined: cannot be judged. */
type Verdict = boolean | undefined;

function judge(condition: Condition, claims: Claims, isRecent: IsRecent): Verdict {
  if (condition === 'always') return true;
  if ('all' in condition) return every(condition.all, claims, isRecent, true);
  if ('any' in condition) return every(condition.any, claims, isRecent, false);
  if ('not' in condition) return opposite(judge(condition.not, claims, isRecent));
  return judgeTest(condition, readClaim(claims, condition.claim), isRecent);
}

/** `wanted` if all parts are; the opposite if one part is; undefined if that depends on a part that cannot be judged. */
function every(parts: readonly Condition[], claims: Claims, isRecent: IsRecent, wanted: boolean): Verdict {
  let verdict: Verdict = wanted;
  for (const part of parts) {
    const one = judge(part, claims, isRecent);
    if (one === !wanted) return one;
    if (one === undefined) verdict = undefined;
  }
  return verdict;
}

function opposite(verdict: Verdict): Verdict {
  return verdict === undefined ? undefined : !verdict;
}

/** A test of a value. A value of another type than the test asks for says nothing, for or against. */
export function judgeTest(test: Test, value: Read, isRecent: IsRecent): Verdict {
  if (value === UNREADABLE) return undefined;
  if ('present' in test) return (value !== undefined && value !== null) === test.present;
  if (value === undefined) return test.absent === 'allowed' ? false : undefined;
  if ('contains' in test) {
    // Issuers write a list of one as a text.
    const items = typeof value === 'string' ? [value] : value;
    if (!isList(items) || !items.every((item) => isLike(item, test.contains))) return undefined;
    return items.includes(test.contains);
  }
  if ('equals' in test) return isLike(value, test.equals) ? value === test.equals : undefined;
  if ('oneOf' in test) {
    const { values, type } = setOf(test.oneOf);
    if (!isScalar(value) || !isLike(value, value)) return undefined;
    return values.has(value) || (typeof value === type ? false : undefined);
  }
  if ('matches' in test) {
    const readable = typeof value === 'string' && value.length <= LONGEST_MATCHED;
    return readable ? expressionOf(test.matches).test(value) : undefined;
  }
  if (typeof value !== 'number' || !isLike(value, 0)) return undefined;
  if ('atLeast' in test) return value >= test.atLeast;
  return 'atMost' in test ? value <= test.atMost : isRecent(value, test.withinSeconds);
}

/** Of the same type, and a number that was not rounded when it was read. */
function isLike(value: ClaimValue, wanted: Scalar): boolean {
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) return false;
  return typeof value === typeof wanted;
}

interface Values {
  readonly values: ReadonlySet<Scalar>;
  /** Of all of them; undefined if they differ: then a value that is none of them may be one in another spelling. */
  readonly type: string | undefined;
}
const sets = new WeakMap<readonly Scalar[], Values>();
const expressions = new Map<string, RegExp>();

/** A list of the document as a set, made once. */
function setOf(list: readonly Scalar[]): Values {
  const type = typeof list[0];
  const made = () => ({ values: new Set(list), type: list.every((one) => typeof one === type) ? type : undefined });
  const set = sets.get(list) ?? made();
  sets.set(list, set);
  return set;
}

/** A pattern of the document as an expression, made once. Without the flags g and y it has no state. */
export function expressionOf(pattern: string): RegExp {
  const expression = expressions.get(pattern) ?? new RegExp(pattern, 'u');
  expressions.set(pattern, expression);
  return expression;
}

/** For operators: which test failed on which claim. Never the value of a claim, nor the value it was compared with. */
export function describeFailure(failure: Condition, claims: Claims, isRecent: IsRecent): string {
  if (failure === 'always') return 'always fails';
  if ('all' in failure) return 'one of several conditions does not hold';
  if ('any' in failure) {
    const failures = failure.any.map((condition) => firstFailure(condition, claims, isRecent));
    const told = failures.flatMap((one) => (one === undefined ? [] : [describeFailure(one, claims, isRecent)]));
    return `none of ${failure.any.length} alternatives holds: ${told.join('; ')}`;
  }
  if ('not' in failure) {
    const met = judge(failure.not, claims, isRecent) === true;
    return met
      ? `a condition holds that must not: ${mentions(failure.not, claims)}`
      : `a condition that must not hold cannot be judged: ${mentions(failure.not, claims)}`;
  }
  return `claim "${nameOf(failure.claim)}" (${stateOf(claims, failure.claim)}) ${shortfall(failure)}`;
}

function shortfall(failure: Test): string {
  if ('equals' in failure) return 'does not equal the value required';
  if ('oneOf' in failure) return `is none of the ${failure.oneOf.length} values allowed`;
  if ('contains' in failure) return 'does not contain the item required';
  if ('matches' in failure) return 'does not match the pattern';
  if ('present' in failure) return `must be ${failure.present ? 'present' : 'absent'}`;
  return 'withinSeconds' in failure ? 'is not recent enough, or no time' : 'is not within the bound';
}

/** Which tests on which claims a condition makes. */
function mentions(condition: Condition, claims: Claims): string {
  if (condition === 'always') return 'always';
  if ('all' in condition) return condition.all.map((part) => mentions(part, claims)).join(' and ');
  if ('any' in condition) return condition.any.map((part) => mentions(part, claims)).join(' or ');
  if ('not' in condition) return `not (${mentions(condition.not, claims)})`;
  const { claim, absent: _, ...rest } = condition;
  return `${Object.keys(rest).join()} on claim "${nameOf(claim)}" (${stateOf(claims, claim)})`;
}

function stateOf(claims: Claims, claim: Claim): string {
  const value = readClaim(claims, claim);
  return value === undefined ? 'absent' : kindOf(value);
}

/** A claim as people read it. */
export function nameOf(claim: Claim): string {
  return claim.join(' > ');
}

export function kindOf(value: ClaimValue | typeof UNREADABLE): string {
  if (value === null) return 'null';
  if (value === UNREADABLE) return 'unreadable';
  return isList(value) ? 'array' : typeof value;
}

export function isList(value: Read): value is readonly ClaimValue[] {
  return Array.isArray(value);
}

function isScalar(value: Read): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
