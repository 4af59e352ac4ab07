/**
 * The decision: who may have which token. Pure: the same policy, caller, request and facts always give the same answer.
 * Everything in a grant comes from the policy and from verified claims; the request only narrows.
 */
import type { FieldError } from '../broker/failure.ts';
import { isPerEntitlement } from '../broker/lease.ts';
import type { Caller, Claims, Decision, Grant, Sha256, TokenRequest } from '../broker/ports.ts';
import type { Condition, GrantOffer, PolicyDocument, Rule } from './document.ts';
import { fingerprint } from './fingerprint.ts';
import { fold } from './fold.ts';
import { describeFailure, firstFailure, type IsRecent, recentAt } from './match.ts';
import { entitlementDigest, persistedSource, userPerEntitlement } from './persisted.ts';
import { provisioningFrom, rightsFrom } from './rights.ts';
import { isPlainText, LONGEST_TEXT, orgFrom, type Outcome, textFrom } from './values.ts';

/** A checked document at work. */
export interface Policy extends Pick<PolicyDocument, 'tables' | 'limits' | 'rules'> {
  /** Digest of what the document says, the same however it is formatted. */
  readonly version: string;
  /** Names that no token is ever minted for, folded. */
  readonly refused: ReadonlySet<string>;
  /** Service accounts of all rules, folded: no claim may name one. */
  readonly serviceAccounts: ReadonlySet<string>;
  /** Whether a mint of any rule leaves entitlements on a user, or makes a user for them (persisted.ts). */
  readonly persists: boolean;
}

/** Facts of the moment: the ThoughtSpot origin, epoch ms, and the digest of ports.ts. */
export interface Facts {
  readonly host: string;
  readonly now: number;
  readonly sha256: Sha256;
}

/** ThoughtSpot's own accounts: no policy can mint for them. */
export const ALWAYS_REFUSED = ['tsadmin', 'system', 'su'] as const;

export function policyOf({ refuse, tables, limits, rules }: PolicyDocument, version: string): Policy {
  const accounts = rules.flatMap(({ user }) => ('serviceAccount' in user ? [fold(user.serviceAccount)] : []));
  const refused = new Set([...ALWAYS_REFUSED, ...refuse].map(fold));
  const persists = rules.some(({ mode, perEntitlement, grants, provision }) => {
    const leaves = perEntitlement || grants.some((offer) => persistedSource(offer, provision) !== null);
    return mode === 'enforce' && leaves;
  });
  return { version, tables, limits, rules, refused, serviceAccounts: new Set(accounts), persists };
}

type Fault = { readonly fault: FieldError };
type Attempt = { readonly grant: Grant } | { readonly refusal: string } | Fault;

/** Why a rule does not hold. */
type Miss = Condition | 'other-issuer';

type Asker = Pick<Caller, 'issuer' | 'claims'>;

/** What a rule asks for that a caller does not have; undefined if it holds. Claims of another issuer are not looked at. */
export function missOf({ issuer, when }: Rule, caller: Asker, isRecent: IsRecent): Miss | undefined {
  return issuer !== undefined && issuer !== caller.issuer
    ? 'other-issuer'
    : firstFailure(when, caller.claims, isRecent);
}

export const describeMiss = (miss: Miss, claims: Claims, isRecent: IsRecent): string =>
  miss === 'other-issuer' ? 'it is for callers of another issuer' : describeFailure(miss, claims, isRecent);

/**
 * The first rule whose conditions hold decides; a rule in audit mode only reports what it would have decided. Whoever is
 * refused for age alone, and would be allowed if no time were too old, is told to sign in again.
 */
export function decide(policy: Policy, caller: Caller, request: TokenRequest, facts: Facts): Decision {
  const isRecent = recentAt(facts.now);
  const tooOld: number[] = [];
  let asIfNew = false;
  const judgeAge: IsRecent = (time, limit) => {
    const recent = isRecent(time, limit);
    if (recent !== false) return recent;
    tooOld.push(limit);
    return asIfNew;
  };
  const decision = decideBy(judgeAge, policy, caller, request, facts);
  if (decision.allowed || tooOld.length === 0) return decision;
  asIfNew = true;
  const renewed = decideBy(judgeAge, policy, caller, request, facts);
  if (!renewed.allowed) return decision;
  const limits = tooOld.splice(0);
  const { rule: name } = renewed.grant;
  // What the rule itself asks for: others before it may ask for more.
  const rule = policy.rules.find((one) => one.name === name);
  if (rule !== undefined) firstFailure(rule.when, caller.claims, judgeAge);
  const maxAge = Math.min(...(tooOld.length > 0 ? tooOld : limits));
  const reasons = [...decision.reasons, `rule "${name}" would allow it after a new sign-in`];
  return { allowed: false, code: 'sign-in-again', maxAge, errors: [], reasons, rule: name };
}

function decideBy(isRecent: IsRecent, policy: Policy, caller: Caller, request: TokenRequest, facts: Facts): Decision {
  const reports: string[] = [];
  const tried: { readonly rule: Rule; readonly failure: Miss }[] = [];
  for (const rule of policy.rules) {
    const failure = missOf(rule, caller, isRecent);
    if (failure !== undefined) {
      tried.push({ rule, failure });
      continue;
    }
    const attempt = attemptGrant(policy, rule, caller, request, facts);
    if (rule.mode === 'audit') {
      reports.push(`rule "${rule.name}" (audit) would have decided: ${outcome(attempt)}`);
      continue;
    }
    const reasons = [...reports, `rule "${rule.name}" decides: ${outcome(attempt)}`];
    if ('grant' in attempt) return { allowed: true, grant: attempt.grant, reasons };
    return 'fault' in attempt
      ? { allowed: false, code: 'invalid-request', errors: [attempt.fault], reasons, rule: rule.name }
      : { allowed: false, code: 'not-entitled', errors: [], reasons, rule: rule.name };
  }
  const misses = tried.map(
    ({ rule, failure }) => `rule "${rule.name}" does not match: ${describeMiss(failure, caller.claims, isRecent)}`,
  );
  return { allowed: false, code: 'not-entitled', errors: [], reasons: [...reports, ...misses, 'no rule decides'] };
}

/**
 * Every person that a rule whose conditions hold names for this caller now, rules in audit mode included, whatever the age
 * of the sign-in: ThoughtSpot user names, without what `perEntitlement` adds. For finding a caller's own leases; it grants
 * nothing.
 */
export function usersOf(policy: Policy, caller: Caller): readonly string[] {
  const users = new Set<string>();
  for (const rule of policy.rules) {
    const holds = [true, false].some((recent) => missOf(rule, caller, () => recent) === undefined);
    if (!holds) continue;
    const person = personFrom(policy, rule, caller.claims);
    if ('value' in person) users.add(person.value);
  }
  return [...users];
}

function attemptGrant(policy: Policy, rule: Rule, caller: Caller, request: TokenRequest, facts: Facts): Attempt {
  const { claims } = caller;
  const { tables } = policy;
  const person = personFrom(policy, rule, claims);
  if ('refusal' in person) return person;
  const org = orgFrom(rule.org, claims, tables);
  if ('refusal' in org) return org;
  const offer = request.grant === undefined ? rule.grants[0] : rule.grants.find(({ name }) => name === request.grant);
  if (offer === undefined) return { refusal: `the rule has no grant of the name asked for` };
  const rights = rightsFrom(offer, claims, tables, request.objectId);
  if (!('value' in rights)) return rights;
  const provisioning = provisioningFrom(rule.provision, claims, tables);
  if ('refusal' in provisioning) return provisioning;
  const entitlements = entitlementDigest(rights.value, provisioning.value, facts.sha256);
  const user = userOf(policy, rule, person.value, entitlements, facts.sha256);
  if ('refusal' in user) return user;
  const validity = validityFrom(offer, caller, request, facts.now);
  if ('fault' in validity) return validity;

  const shape = {
    user: user.value,
    serviceAccount: 'serviceAccount' in rule.user,
    orgId: org.value,
    rights: rights.value,
    share: rule.share,
    provisioning: provisioning.value,
  };
  const { requestedSeconds, ...bounds } = validity;
  const print = fingerprint({ ...shape, host: facts.host, requestedSeconds, caller }, facts.sha256);
  const named = { rule: rule.name, name: offer.name, policyVersion: policy.version, reuse: offer.reuse };
  const any = offer.kind === 'object' && offer.objects === 'any';
  const held = policy.persists ? { entitlements } : {};
  const marks = {
    ...(any && { callersObject: true as const }),
    ...(rule.administers && { administers: true as const }),
  };
  return { grant: { ...named, ...shape, fingerprint: print, ...held, ...bounds, ...marks } };
}

/** The person: the ThoughtSpot user, but for what `perEntitlement` adds to the name. */
function personFrom(policy: Policy, { user: source }: Rule, claims: Claims): Outcome<string> {
  const service = 'serviceAccount' in source;
  const text = service ? { value: source.serviceAccount } : textFrom(source, claims, policy.tables);
  if ('refusal' in text) return text;
  if (isPerEntitlement(text.value)) {
    return { refusal: 'the user name ends like that of a user per entitlement, which only the broker may make' };
  }
  return accepted(policy, text.value, service);
}

/** The ThoughtSpot user, as sent on the wire: the person, or the one of the person's users that has these entitlements. */
function userOf(policy: Policy, rule: Rule, person: string, entitlements: string, sha256: Sha256): Outcome<string> {
  if (!rule.perEntitlement) return { value: person };
  return accepted(policy, userPerEntitlement(person, entitlements, sha256), 'serviceAccount' in rule.user);
}

/**
 * Checked in the one place that every user name passes, after mapping: not refused, not a service account unless the rule
 * itself says so, and spelled in a way that no two readers can take for two different users.
 */
function accepted(policy: Policy, name: string, service: boolean): Outcome<string> {
  const folded = fold(name);
  if (policy.refused.has(folded)) return { refusal: 'the user name is on the refuse list' };
  if (!service && policy.serviceAccounts.has(folded)) {
    return { refusal: 'the user name is that of a service account, which no claim may name' };
  }
  if (!isPlainText(name) || name.normalize('NFKC') !== name) {
    return { refusal: `the user name is malformed: at most ${LONGEST_TEXT} plain characters in Unicode form NFKC` };
  }
  return { value: name };
}

type Validity = Pick<Grant, 'validitySeconds' | 'notAfter'> & { readonly requestedSeconds: number };

/** Out of bounds is an error that states the bounds; only the end of the caller's own JWT shortens without asking. */
function validityFrom(offer: GrantOffer, caller: Caller, request: TokenRequest, now: number): Validity | Fault {
  const { defaultSeconds, minSeconds, maxSeconds, withinCallerToken } = offer.validity;
  const requestedSeconds = request.validitySeconds ?? defaultSeconds;
  if (!Number.isInteger(requestedSeconds) || requestedSeconds < minSeconds || requestedSeconds > maxSeconds) {
    const detail = `must be a whole number of seconds from ${minSeconds} to ${maxSeconds} for grant "${offer.name}"`;
    return { fault: { field: 'validitySeconds', detail } };
  }
  if (!withinCallerToken) return { validitySeconds: requestedSeconds, requestedSeconds };
  const left = Math.floor((caller.expiresAt - now) / 1_000);
  if (!(left >= minSeconds)) {
    const detail = `your access token ends in less than ${minSeconds} s, the shortest life of grant "${offer.name}": renew it`;
    return { fault: { field: 'authorization', detail } };
  }
  return { validitySeconds: Math.min(requestedSeconds, left), notAfter: caller.expiresAt, requestedSeconds };
}

function outcome(attempt: Attempt): string {
  if ('grant' in attempt) return `grant "${attempt.grant.name}"`;
  return 'fault' in attempt ? `invalid request: ${attempt.fault.field} ${attempt.fault.detail}` : attempt.refusal;
}
