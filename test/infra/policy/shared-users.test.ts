import { checkPolicy } from '../../../infra/policy/check.ts';
import { lintPolicy } from '../../../infra/policy/lint.ts';
import { PolicyError } from '../../../infra/policy/policy-error.ts';
import { validity } from '../../support/policy-documents.ts';

const tables = {
  orgs: { acme: 1, globex: 2 },
  people: { one: 'ann', two: 'bo' },
  crew: { one: 'Ann', two: 'ann' },
  regions: { acme: ['emea'], globex: ['apac'] },
};
const full = { name: 'full', kind: 'full', validity };
const board = {
  name: 'board',
  kind: 'object',
  objects: ['11111111-aaaa-4bbb-8ccc-000000000001'],
  validity,
};
const cut = (values: unknown, over: object = {}) => ({
  name: 'cut',
  kind: 'custom',
  persist: 'REPLACE',
  variables: [{ name: 'v', values }],
  validity,
  ...over,
});
const fromClaim = { claim: 'region', allow: ['emea', 'apac'] };
const person = { claim: 'sub' };
const service = { serviceAccount: 'svc' };
const FILTERED = {
  user: service,
  grants: [cut([], { variables: [], filters: [{ column: 'c', operator: 'EQ', values: fromClaim }] })],
};
const NOTHING_KEPT = {
  persist: 'NONE',
  variables: [],
  filters: [{ column: 'c', operator: 'EQ', values: ['1'] }],
};

const ORG = { claim: 'tenant', table: 'orgs' };
const rule = (over: object) => ({ when: { claim: 'a', equals: 1 }, user: person, org: 1, grants: [full], ...over });

function faultsOf(...rules: object[]): string[] {
  const named = rules.map((one, index) => ({ name: `rule-${index}`, ...one }));
  try {
    checkPolicy({ version: 1, tables, rules: named });
    return [];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.faults.map(({ path, problem }) => `${path}: ${problem}`);
  }
}

describe('one rule', () => {
  it.each<[string, object, RegExp]>([
    ['a service account whose variables come from a claim', { user: service, grants: [cut(fromClaim)] }, /several/],
    ['the same where callers share the token', { user: service, share: true, grants: [cut(fromClaim)] }, /several/],
    ['a table that gives one name twice', { user: { claim: 'x', table: 'crew' }, grants: [cut(fromClaim)] }, /several/],
    ['a claim inside a filter', FILTERED, /several/],
    ['two grants with other values', { grants: [cut(['a']), cut(['b'], { name: 'other' })] }, /other entitlements/],
    ['full beside a persisting custom', { grants: [full, cut(['a'])] }, /other entitlements/],
    ['one object beside a persisting custom', { grants: [cut(fromClaim), board] }, /other entitlements/],
    ['a RESET beside full', { grants: [full, cut([], { persist: 'RESET', variables: [], groups: ['g'] })] }, /other/],
    ['APPEND with a claim', { grants: [cut(fromClaim, { persist: 'APPEND' })] }, /union of all.*Use REPLACE/],
    [
      'APPEND with a claim, per entitlement',
      { user: { ...person, perEntitlement: true }, provision: {}, grants: [cut(fromClaim, { persist: 'APPEND' })] },
      /Use REPLACE/,
    ],
    ['APPEND that differs', { grants: [cut(['a']), cut(['b'], { name: 'o', persist: 'APPEND' })] }, /Use REPLACE/],
    [
      'users per entitlement without provision',
      { user: { ...person, perEntitlement: true }, grants: [cut(fromClaim)] },
      /perEntitlement: needs `provision`/,
    ],
    ['a service account with the name of one', { user: { serviceAccount: 'svc~aaaaaaaaaaaaaaaa' } }, /must not end/],
  ])('is faulty with %s, and says what to do', (_, over, words) => {
    const faults = faultsOf(rule(over));
    expect(faults).toEqual([expect.stringMatching(words)]);
    expect(faults[0]).toMatch(/perEntitlement|Use REPLACE|must not end/);
  });

  it.each<[string, object]>([
    ['a service account with fixed variables', { user: service, grants: [cut(['a'])] }],
    ['the same, shared', { user: service, share: true, grants: [cut(['a'])] }],
    ['people whose variables come from claims', { grants: [cut(fromClaim)] }],
    ['two grants that leave the same', { grants: [cut(['a']), cut(['a'], { name: 'other' })] }],
    ['full and one object that provision the same groups', { provision: { groups: ['g'] }, grants: [full, board] }],
    ['full beside a custom that persists nothing', { grants: [full, cut([], NOTHING_KEPT)] }],
    ['APPEND of fixed values', { grants: [cut(['a'], { persist: 'APPEND' })] }],
    [
      'users per entitlement',
      { user: { ...person, perEntitlement: true }, provision: {}, grants: [full, board, cut(fromClaim)] },
    ],
    [
      'a service account per entitlement',
      { user: { ...service, perEntitlement: true }, provision: {}, grants: [full, cut(fromClaim)] },
    ],
    ['a rule on trial, which mints nothing', { mode: 'audit', grants: [full, cut(fromClaim)] }],
  ])('may have %s', (_, over) => {
    expect(faultsOf(rule(over), rule({ when: 'always', user: { serviceAccount: 'other' } }))).toEqual([]);
  });
});

describe('two rules', () => {
  const b = { claim: 'b', equals: 1 };
  const tenant = (equals: string) => ({ when: { all: [{ claim: 'tenant', equals }, b] } });
  const template = (text: string, part: object) => ({
    template: text,
    parts: { tenant: { claim: 'tenant', ...part }, login: { claim: 'login' } },
  });
  const apart: [string, object, object][] = [
    ['orgs', { org: 1 }, { org: 2 }],
    ['orgs of other tenants', { ...tenant('acme'), org: ORG }, { ...tenant('globex'), org: ORG }],
    ['service accounts', { user: service }, { user: { serviceAccount: 'svc2' } }],
    ['a service account and people', { user: service }, { user: person }],
    ['lists of names', { user: { claim: 'x', allow: ['ann'] } }, { user: { claim: 'x', allow: ['bo'] } }],
    ['a list and a table', { user: { claim: 'x', allow: ['cy'] } }, { user: { claim: 'x', table: 'people' } }],
    ['fixed texts', { user: template('a.{tenant}.{login}', {}) }, { user: template('b.{tenant}.{login}', {}) }],
    [
      'listed tenants in a template',
      { user: template('{tenant}.{login}', { allow: ['acme'] }) },
      { user: template('{tenant}.{login}', { allow: ['globex'] }) },
    ],
    [
      'tenants that the conditions ask for',
      { ...tenant('acme'), user: template('{tenant}.{login}', {}) },
      { ...tenant('globex'), user: template('{tenant}.{login}', {}) },
    ],
    ['users per entitlement', { user: { ...person, perEntitlement: true }, provision: {} }, { user: person }],
    ['a rule on trial', { mode: 'audit' }, {}],
  ];
  it.each(apart)('may leave different entitlements, told apart by %s', (_, one, other) => {
    const first = rule({ grants: [cut(['x'])], ...one });
    expect(faultsOf(first, rule({ when: b, grants: [full], ...other }))).toEqual([]);
  });

  const together: [string, object, object][] = [
    ['the same claim', {}, {}],
    ['two claims', {}, { user: { claim: 'email' } }],
    ['names that differ by case', { user: { serviceAccount: 'Svc' } }, { user: service }],
    [
      'lists that share a name',
      { user: { claim: 'x', allow: ['ann', 'bo'] } },
      { user: { claim: 'x', allow: ['Bo'] } },
    ],
    ['a list and a claim', { user: { claim: 'x', allow: ['ann'] } }, {}],
    [
      'a fixed text that begins like another',
      { user: template('a.{tenant}.{login}', {}) },
      { user: template('a.b.{tenant}.{login}', {}) },
    ],
    ['a template and a claim', { user: template('a.{tenant}.{login}', {}) }, {}],
    [
      'letters whose case is not certain',
      { user: { claim: 'x', allow: ['ΑΣ'] } },
      { user: { claim: 'x', allow: ['ας'] } },
    ],
    ['tables of orgs that overlap', { org: ORG }, { org: 2 }],
    ['tenants that the conditions do not keep apart', { ...tenant('acme'), org: ORG }, { org: ORG }],
  ];
  it.each(together)('must leave the same where users may be one: %s', (_, one, other) => {
    const first = rule({ grants: [cut(['x'])], ...one });
    const second = rule({ when: b, grants: [full], ...other });
    expect(faultsOf(first, second)).toEqual([
      expect.stringMatching(/^rules\[1\]\.user: may name the same ThoughtSpot user as rule "rule-0".*perEntitlement/),
    ]);
    expect(faultsOf({ ...first, grants: [full] }, second)).toEqual([]);
    expect(faultsOf(first, { ...second, accept: ['entitlements-may-differ'] })).toEqual([]);
    expect(faultsOf({ ...first, accept: ['entitlements-may-differ'] }, second)).toEqual([]);
  });

  it('are warned of an acceptance that nothing needs', () => {
    const warned = (...rules: object[]) =>
      lintPolicy(checkPolicy({ version: 1, rules: rules.map((one, index) => ({ name: `rule-${index}`, ...one })) }));
    const accept = ['entitlements-may-differ'];
    expect(warned(rule({ accept }))).toMatchObject([{ name: 'nothing-to-accept', rule: 'rule-0' }]);
    expect(warned(rule({ accept, grants: [cut(['x'])] }), rule({ when: b }))).toEqual([]);
    expect(warned(rule({ grants: [cut(['x'])] }), rule({ when: b, accept }))).toEqual([]);
  });
});
