import type { Claim, Condition, Rule, Test } from '../../functions/policy/document.ts';
import { firstFailure } from '../../functions/policy/match.ts';
import type { CheckedPolicy } from './check.ts';
import { implies } from './reachability.ts';
import { type Authored, type WarningName, WARNINGS } from './schema.ts';
import { MAY_DIFFER, meetingIssuers, meetings } from './shared-users.ts';

/** Something that is allowed but often a mistake. If it is intended, the rule lists it in `accept`. */
export interface Warning {
  readonly rule: string;
  readonly name: WarningName | 'nothing-to-accept';
  readonly problem: string;
}

const ISSUERS = 'issuers-may-meet';
const PROBLEMS: Readonly<Record<WarningName, string>> = {
  'matches-anyone': 'holds for a caller without any claim: everybody who can sign in gets its grants',
  'absent-undecided':
    'has a `not` around a claim: who lacks it is refused. Write `"absent": "allowed"` if your issuer leaves it out where it is empty',
  'changing-identity':
    'knows people by a claim that changes or is given to others later (an address, a name): use `sub` or `oid`',
  'unverified-email':
    'takes the user from `email` without requiring `email_verified` to be true: some issuers let people type any address',
  'names-may-collide':
    'takes the org from a tenant but the user name from a claim alone: the same name in two tenants is one ThoughtSpot user',
  'issuers-may-meet':
    'may name the ThoughtSpot user of somebody else at another issuer: begin the names of each issuer with a text of its own',
  'any-object': 'lets the request name any object',
  'append-accumulates': 'persists with APPEND: a user keeps former values even if the claims no longer contain them',
  [MAY_DIFFER]: 'may leave other entitlements than another rule on one ThoughtSpot user',
  'being-retired': 'uses filters or parameters, which ThoughtSpot is retiring in favour of variables',
};

export function lintPolicy({ authored, policy }: Pick<CheckedPolicy, 'authored' | 'policy'>): readonly Warning[] {
  const meeting = new Set(
    meetings(policy.rules, policy.tables)
      .flat()
      .map((index) => policy.rules[index]),
  );
  const issuers = meetingIssuers(policy.rules, policy.tables);
  return policy.rules.flatMap((rule, index) => {
    const source = authored.rules[index];
    const met = { [MAY_DIFFER]: meeting.has(rule), [ISSUERS]: issuers.has(rule) };
    return source === undefined ? [] : lintRule(rule, source, met);
  });
}

type Met = Readonly<Record<typeof MAY_DIFFER | typeof ISSUERS, boolean>>;

function lintRule(rule: Rule, document: Authored['rule'], met: Met): readonly Warning[] {
  const names = WARNINGS.filter((name) => (name === MAY_DIFFER || name === ISSUERS ? met[name] : CHECKS[name](rule)));
  // Where two rules meet, one of them has accepted it, or it would be a fault.
  const open = names.filter((name) => name !== MAY_DIFFER && !document.accept.includes(name));
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

const CHECKS: Readonly<Record<Exclude<WarningName, keyof Met>, (rule: Rule) => boolean>> = {
  'matches-anyone': ({ when }) => firstFailure(when, {}, () => undefined) === undefined,
  'absent-undecided': ({ when }) =>
    testsIn(when).some(
      (test) =>
        test.negated && !('present' in test) && !test.absent && !implies(when, { claim: test.claim, present: true }),
    ),
  'changing-identity': (rule) => identitiesIn(rule).some((claim) => isName(wordOf(claim))),
  'unverified-email': ({ user, when }) =>
    claimsIn(user).some((claim) => isEmail(claim) && !implies(when, { claim: verifiedClaim(claim), equals: true })),
  'names-may-collide': ({ user, org }) =>
    'claim' in user && typeof org !== 'number' && user.claim.join() !== 'sub' && !isEmail(user.claim),
  'any-object': ({ grants }) => grants.some((grant) => grant.kind === 'object' && grant.objects === 'any'),
  'append-accumulates': ({ grants }) => grants.some((grant) => grant.kind === 'custom' && grant.persist === 'APPEND'),
  'being-retired': ({ grants }) =>
    grants.some((grant) => grant.kind === 'custom' && grant.filters.length + grant.parameters.length > 0),
};

/** Names of claims that people, or their administrators, may change, or that somebody else may have later. */
const CHANGES = new Set(
  `preferredusername upn userprincipalname nickname name displayname uniquename username user login loginname cn alias
   loginhint givenname middlename familyname surname firstname lastname fullname commonname handle screenname signinname
   signinnames phone phonenumber mobile mobilephone samaccountname onpremisessamaccountname winaccountname`.split(
    /\s+/,
  ),
);

/** The last word of a claim's name: of `https://app.example/preferred_username`, `cognito:username`, `["profile", "Name"]`. */
function wordOf(claim: Claim): string {
  const [word = ''] = /[^/:.]*$/.exec((claim.at(-1) ?? '').toLowerCase()) ?? [];
  return word.replace(/[_-]/g, '');
}

/** Whatever speaks of mail is an address: `emails`, `work_email`, `mailNickname`; but for whether one was verified. */
const isName = (word: string) =>
  CHANGES.has(word) || (/mail|^proxyaddresses$/.test(word) && !word.endsWith('verified'));

/** Claims by which a rule knows a person: those of the user and of entitlements, and those compared with a value. */
function identitiesIn({ user, when, grants }: Rule): readonly Claim[] {
  const compared = testsIn(when).filter((test) => 'equals' in test || 'oneOf' in test);
  return [...claimsIn(user), ...claimsIn(grants), ...compared.map(({ claim }) => claim)];
}

type FoundTest = Test & { readonly negated: boolean };

function testsIn(condition: Condition, negated = false): readonly FoundTest[] {
  if (condition === 'always') return [];
  if ('not' in condition) return testsIn(condition.not, true);
  if ('claim' in condition) return [{ ...condition, negated }];
  return ('all' in condition ? condition.all : condition.any).flatMap((part) => testsIn(part, negated));
}

/** Every claim that a part of a rule reads. */
function claimsIn(part: unknown): readonly Claim[] {
  if (typeof part !== 'object' || part === null) return [];
  if ('claim' in part && Array.isArray(part.claim)) return [part.claim];
  return Object.values(part).flatMap(claimsIn);
}

/** `email`, also under a namespace: `https://app.example/email`. */
function isEmail(claim: Claim): boolean {
  return /(?:^|[/:])email$/.test(claim.at(-1) ?? '');
}

function verifiedClaim(claim: Claim): Claim {
  return [...claim.slice(0, -1), `${claim.at(-1) ?? ''}_verified`];
}
