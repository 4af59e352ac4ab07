import { firstFailure } from '../broker/entitlement.ts';
import type { ClaimRef, Condition, Policy, Rule } from '../broker/entitlement.ts';
import { implies } from './reach.ts';
import { type PolicyDocument, type RuleDocument, type WarningName, WARNINGS } from './schema.ts';

/** Something that is allowed and often a mistake. A rule that means it says so in `accept`. */
export interface Warning {
  readonly rule: string;
  readonly name: WarningName | 'nothing-to-accept';
  readonly problem: string;
}

const PROBLEMS: Readonly<Record<WarningName, string>> = {
  'matches-anyone': 'holds for a caller without any claim: whoever can sign in gets what it gives',
  'unverified-email':
    'takes the user from `email` without requiring `email_verified` to be true: some issuers let people type any address',
  'names-may-collide':
    'takes the org from a tenant but the user name from a claim alone: the same name in two tenants is one ThoughtSpot user',
  'any-object': 'lets the request name any object',
  'append-accumulates': 'persists with APPEND: what a user was once given stays when the claims no longer say so',
  'being-retired': 'uses filters or parameters, which ThoughtSpot is retiring in favour of variables',
};

/** `policy` is the compiled form of `document`. */
export function lintPolicy(document: PolicyDocument, policy: Policy): readonly Warning[] {
  return policy.rules.flatMap((rule, index) => {
    const source = document.rules[index];
    return source === undefined ? [] : lintRule(rule, source);
  });
}

function lintRule(rule: Rule, document: RuleDocument): readonly Warning[] {
  const names = WARNINGS.filter((name) => CHECKS[name](rule));
  const open = names.filter((name) => !document.accept.includes(name));
  const stale = document.accept.filter((name) => !names.includes(name));
  return [
    ...open.map((name) => ({ rule: rule.name, name, problem: PROBLEMS[name] })),
    ...stale.map((name) => ({
      rule: rule.name,
      name: 'nothing-to-accept' as const,
      problem: `accepts "${name}", which does not occur: remove it`,
    })),
  ];
}

const CHECKS: Readonly<Record<WarningName, (rule: Rule) => boolean>> = {
  'matches-anyone': ({ when }) => firstFailure(when, {}) === undefined,
  'unverified-email': ({ user, when }) =>
    userClaims(user).some((claim) => isEmail(claim) && !implies(when, verified(claim))),
  'names-may-collide': ({ user, org }) =>
    user.from === 'claim' && org.from === 'claim' && user.source.claim.name !== 'sub' && !isEmail(user.source.claim),
  'any-object': ({ grants }) => grants.some(({ rights }) => rights.kind === 'object' && rights.objects === null),
  'append-accumulates': ({ grants }) =>
    grants.some(({ rights }) => rights.kind === 'custom' && rights.persist === 'APPEND'),
  'being-retired': ({ grants }) =>
    grants.some(({ rights }) => rights.kind === 'custom' && rights.filters.length + rights.parameters.length > 0),
};

function userClaims(user: Rule['user']): readonly ClaimRef[] {
  if (user.from === 'service-account') return [];
  if (user.from === 'claim') return [user.source.claim];
  return user.pieces.flatMap((piece) => (typeof piece === 'string' ? [] : [piece.claim]));
}

/** `email`, also under a namespace: `https://app.example/email`. */
function isEmail({ path }: ClaimRef): boolean {
  return /(?:^|[/:])email$/.test(path.at(-1) ?? '');
}

function verified({ path, name }: ClaimRef): Condition {
  const last = `${path.at(-1) ?? ''}_verified`;
  return { test: 'equals', claim: { path: [...path.slice(0, -1), last], name: `${name}_verified` }, value: true };
}
