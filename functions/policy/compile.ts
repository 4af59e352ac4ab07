import { createHash } from 'node:crypto';
import { canonicalJson, normaliseUser } from '../broker/entitlement.ts';
import type { GrantOffer, Policy, Rule } from '../broker/entitlement.ts';
import { compileCondition } from './compile-condition.ts';
import { compileGrant } from './compile-grant.ts';
import { ValueCompiler } from './compile-values.ts';
import { Faults } from './faults.ts';
import { parsePolicy } from './parse.ts';
import { unreachableRules } from './reach.ts';
import type { PolicyDocument, RuleDocument } from './schema.ts';

export type { Policy } from '../broker/entitlement.ts';

type Path = readonly PropertyKey[];

/**
 * Compiles a policy document to the broker's rules. Throws PolicyError with every fault, each with its JSON path, what
 * was found and what is allowed; and nothing else, whatever JSON it is given.
 */
export function compilePolicy(document: unknown): Policy {
  return compileParsed(parsePolicy(document));
}

/** The part of `compilePolicy` that comes after the shape is known to be right. */
export function compileParsed(document: PolicyDocument): Policy {
  const faults = new Faults();
  const values = new ValueCompiler(document.tables, faults);
  const rules = document.rules.flatMap((rule, index) => compileRule(rule, ['rules', index], values, faults) ?? []);
  requireDistinct(document.rules, ['rules'], faults);

  const refused = new Set(document.refuse.map(normaliseUser));
  const serviceAccounts = new Set<string>();
  for (const [index, { user }] of rules.entries()) {
    if (user.from !== 'service-account') continue;
    const name = normaliseUser(user.name);
    serviceAccounts.add(name);
    if (refused.has(name)) faults.add(['rules', index, 'user', 'serviceAccount'], 'is on the list `refuse`');
  }
  for (const { index, problem } of unreachableRules(rules)) faults.add(['rules', index, 'when'], problem);
  faults.throwIfAny();
  return { version: versionOf(document), refused, serviceAccounts, rules };
}

function compileRule(document: RuleDocument, path: Path, values: ValueCompiler, faults: Faults): Rule | undefined {
  const { name, mode, share, provision } = document;
  const when = compileCondition(document.when, [...path, 'when'], faults);
  const user = values.user(document.user, [...path, 'user']);
  const org = values.org(document.org, [...path, 'org']);
  const grants = document.grants.map((grant, index) => compileGrant(grant, [...path, 'grants', index], values, faults));
  requireDistinct(document.grants, [...path, 'grants'], faults);

  const service = user.from === 'service-account';
  if (share && !service) faults.add([...path, 'share'], 'needs `user.serviceAccount`: people never share a token');
  if (share) requireNotBound(grants, [...path, 'grants'], faults);
  if (service && provision) faults.add([...path, 'provision'], 'must be left out: a service account is set up by hand');
  const at = [...path, 'provision'];
  const provisioning = provision && {
    groups: values.values(provision.groups, [...at, 'groups'], 'listed'),
    ...(provision.displayName && { displayName: values.text(provision.displayName, [...at, 'displayName']) }),
    ...(provision.email && { email: values.text(provision.email, [...at, 'email']) }),
  };

  const [first, ...others] = grants;
  if (first === undefined) return undefined;
  return { name, mode, when, user, org, provisioning: provisioning ?? null, share, grants: [first, ...others] };
}

function requireNotBound(grants: readonly GrantOffer[], path: Path, faults: Faults): void {
  for (const [index, { validity }] of grants.entries()) {
    if (!validity.withinCallerToken) continue;
    const problem = 'must be false where callers share a token: it would end with the JWT of one of them';
    faults.add([...path, index, 'validity', 'withinCallerToken'], problem);
  }
}

function requireDistinct(items: readonly { readonly name: string }[], path: Path, faults: Faults): void {
  const seen = new Set<string>();
  for (const [index, { name }] of items.entries()) {
    if (seen.has(name)) faults.add([...path, index, 'name'], `is taken: ${JSON.stringify(name)} comes before`);
    seen.add(name);
  }
}

/** A digest over all that the document says to the broker: not its formatting, its comments or the order of members. */
function versionOf(document: PolicyDocument): string {
  const { version, refuse, tables, rules } = document;
  const spoken = rules.map(({ description: _text, accept: _accepted, grants, ...rule }) => ({
    ...rule,
    grants: grants.map(({ description: _about, ...grant }) => grant),
  }));
  const text = canonicalJson({ version, refuse, tables, rules: spoken });
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
