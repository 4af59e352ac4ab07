/**
 * Claims that cannot be read: nobody is let in because the broker cannot tell what a claim says. Each of these callers got a
 * token while "cannot tell" and "does not have it" were one.
 */
import type { Claims, ClaimValue } from '../../../functions/broker/ports.ts';
import { decide } from '../../../functions/policy/decide.ts';
import { callerWith, compilePolicy, FACTS, fullGrant, policyWith } from '../../support/policy-documents.ts';

const acme = { claim: 'tenant', equals: 'acme' };
const suspended = { claim: 'groups', contains: 'suspended' };
const overage: Claims = {
  _claim_names: { groups: 'src1' },
  _claim_sources: { src1: { endpoint: 'https://graph.microsoft.com/v1.0/users/1/getMemberObjects' } },
};

function isLetIn(when: object, claims: Claims, more: object = {}): boolean {
  const policy = compilePolicy(policyWith({ when: { all: [acme, when] }, user: { claim: 'sub' }, ...more }));
  return decide(policy, callerWith({ tenant: 'acme', sub: 'alice', ...claims }), {}, FACTS).allowed;
}

describe('who must not be in a group', () => {
  const readable: Claims[] = [{ groups: [] }, { groups: ['analysts'] }, { groups: 'analysts' }, { groups: '' }];
  const unreadable: [string, Claims][] = [
    ['is in it, as a text', { groups: 'suspended' }],
    ['has too many groups for a token of Entra', overage],
    ['has too many, and a list all the same', { ...overage, groups: ['analysts'] }],
    ['has too many, by the way that Entra writes of', { groups: 'src1', _claim_sources: { src1: {} } }],
    ['has too many, by a claim that names the source', { 'groups:src1': { endpoint: 'https://graph' } }],
    ['has too many for the implicit flow', { hasgroups: true }],
    ['has too many, in marks that nobody can read', { _claim_names: 'groups', _claim_sources: {} }],
    ['has too many, in sources without names', { _claim_sources: { src1: {} } }],
    ['has too many, and a part of them beside marks that nobody can read', { groups: [], _claim_names: ['groups'] }],
    ['has too many, in marks that are a number', { groups: ['analysts'], _claim_names: 1 }],
    ['has too many, by a claim that names the second source', { groups: [], 'groups:src2': {} }],
    ['has too many for the implicit flow, in words', { groups: ['analysts'], hasgroups: 'true' }],
    ['has groups in an object', { groups: { suspended: true } }],
    ['has a number for groups', { groups: 7 }],
    ['has yes or no for groups', { groups: true }],
    ['has null for groups', { groups: null }],
    ['has groups in objects', { groups: [{ name: 'suspended' }] }],
    ['has a list in the list', { groups: [['suspended']] }],
    ['has a number among the groups', { groups: ['analysts', 1] }],
    ['has null among the groups', { groups: ['analysts', null] }],
    ['has no such claim', {}],
  ];

  it.each(readable)('is let in with %j', (claims) => {
    expect(isLetIn({ not: suspended }, claims)).toBe(true);
  });

  it.each(unreadable)('is refused who %s', (_, claims) => {
    expect(isLetIn({ not: suspended }, claims)).toBe(false);
  });

  const deeper: [string, object][] = [
    ['of all', { not: { all: [{ claim: 'tenant', present: true }, suspended] } }],
    ['of any', { not: { any: [{ claim: 'tenant', present: false }, suspended] } }],
    ['of not of not', { not: { not: { not: suspended } } }],
    ['of any of not of not', { not: { any: [{ not: { not: suspended } }] } }],
    ['in any', { any: [{ not: suspended }] }],
  ];
  it.each(deeper)('is refused under not %s as well', (_, when) => {
    for (const [, claims] of unreadable) expect([claims, isLetIn(when, claims)]).toEqual([claims, false]);
    for (const claims of readable) expect(isLetIn(when, claims)).toBe(true);
  });
});

describe('under not, what no test can read is refused', () => {
  it.each<[object, ClaimValue[], ClaimValue[]]>([
    [{ equals: 'closed' }, ['open'], ['closed', 1, true, null, ['closed'], ['open'], { closed: true }]],
    [{ equals: true }, [false], [true, 'true', 'false', 1, 0, null, [true]]],
    [{ equals: 1 }, [2, 1.5], [1, '1', '2', true, [1], null, 1e300]],
    [{ oneOf: [1, 2] }, [3], [1, 2, '1', '3', true, null, [1], 1e300]],
    [{ oneOf: ['closed', 'barred'] }, ['open'], ['closed', 'barred', 1, null, ['barred'], ['open'], {}]],
    [{ matches: '^(?:closed|barred)$' }, ['open'], ['closed', 7, true, null, ['closed'], {}, 'x'.repeat(1_025)]],
    [{ contains: 7 }, [[], [8]], [[7], 7, '7', ['7'], ['8'], [8, '7'], null, {}]],
  ])('%j', (test, others, refused) => {
    for (const value of others)
      expect([value, isLetIn({ not: { claim: 'state', ...test } }, { state: value })]).toEqual([value, true]);
    for (const value of refused)
      expect([value, isLetIn({ not: { claim: 'state', ...test } }, { state: value })]).toEqual([value, false]);
    expect(isLetIn({ not: { claim: 'state', ...test } }, {})).toBe(false);
  });

  it.each<[ClaimValue]>([['roles'], [7], [['roles']], [null], [false]])(
    'where a claim should be in %j',
    (realm_access) => {
      const inRealm = { not: { claim: ['realm_access', 'roles'], contains: 'suspended' } };
      expect(isLetIn(inRealm, { realm_access: { roles: [] } })).toBe(true);
      expect(isLetIn(inRealm, { realm_access })).toBe(false);
    },
  );
});

describe('a positive test', () => {
  it('takes a text for a list of one', () => {
    const analysts = { claim: 'groups', contains: 'analysts' };
    expect(isLetIn(analysts, { groups: 'analysts' })).toBe(true);
    for (const groups of ['analyst', 'xanalysts', 'analysts admins', ''])
      expect(isLetIn(analysts, { groups })).toBe(false);
  });

  it('is false for a claim that the issuer held back, whatever the test', () => {
    const tests = [
      { contains: 'a' },
      { matches: '^a$' },
      { equals: 'a' },
      { oneOf: ['a'] },
      { present: true },
      { present: false },
    ];
    for (const test of tests) {
      const held = { ...overage, groups: 'contains' in test ? ['a'] : 'a' };
      expect([test, isLetIn({ claim: 'groups', ...test }, held)]).toEqual([test, false]);
      expect([test, isLetIn({ not: { claim: 'groups', ...test } }, held)]).toEqual([test, false]);
    }
    expect(isLetIn({ claim: 'roles', contains: 'a' }, { ...overage, roles: ['a'] })).toBe(true);
  });
});

it('of values of two types nobody can tell that a text or a number is none of them', () => {
  const test = { claim: 'state', oneOf: ['closed', 1] };
  for (const state of ['closed', 1]) expect(isLetIn(test, { state })).toBe(true);
  for (const state of ['closed', 1, 'open', '1', 2, true, null]) {
    const claims = { state, role: 'x' };
    expect([state, isLetIn({ not: { all: [{ claim: 'role', equals: 'x' }, test] } }, claims)]).toEqual([state, false]);
  }
});

it.each<[string, object, Claims]>([
  [
    'one of the same name within another',
    { claim: ['app', 'groups'], contains: 'a' },
    { app: { groups: ['a'] }, hasgroups: true },
  ],
  ['another one than the groups', { claim: 'roles', contains: 'a' }, { roles: ['a'], hasgroups: true }],
  [
    'one that is there, beside sources of others',
    { claim: 'roles', contains: 'a' },
    { roles: ['a'], _claim_sources: { src1: {} } },
  ],
  ['a number, beside a source of that name', { claim: 'level', equals: 1 }, { level: 1, _claim_sources: { 1: {} } }],
])('%s is not held back', (_, when, claims) => {
  expect(isLetIn(when, claims)).toBe(true);
});

describe('rights, users and orgs', () => {
  const from = (claim: string) => ({ claim, allow: ['emea', 'amer'], unlisted: 'skip' });
  const custom = (values: object) => [
    { ...fullGrant, kind: 'custom', persist: 'NONE', objects: [{ identifiers: values }] },
  ];

  it('are not made of a claim that the issuer held back, even where a part of it is there', () => {
    const held = { _claim_names: { regions: 'src1', sub: 'src1', tenant: 'src1' } };
    const always = { claim: 'tenant', present: true };
    expect(isLetIn(acme, { regions: ['emea'] }, { grants: custom(from('regions')) })).toBe(true);
    expect(
      isLetIn(acme, { regions: ['emea'], _claim_names: { regions: 's' } }, { grants: custom(from('regions')) }),
    ).toBe(false);
    expect(isLetIn(acme, { _claim_names: { sub: 'src1' } })).toBe(false);
    expect(isLetIn(acme, { place: 'acme' }, { org: { claim: 'place', table: 'orgs' } })).toBe(true);
    expect(
      isLetIn(acme, { place: 'acme', _claim_names: { place: 's' } }, { org: { claim: 'place', table: 'orgs' } }),
    ).toBe(false);
    expect(isLetIn(always, held)).toBe(false);
    const why = (claims: Claims, more: object) => {
      const policy = compilePolicy(policyWith({ user: { claim: 'sub' }, ...more }));
      return decide(policy, callerWith({ tenant: 'acme', sub: 'alice', ...claims }), {}, FACTS).reasons.join();
    };
    expect(why({ _claim_names: { sub: 's' } }, {})).toMatch('claim "sub" is unreadable');
    expect(why({ regions: [], _claim_names: { regions: 's' } }, { grants: custom(from('regions')) })).toMatch(
      'claim "regions" is unreadable',
    );
  });
});
