/** Turns a policy as its author wrote it into the document that the functions get. */
import { createHash } from 'node:crypto';
import type { Policy } from '../../functions/policy/decide.ts';
import type { GrantOffer, NamedSource, PolicyDocument, RightsSource, Rule } from '../../functions/policy/document.ts';
import { parseChecked } from '../../functions/policy/entitlements.ts';
import { canonicalJson } from '../../functions/policy/fingerprint.ts';
import { fold } from '../../functions/policy/fold.ts';
import { Normaliser } from './normalise.ts';
import { parsePolicy, parseText } from './parse.ts';
import { Faults } from './policy-error.ts';
import { unreachableRules } from './reachability.ts';
import type { Authored } from './schema.ts';
import { tenantsOf } from './tenants.ts';
import { checkMeetings, checkRule, MAY_DIFFER } from './shared-users.ts';

type Path = readonly PropertyKey[];

/** A policy without faults. */
export interface CheckedPolicy {
  /** As its author wrote it, defaults filled in. */
  readonly authored: Authored['policy'];
  /** The document in normal form, as the functions read it: canonical JSON. */
  readonly text: string;
  /** SHA-256 of `text`, base64url: the functions take a policy with this digest and no other. */
  readonly digest: string;
  readonly policy: Policy;
}

/**
 * Checks a policy document. Throws PolicyError with every fault, each with its JSON path, what was found and what is
 * allowed. It throws nothing else, whatever JSON it gets. `issuers`: of the environment that it is for, if that is known.
 */
export function checkPolicy(json: unknown, issuers: readonly string[] = []): CheckedPolicy {
  const authored = parsePolicy(json);
  requireIssuers(authored.rules, issuers);
  const text = canonicalJson(normalForm(authored));
  const digest = createHash('sha256').update(text).digest('base64url');
  return { authored, text, digest, policy: parseChecked(text, digest) };
}

/** `checkPolicy` for the text of a document. In addition, no object in it may contain a name twice. */
export function checkPolicyText(text: string, issuers?: readonly string[]): CheckedPolicy {
  return checkPolicy(parseText(text), issuers);
}

/** With several issuers every rule is for one: claims of a partner's must never satisfy a rule that means our own. */
function requireIssuers(rules: readonly Authored['rule'][], issuers: readonly string[]): void {
  const faults = new Faults();
  for (const [index, { issuer }] of rules.entries()) {
    const which = `${issuers.length === 1 ? 'must be' : 'must be one of'} ${issuers.join(', ')}`;
    if (issuer === undefined && issuers.length > 1)
      faults.add(['rules', index, 'issuer'], `is missing: the environment has several issuers; it ${which}`);
    if (issuer !== undefined && issuers.length > 0 && !issuers.includes(issuer))
      faults.add(['rules', index, 'issuer'], `${which}, found ${JSON.stringify(issuer)}`);
  }
  faults.throwIfAny();
}

function normalForm({ version, refuse, tables, limits, rules }: Authored['policy']): PolicyDocument {
  const faults = new Faults();
  const normaliser = new Normaliser(tables, faults);
  const normal = rules.flatMap((rule, index) => normalRule(rule, ['rules', index], normaliser, faults) ?? []);
  requireDistinct(rules, ['rules'], faults);
  const refused = new Set(refuse.map(fold));
  for (const [index, { user }] of normal.entries()) {
    if ('serviceAccount' in user && refused.has(fold(user.serviceAccount)))
      faults.add(['rules', index, 'user', 'serviceAccount'], 'is on the list `refuse`');
  }
  const given = new Set(tenantsOf({ rules: normal, tables, limits }).map(({ orgId }) => String(orgId)));
  for (const orgId of Object.keys(limits.orgs ?? {}))
    if (!given.has(orgId)) faults.add(['limits', 'orgs', orgId], 'is an org in which no rule gives tokens');
  for (const [index, rule] of normal.entries()) checkRule(rule, index, tables, faults);
  checkMeetings(normal, tables, (index) => rules[index]?.accept.includes(MAY_DIFFER) === true, faults);
  for (const { index, problem } of unreachableRules(normal)) faults.add(['rules', index, 'when'], problem);
  faults.throwIfAny();
  return { version, refuse, tables, limits, rules: normal };
}

function normalRule(rule: Authored['rule'], path: Path, normaliser: Normaliser, faults: Faults): Rule | undefined {
  const { name, mode, issuer, share, provision } = rule;
  const { perEntitlement } = rule.user;
  const when = normaliser.condition(rule.when, [...path, 'when'], rule.absent);
  const user = normaliser.user(rule.user, [...path, 'user']);
  const org = normaliser.org(rule.org, [...path, 'org']);
  const grants = rule.grants.map((grant, index) => normalGrant(grant, [...path, 'grants', index], normaliser, faults));
  requireDistinct(rule.grants, [...path, 'grants'], faults);

  const service = 'serviceAccount' in user;
  if (share && !service) faults.add([...path, 'share'], 'needs `user.serviceAccount`: people never share a token');
  if (share) requireNotBound(grants, [...path, 'grants'], faults);
  if (service && provision && !perEntitlement)
    faults.add([...path, 'provision'], 'must be left out: a service account is set up by hand');
  if (perEntitlement && !provision)
    faults.add(
      [...path, 'user', 'perEntitlement'],
      'needs `provision`: ThoughtSpot must create the users that it makes',
    );
  const at = [...path, 'provision'];
  const provisioning = provision && {
    groups: normaliser.values(provision.groups, [...at, 'groups'], 'listed'),
    ...(provision.displayName && { displayName: normaliser.text(provision.displayName, [...at, 'displayName']) }),
    ...(provision.email && { email: normaliser.text(provision.email, [...at, 'email']) }),
  };

  const [first, ...others] = grants;
  if (first === undefined) return undefined;
  if (rule.administers !== undefined && service)
    faults.add([...path, 'administers'], 'needs a person for `user`: the audit says who has used the power');
  const administers = rule.administers !== undefined && ({ administers: true } as const);
  const who = { user, perEntitlement, org, provision: provisioning ?? null, share, ...administers };
  return { name, mode, ...(issuer !== undefined && { issuer }), when, ...who, grants: [first, ...others] };
}

function normalGrant(grant: Authored['grant'], path: Path, normaliser: Normaliser, faults: Faults): GrantOffer {
  const { name, validity } = grant;
  const { defaultSeconds, minSeconds, maxSeconds } = validity;
  if (defaultSeconds < minSeconds || defaultSeconds > maxSeconds) {
    const problem = `must lie from minSeconds to maxSeconds (${minSeconds} to ${maxSeconds}), found ${defaultSeconds}`;
    faults.add([...path, 'validity', 'defaultSeconds'], problem);
  }
  const reuse = grant.reuse === 'off' ? null : grant.reuse;
  if (reuse !== null && reuse.minLifeLeftSeconds >= defaultSeconds) {
    const problem = `must be less than defaultSeconds (${defaultSeconds}), or no token is ever served again`;
    faults.add([...path, 'reuse', 'minLifeLeftSeconds'], `${problem}, found ${reuse.minLifeLeftSeconds}`);
  }
  return { ...normalRights(grant, path, normaliser, faults), name, validity, reuse };
}

function normalRights(grant: Authored['grant'], path: Path, normaliser: Normaliser, faults: Faults): RightsSource {
  switch (grant.kind) {
    case 'full':
      return { kind: 'full' };
    case 'object': {
      const { objects } = grant;
      return { kind: 'object', objects: objects === 'any' ? objects : objects.map((id) => id.toLowerCase()) };
    }
    case 'custom':
      return normalCustom(grant, path, normaliser, faults);
  }
}

/** Wire facts: `persist_option` NONE and RESET are rejected together with variables; a parameter takes one value. */
function normalCustom(grant: Authored['custom'], path: Path, normaliser: Normaliser, faults: Faults): RightsSource {
  const { persist, variables, filters, parameters, groups, objects } = grant;
  if (variables.length > 0 && (persist === 'NONE' || persist === 'RESET')) {
    faults.add([...path, 'persist'], `must be "REPLACE" or "APPEND" together with variables, found "${persist}"`);
  }
  if (variables.length + filters.length + parameters.length + objects.length === 0 && isEmpty(groups)) {
    faults.add(path, 'restricts nothing: name variables, filters, parameters, groups or objects, or use kind "full"');
  }
  for (const [index, { operator, values }] of filters.entries()) {
    const widens = /^(NE|NOT_IN)$/.test(operator) && !Array.isArray(values) && values.unlisted === 'skip';
    if (widens)
      faults.add([...path, 'filters', index, 'values', 'unlisted'], `must be "refuse" with ${operator}: it excludes`);
  }
  for (const list of ['variables', 'parameters'] as const) requireDistinct(grant[list], [...path, list], faults);
  for (const [index, { values }] of parameters.entries()) {
    const many = Array.isArray(values) && values.length > 1;
    if (many) faults.add([...path, 'parameters', index, 'values'], 'must be one value');
  }
  const restricting = (list: Authored['values'], ...at: Path) => {
    if (isEmpty(list)) faults.add([...path, ...at], 'must have a value: an empty list restricts nothing');
    return normaliser.values(list, [...path, ...at], 'mapped');
  };
  const named = (list: 'variables' | 'parameters'): NamedSource[] =>
    grant[list].map(({ name, values }, index) => ({ name, values: restricting(values, list, index, 'values') }));
  return {
    kind: 'custom',
    persist,
    variables: named('variables'),
    filters: filters.map(({ column, operator, values }, index) => ({
      column,
      operator,
      values: restricting(values, 'filters', index, 'values'),
    })),
    parameters: named('parameters'),
    groups: normaliser.values(groups, [...path, 'groups'], 'listed'),
    objects: objects.map(({ type, identifiers }, index) => ({
      identifiers: restricting(identifiers, 'objects', index, 'identifiers'),
      ...(type !== undefined && { type }),
    })),
  };
}

function isEmpty(values: Authored['values']): boolean {
  return Array.isArray(values) && values.length === 0;
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
    if (seen.has(name))
      faults.add([...path, index, 'name'], `is taken: ${JSON.stringify(name)} is the name of an earlier one`);
    seen.add(name);
  }
}
