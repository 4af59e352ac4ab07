import { isPerEntitlement, personOf } from '../../../functions/broker/lease.ts';
import type { Claims, Provisioning, Rights } from '../../../functions/broker/ports.ts';
import { decide, usersOf } from '../../../functions/policy/decide.ts';
import { entitlementDigest, NONE } from '../../../functions/policy/persisted.ts';
import {
  callerWith,
  compilePolicy,
  FACTS,
  policyWith,
  regionalGrant,
  rule,
  sha256,
  validity,
} from '../../support/policy-documents.ts';

const custom = (over: object = {}): Rights => ({
  kind: 'custom',
  persist: 'REPLACE',
  variables: [{ name: 'region_var', values: ['emea'] }],
  filters: [],
  parameters: [],
  groups: [],
  objects: [],
  ...over,
});
const full: Rights = { kind: 'full' };
const object: Rights = { kind: 'object', objectId: '11111111-aaaa-4bbb-8ccc-000000000001' };
const staff: Provisioning = { groups: ['staff'], displayName: 'Ann' };
const digest = (rights: Rights, provisioning: Provisioning | null = null) =>
  entitlementDigest(rights, provisioning, sha256);

describe('the entitlement digest', () => {
  it.each<[string, Rights, Provisioning | null]>([
    ['a full token', full, null],
    ['a token for one object', object, null],
    ['a full token that provisions without groups', full, { groups: [] }],
    ['a custom token that persists nothing', custom({ persist: 'NONE', variables: [] }), null],
  ])('is none for %s', (_, rights, provisioning) => {
    expect(digest(rights, provisioning)).toBe(NONE);
  });

  it.each<[string, Rights, Provisioning | null, Rights, Provisioning | null]>([
    ['two objects', object, staff, { ...object, objectId: '22222222-aaaa-4bbb-8ccc-000000000002' }, staff],
    ['full and object with the same groups', full, staff, object, staff],
    ['names and addresses', full, staff, full, { ...staff, displayName: 'Bo', email: 'bo@acme.example' }],
    ['two custom tokens with the same lists', custom(), null, custom(), null],
    [
      'RESET, whatever its lists',
      custom({ persist: 'RESET' }),
      null,
      custom({ persist: 'RESET', variables: [] }),
      null,
    ],
  ])('is the same for %s', (_, one, provisionedOne, other, provisionedOther) => {
    expect(digest(one, provisionedOne)).toBe(digest(other, provisionedOther));
  });

  it.each<[string, Rights, Provisioning | null]>([
    ['another value', custom({ variables: [{ name: 'region_var', values: ['apac'] }] }), null],
    ['another variable', custom({ variables: [{ name: 'r', values: ['emea'] }] }), null],
    ['a filter', custom({ filters: [{ column: 'c', operator: 'EQ', values: ['1'] }] }), null],
    ['a parameter', custom({ parameters: [{ name: 'p', values: ['1'] }] }), null],
    ['an object', custom({ objects: [{ identifier: 'x' }] }), null],
    ['a group of the grant', custom({ groups: ['g'] }), null],
    ['groups of provisioning', custom(), staff],
    ['APPEND', custom({ persist: 'APPEND' }), null],
    ['RESET', custom({ persist: 'RESET', variables: [] }), null],
    ['nothing', full, null],
  ])('differs by %s', (_, rights, provisioning) => {
    expect(digest(rights, provisioning)).not.toBe(digest(custom()));
  });
});

it('tells tokens that persist nothing apart by the groups that they leave', () => {
  const none = (groups: string[]) => custom({ persist: 'NONE', variables: [], groups });
  const all = [digest(none(['g'])), digest(none(['h'])), digest(none([]), staff), digest(none(['g']), staff), NONE];
  expect(new Set(all).size).toBe(5);
});

const unpersisted = { ...regionalGrant, persist: 'NONE', variables: [], objects: [{ identifiers: ['x'] }] };
const plainFull = { name: 'full', kind: 'full', validity };
const document = policyWith(
  { user: { claim: 'name', perEntitlement: true }, provision: {}, grants: [regionalGrant, plainFull] },
  { refuse: ['bob', 'eve~aaaaaaaaaaaaaaaa'] },
);
function ask(claims: Claims, request: object = {}, policy: object = document) {
  const decision = decide(compilePolicy(policy), callerWith({ tenant: 'acme', ...claims }), request, FACTS);
  return decision.allowed ? decision.grant : decision.reasons.join();
}
const userFor = (claims: Claims, request: object = {}) => {
  const grant = ask(claims, request);
  return typeof grant === 'string' ? grant : grant.user;
};

describe('a user per entitlement', () => {
  it('is the name of the person, ~ and 16 lower-case base32 characters, in every grant of the rule', () => {
    const [emea, whole] = [userFor({ name: 'Ann', region: 'emea' }), userFor({ name: 'Ann' }, { grant: 'full' })];
    expect(emea).toMatch(/^Ann~[a-z2-7]{16}$/);
    expect(whole).toMatch(/^Ann~[a-z2-7]{16}$/);
    expect([isPerEntitlement(emea), personOf(emea)]).toEqual([true, 'ann']);
  });

  it('is the same for equal sets and another for every other set', () => {
    const emea = userFor({ name: 'ann', region: 'emea' });
    expect(userFor({ name: 'ann', region: 'emea' })).toBe(emea);
    const all = [emea, userFor({ name: 'ann', region: 'apac' }), userFor({ name: 'ann' }, { grant: 'full' })];
    expect(new Set(all).size).toBe(3);
    expect(userFor({ name: 'bo', region: 'emea' }).slice(2)).toBe(emea.slice(3));
  });

  it('lies under its person for whoever looks for own leases', () => {
    expect(usersOf(compilePolicy(document), callerWith({ tenant: 'acme', name: 'Ann' }))).toEqual(['Ann']);
  });

  it.each([
    ['a claim names one', { name: 'ann~aaaaaaaaaaaaaaaa' }],
    ['a claim names one in capitals', { name: 'ann~AAAAAAAAAAAAAAAA' }],
    ['the person is on the refuse list', { name: 'Bob' }],
    ['the whole name is too long', { name: 'a'.repeat(238) }],
  ])('is refused where %s', (_, claims) => {
    expect(ask(claims, { grant: 'full' })).toMatch(/user name/);
    const plain = policyWith({ user: { claim: 'name' } }, { refuse: ['bob'] });
    const also = typeof ask(claims, {}, plain) === 'string';
    expect(also).toBe(claims.name.length < 238);
  });

  it('has room for a person of 237 characters', () => {
    expect(userFor({ name: 'a'.repeat(237) }, { grant: 'full' })).toHaveLength(254);
  });

  it('is refused where the refuse list has the whole name', () => {
    const whole = userFor({ name: 'ann' }, { grant: 'full' });
    const refusing = { ...document, refuse: [whole.toUpperCase()] };
    expect(ask({ name: 'ann' }, { grant: 'full' }, refusing)).toMatch(/on the refuse list/);
    expect(ask({ name: 'ann', region: 'emea' }, {}, refusing)).toMatchObject({ name: 'regional' });
  });
});

describe('the digest in a grant', () => {
  it('is there only where a rule of the policy leaves something', () => {
    expect(ask({ name: 'ann' }, {}, policyWith({}))).not.toHaveProperty('entitlements');
    expect(ask({ name: 'ann' }, { grant: 'full' })).toHaveProperty('entitlements', NONE);
  });

  it.each<[string, boolean, object, object?]>([
    ['persists variables of a claim', true, { grants: [regionalGrant] }],
    ['makes a user per entitlement', true, { user: { claim: 'name', perEntitlement: true }, provision: {} }],
    ['provisions groups', true, { provision: { groups: ['staff'] } }],
    ['provisions no groups', false, { provision: { groups: [] } }],
    ['persists nothing', false, { grants: [unpersisted] }],
    ['persists nothing, but has groups of its own', true, { grants: [{ ...unpersisted, groups: ['g'] }] }],
  ])('is there or not for all rules where one rule %s', (_, isThere, change) => {
    const one = { ...rule, name: 'one', when: { claim: 'tenant', equals: 'globex' }, ...change };
    const plain = policyWith({}) as { rules: object[] };
    for (const rules of [
      [one, ...plain.rules],
      [...plain.rules, one],
    ])
      expect('entitlements' in (ask({ name: 'ann' }, {}, { ...plain, rules }) as object)).toBe(isThere);
  });

  it('is not there because of a rule on trial', () => {
    const trial = {
      name: 'trial',
      mode: 'audit',
      when: 'always',
      user: { claim: 'x' },
      org: 1,
      grants: [regionalGrant],
    };
    const plain = policyWith({}) as { rules: object[] };
    expect(ask({ name: 'ann' }, {}, { ...plain, rules: [trial, ...plain.rules] })).not.toHaveProperty('entitlements');
  });
});
