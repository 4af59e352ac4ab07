/** Ready-made parts of policy documents and callers for tests, and generators of whole documents. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { Caller, Claims, TokenRequest } from '../../functions/broker/ports.ts';
import { decide, type Facts, type Policy, usersOf } from '../../functions/policy/decide.ts';
import { checkPolicy } from '../../infra/policy/check.ts';
import { HIGHEST_LIMITS } from './raised-limits.ts';

/** The policy that a function builds from a document. Throws PolicyError. */
export const compilePolicy = (document: unknown): Policy => checkPolicy(document).policy;

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');
export const NOW = 1_800_000_000_000;
export const FACTS: Facts = { host: 'https://ts.example', now: NOW, sha256 };

/** A policy as the use cases ask it, with limits that no test reaches. */
export const entitlementsBy = (policy: Policy) => ({
  decide: (caller: Caller, request: TokenRequest, now: number) => decide(policy, caller, request, { ...FACTS, now }),
  usersOf: (caller: Caller) => usersOf(policy, caller),
  limits: HIGHEST_LIMITS,
});

/** How often a property runs: far more often at night than for a change. */
export const runs = (everyChange: number, everyNight: number): { numRuns: number } => ({
  numRuns: process.env.NIGHTLY === undefined ? everyChange : everyNight,
});

export function callerWith(claims: Claims, secondsLeft = 3_600): Caller {
  return {
    issuer: 'https://issuer.example',
    subject: 'someone',
    claims,
    issuedAt: NOW,
    expiresAt: NOW + secondsLeft * 1_000,
    scopes: [],
  };
}

export const validity = { defaultSeconds: 300, minSeconds: 60, maxSeconds: 900 };
export const fullGrant = { name: 'full', kind: 'full', validity, reuse: { minLifeLeftSeconds: 60 } };
/** Leaves a variable on the user. */
export const regionalGrant = {
  name: 'regional',
  kind: 'custom',
  persist: 'REPLACE',
  variables: [{ name: 'region_var', values: { claim: 'region', allow: ['emea', 'apac'] } }],
  validity,
};
export const rule = {
  name: 'members',
  when: { claim: 'tenant', equals: 'acme' },
  user: { claim: 'name' },
  org: { claim: 'tenant', table: 'orgs' },
  grants: [fullGrant],
};
export const policy = { version: 1, tables: { orgs: { acme: 1, globex: 2 } }, rules: [rule] };

/** A policy of one rule that differs from `rule` in these members. */
export function policyWith(changes: object, also: object = {}): object {
  return { ...policy, ...also, rules: [{ ...rule, ...changes }] };
}

// --- generators ------------------------------------------------------------------------------------------------------

const claimName = fc.constantFrom('tenant', 'name', 'roles', 'level', 'groups', 'auth_time', 'https://app/tenant');
const claimPath = fc.oneof(
  { weight: 5, arbitrary: claimName },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('app', 'tenant'), fc.constantFrom('plan', 'tenant')) },
);
const word = fc.constantFrom('acme', 'globex', 'alice', 'Bob', 'tsadmin', 'x', '1');
const scalar = fc.oneof(word, fc.constantFrom(0, 1, 2), fc.boolean());

const leaf = fc.oneof(
  fc.record({ claim: claimPath, equals: scalar }),
  fc.record({ claim: claimPath, oneOf: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
  fc.record({ claim: claimPath, contains: scalar }),
  fc.record({ claim: claimPath, matches: fc.constantFrom('^[a-z]+$', '^a[a-z]*$', '^(?:acme|x)$', '^[A-Z][a-z]+$') }),
  fc.record({ claim: claimPath, atLeast: fc.constantFrom(0, 1, 1.5) }),
  fc.record({ claim: claimPath, atMost: fc.constantFrom(0, 1, 1.5) }),
  fc.record({ claim: fc.oneof(fc.constant('auth_time'), claimPath), withinSeconds: fc.constantFrom(60, 600, 3_600) }),
  fc.record({ claim: claimPath, present: fc.boolean() }),
);
const absent = fc.constantFrom({}, { absent: 'allowed' });
/** A test within `not` may say what it makes of an absent claim. */
const negated = fc.tuple(leaf, absent).map(([test, may]) => ('present' in test ? test : { ...test, ...may }));
export const conditionDocument = fc.letrec<{ condition: object }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({ all: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
    fc.tuple(fc.oneof(negated, tie('condition')), absent).map(([not, may]) => ({ not, ...may })),
  ),
})).condition;

const claimItem = fc.oneof(word, fc.constantFrom(0, 1, 2, null), fc.boolean());
/** Seconds since 1970: recent or not, at the edge of what is allowed, ahead, as a text, in milliseconds. */
const signedInAt = fc.oneof(
  fc.constantFrom(0, 59, 60, 65, 66, 600, 605.5, 3_600, 3_606, -5, -6).map((age) => NOW / 1_000 - age),
  fc.constantFrom<(number | string)[]>(NOW, String(NOW / 1_000), 0),
);
const marks = fc.constantFrom<object[]>(
  { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph' } } },
  { _claim_names: { roles: 'src1', tenant: 'src1' } },
  { hasgroups: true },
  { hasgroups: false },
);
/** Claims that often meet the conditions above. Most callers have the usual claims; some have arbitrary ones. */
export const claims: fc.Arbitrary<Claims> = fc
  .tuple(
    fc.record(
      {
        tenant: fc.constantFrom('acme', 'acme', 'globex', 1),
        name: fc.constantFrom('alice', 'alice', 'acme', 'globex', 'Bob', 'TSADMIN', 'svc'),
        roles: fc.array(word, { maxLength: 3 }),
        groups: fc.oneof(fc.array(word, { maxLength: 3 }), fc.array(claimItem, { maxLength: 3 }), word),
        auth_time: signedInAt,
        level: claimItem,
        'https://app/tenant': fc.constantFrom('acme', 'globex', 'x'),
      },
      { requiredKeys: ['tenant', 'name', 'auth_time'] },
    ),
    fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: anyClaims() }),
    fc.oneof({ weight: 7, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: marks }),
  )
  .map(([usual, others, held]) => ({ ...usual, ...others, ...held }));

function anyClaims(): fc.Arbitrary<Claims> {
  return fc.dictionary(
    fc.oneof(claimName, fc.constantFrom('app', 'email', '__proto__', 'constructor')),
    fc.oneof(
      { weight: 4, arbitrary: claimItem },
      { weight: 2, arbitrary: fc.array(claimItem, { maxLength: 3 }) },
      { weight: 1, arbitrary: fc.dictionary(fc.constantFrom('plan', 'tenant'), claimItem) },
    ),
    { maxKeys: 7 },
  );
}

const bounds = fc
  .tuple(
    fc.integer({ min: 1, max: 100 }),
    fc.integer({ min: 0, max: 900 }),
    fc.integer({ min: 0, max: 900 }),
    fc.boolean(),
  )
  .map(([minSeconds, more, most, withinCallerToken]) => ({
    minSeconds,
    defaultSeconds: minSeconds + more,
    maxSeconds: minSeconds + more + most,
    withinCallerToken,
  }));
const mapped = fc.oneof(
  fc.record({ claim: claimName, pattern: fc.constantFrom('^([a-z]+)$', '^[a-z]([a-z]+)$', '^[a-zA-Z0-9]+$') }),
  fc.record({ claim: claimName, lowerCase: fc.boolean(), table: fc.constant('words') }),
  fc.record({ claim: claimName, allow: fc.array(word, { minLength: 1, maxLength: 4 }) }),
);
const values = fc.oneof(
  fc.array(word, { minLength: 1, maxLength: 2 }),
  fc.tuple(mapped, fc.constantFrom('refuse', 'skip')).map(([source, unlisted]) => ({ ...source, unlisted })),
);
const GUIDS = [1, 2, 3].map((n) => `${n}1111111-aaaa-4bbb-8ccc-000000000001`);
const grantKind = fc.oneof(
  fc.constant({ kind: 'full' }),
  fc.record({
    kind: fc.constant('object'),
    objects: fc.oneof(fc.constant('any'), fc.subarray(GUIDS, { minLength: 1 })),
  }),
  fc.record({
    kind: fc.constant('custom'),
    persist: fc.constantFrom('APPEND', 'REPLACE'),
    variables: fc.tuple(fc.record({ name: fc.constant('v'), values })),
  }),
);
const grants = fc
  .array(fc.tuple(grantKind, bounds), { minLength: 1, maxLength: 3 })
  .map((list) => list.map(([kind, limits], index) => ({ name: `grant-${index}`, validity: limits, ...kind })));
const plainUser = fc.oneof(
  { weight: 4, arbitrary: fc.record({ claim: fc.constantFrom('name', 'tenant'), lowerCase: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ claim: claimName, lowerCase: fc.boolean() }) },
  { weight: 2, arbitrary: mapped },
  { weight: 1, arbitrary: fc.constant({ serviceAccount: 'svc' }) },
);
/** Most rules have users per entitlement: with plain users, grants that leave different entitlements do not compile. */
const who = fc
  .tuple(plainUser, fc.constantFrom(true, true, false))
  .map(([user, perEntitlement]) => (perEntitlement ? { user: { ...user, perEntitlement }, provision: {} } : { user }));
const tables = {
  orgs: { acme: 1, globex: 2, 1: 3 },
  words: { acme: 'amber', globex: 'green', alice: 'alice', 1: 'one' },
};

const usualCondition = fc.constantFrom<object[]>(
  { claim: 'auth_time', withinSeconds: 60 },
  { claim: 'tenant', equals: 'acme' },
  { claim: 'tenant', present: true },
  {
    any: [
      { claim: 'name', matches: '^[a-z]+$' },
      { claim: 'level', equals: 1 },
    ],
  },
  { not: { claim: 'roles', contains: 'x' }, absent: 'allowed' },
  {
    all: [
      { claim: 'tenant', equals: 'acme' },
      { claim: 'auth_time', withinSeconds: 600 },
    ],
  },
);

/** Documents that mostly compile; those with a rule that is never reached do not. */
export const policyDocument = fc
  .array(
    fc.record({
      mode: fc.constantFrom('enforce', 'enforce', 'enforce', 'audit'),
      when: fc.oneof(conditionDocument, usualCondition),
      absent: fc.constantFrom('allowed', undefined, undefined, undefined),
      who,
      org: fc.oneof(fc.constant(0), fc.constant({ claim: 'tenant', table: 'orgs' })),
      grants,
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((rules) => ({
    version: 1,
    refuse: ['Bob'],
    tables,
    rules: rules.map(({ who: { user, ...others }, ...each }, index) => ({
      name: `rule-${index}`,
      ...each,
      user,
      ...others,
      accept: ['entitlements-may-differ'],
    })),
  }));

const seldom = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4, nil: undefined });
export const request = fc
  .tuple(
    seldom(fc.constantFrom('grant-0', 'grant-1', 'grant-2', 'other')),
    seldom(fc.constantFrom(...GUIDS, GUIDS[0]?.toUpperCase() ?? '', 'no-guid')),
    seldom(fc.oneof(fc.integer({ min: -5, max: 2_000 }), fc.double())),
    fc.boolean(),
  )
  .map(([grant, objectId, validitySeconds, fresh]) => ({
    ...(grant !== undefined && { grant }),
    ...(objectId !== undefined && { objectId }),
    ...(validitySeconds !== undefined && { validitySeconds }),
    fresh,
  }));
