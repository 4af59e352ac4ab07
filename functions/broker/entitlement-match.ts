import type { ClaimRef, Condition, Scalar } from './entitlement-rules.ts';
import type { Claims, ClaimValue } from './ports.ts';

/** The value of a claim; undefined if any name on the way is absent. Own properties only: no claim is inherited. */
export function claimValue(claims: Claims, claim: ClaimRef): ClaimValue | undefined {
  let value: ClaimValue = claims;
  for (const name of claim.path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    const next: ClaimValue | undefined = value[name];
    if (next === undefined) return undefined;
    value = next;
  }
  return value;
}

/**
 * The condition that stands in the way, undefined if none does: for `all` its first failing part, for everything else
 * the condition itself. Values are compared as signed: the text "1" is not the number 1.
 */
export function firstFailure(condition: Condition, claims: Claims): Condition | undefined {
  if (condition.test === 'all') {
    for (const part of condition.conditions) {
      const failure = firstFailure(part, claims);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }
  return holds(condition, claims) ? undefined : condition;
}

function holds(condition: Exclude<Condition, { test: 'all' }>, claims: Claims): boolean {
  switch (condition.test) {
    case 'always':
      return true;
    case 'equals':
      return claimValue(claims, condition.claim) === condition.value;
    case 'one-of': {
      const value = claimValue(claims, condition.claim);
      return isScalar(value) && condition.values.has(value);
    }
    case 'contains': {
      const value = claimValue(claims, condition.claim);
      return isList(value) && value.includes(condition.value);
    }
    case 'matches': {
      const value = claimValue(claims, condition.claim);
      return typeof value === 'string' && condition.pattern.test(value);
    }
    case 'present': {
      const value = claimValue(claims, condition.claim);
      return (value !== undefined && value !== null) === condition.present;
    }
    case 'any':
      return condition.conditions.some((part) => firstFailure(part, claims) === undefined);
    case 'not':
      return firstFailure(condition.condition, claims) !== undefined;
  }
}

/** For operators: which test failed on which claim. Never the value of a claim, nor the value it was compared with. */
export function describeFailure(failure: Condition, claims: Claims): string {
  switch (failure.test) {
    case 'always':
      return 'always fails';
    case 'equals':
      return `${state(claims, failure.claim)} does not equal the value required`;
    case 'one-of':
      return `${state(claims, failure.claim)} is none of the ${failure.values.size} values allowed`;
    case 'contains':
      return `${state(claims, failure.claim)} does not contain the item required`;
    case 'matches':
      return `${state(claims, failure.claim)} does not match the pattern`;
    case 'present':
      return `${state(claims, failure.claim)} must be ${failure.present ? 'present' : 'absent'}`;
    case 'all':
      return 'one of several conditions does not hold';
    case 'any':
      return `none of ${failure.conditions.length} alternatives holds: ${alternatives(failure.conditions, claims)}`;
    case 'not':
      return `a condition holds that must not: ${mentions(failure.condition)}`;
  }
}

function alternatives(conditions: readonly Condition[], claims: Claims): string {
  return conditions
    .map((condition) => firstFailure(condition, claims))
    .flatMap((failure) => (failure === undefined ? [] : [describeFailure(failure, claims)]))
    .join('; ');
}

/** Which tests on which claims a condition makes. */
function mentions(condition: Condition): string {
  switch (condition.test) {
    case 'always':
      return 'always';
    case 'all':
    case 'any':
      return condition.conditions.map(mentions).join(condition.test === 'all' ? ' and ' : ' or ');
    case 'not':
      return `not (${mentions(condition.condition)})`;
    default:
      return `${condition.test} on claim "${condition.claim.name}"`;
  }
}

function state(claims: Claims, claim: ClaimRef): string {
  const value = claimValue(claims, claim);
  return value === undefined ? `claim "${claim.name}" is absent and` : `claim "${claim.name}" (${kindOf(value)})`;
}

export function kindOf(value: ClaimValue): string {
  if (value === null) return 'null';
  return isList(value) ? 'array' : typeof value;
}

export function isList(value: ClaimValue | undefined): value is readonly ClaimValue[] {
  return Array.isArray(value);
}

function isObject(value: ClaimValue): value is { readonly [name: string]: ClaimValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScalar(value: ClaimValue | undefined): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
