/** Whether a caller's claims meet a condition. */
import type { Claims, ClaimValue } from '../broker/ports.ts';
import { isObject } from '../contract/shapes.ts';
import type { Claim, Condition, Scalar, Test } from './document.ts';

/** Longer texts are not matched, so that a hostile claim cannot make a pattern slow. UTF-16 units. */
export const LONGEST_MATCHED = 1_024;

/** The value of a claim; undefined if any name on the way is absent. Own properties only: no claim is inherited. */
export function claimValue(claims: Claims, claim: Claim): ClaimValue | undefined {
  let value: ClaimValue = claims;
  for (const name of claim) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    const next: ClaimValue | undefined = value[name];
    if (next === undefined) return undefined;
    value = next;
  }
  return value;
}

/**
 * The condition that fails, undefined if none does: for `all` its first failing part, for everything else the condition
 * itself. Values are compared as signed: the text "1" is not the number 1. A condition that cannot be judged fails, and
 * so does its negation.
 */
export function firstFailure(condition: Condition, claims: Claims): Condition | undefined {
  if (condition !== 'always' && 'all' in condition) {
    for (const part of condition.all) {
      const failure = firstFailure(part, claims);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }
  return judge(condition, claims) === true ? undefined : condition;
}

/** Undefined: cannot be judged. */
type Verdict = boolean | undefined;

function judge(condition: Condition, claims: Claims): Verdict {
  if (condition === 'always') return true;
  if ('all' in condition) return every(condition.all, claims, true);
  if ('any' in condition) return every(condition.any, claims, false);
  if ('not' in condition) return opposite(judge(condition.not, claims));
  return test(condition, claimValue(claims, condition.claim));
}

/** `wanted` if all parts are; the opposite if one part is; undefined if that depends on a part that cannot be judged. */
function every(parts: readonly Condition[], claims: Claims, wanted: boolean): Verdict {
  let verdict: Verdict = wanted;
  for (const part of parts) {
    const one = judge(part, claims);
    if (one === !wanted) return one;
    if (one === undefined) verdict = undefined;
  }
  return verdict;
}

function opposite(verdict: Verdict): Verdict {
  return verdict === undefined ? undefined : !verdict;
}

function test(condition: Test, value: ClaimValue | undefined): Verdict {
  if ('equals' in condition) return value === condition.equals;
  if ('oneOf' in condition) return isScalar(value) && setOf(condition.oneOf).has(value);
  if ('contains' in condition) return isList(value) && value.includes(condition.contains);
  if ('present' in condition) return (value !== undefined && value !== null) === condition.present;
  if (typeof value !== 'string') return false;
  return value.length <= LONGEST_MATCHED ? expressionOf(condition.matches).test(value) : undefined;
}

const sets = new WeakMap<readonly Scalar[], ReadonlySet<Scalar>>();
const expressions = new Map<string, RegExp>();

/** A list of the document as a set, made once. */
function setOf(list: readonly Scalar[]): ReadonlySet<Scalar> {
  const set = sets.get(list) ?? new Set(list);
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
export function describeFailure(failure: Condition, claims: Claims): string {
  if (failure === 'always') return 'always fails';
  if ('all' in failure) return 'one of several conditions does not hold';
  if ('any' in failure) return `none of ${failure.any.length} alternatives holds: ${alternatives(failure.any, claims)}`;
  if ('not' in failure) {
    const met = judge(failure.not, claims) === true;
    return met
      ? `a condition holds that must not: ${mentions(failure.not)}`
      : `a condition that must not hold cannot be judged: ${mentions(failure.not)}`;
  }
  return `${state(claims, failure.claim)} ${shortfall(failure)}`;
}

function shortfall(failure: Test): string {
  if ('equals' in failure) return 'does not equal the value required';
  if ('oneOf' in failure) return `is none of the ${failure.oneOf.length} values allowed`;
  if ('contains' in failure) return 'does not contain the item required';
  if ('matches' in failure) return 'does not match the pattern';
  return `must be ${failure.present ? 'present' : 'absent'}`;
}

function alternatives(conditions: readonly Condition[], claims: Claims): string {
  return conditions
    .map((condition) => firstFailure(condition, claims))
    .flatMap((failure) => (failure === undefined ? [] : [describeFailure(failure, claims)]))
    .join('; ');
}

/** Which tests on which claims a condition makes. */
function mentions(condition: Condition): string {
  if (condition === 'always') return 'always';
  if ('all' in condition) return condition.all.map(mentions).join(' and ');
  if ('any' in condition) return condition.any.map(mentions).join(' or ');
  if ('not' in condition) return `not (${mentions(condition.not)})`;
  const { claim, ...rest } = condition;
  return `${Object.keys(rest).join()} on claim "${nameOf(claim)}"`;
}

function state(claims: Claims, claim: Claim): string {
  const value = claimValue(claims, claim);
  return value === undefined ? `claim "${nameOf(claim)}" is absent and` : `claim "${nameOf(claim)}" (${kindOf(value)})`;
}

/** A claim as people read it. */
export function nameOf(claim: Claim): string {
  return claim.join(' > ');
}

export function kindOf(value: ClaimValue): string {
  if (value === null) return 'null';
  return isList(value) ? 'array' : typeof value;
}

export function isList(value: ClaimValue | undefined): value is readonly ClaimValue[] {
  return Array.isArray(value);
}

function isScalar(value: ClaimValue | undefined): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
