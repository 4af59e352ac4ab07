import { checkPolicy } from '../../../infra/policy/check.ts';
import { lintPolicy } from '../../../infra/policy/lint.ts';
import { policyWith, rule, validity } from '../../support/policy-documents.ts';

const tables = { tables: { orgs: { acme: 1 }, users: { a: 'ann', b: 'bo' } } };

function warningsOf(changes: object): string[] {
  const checked = checkPolicy(policyWith({ user: { claim: 'sub' }, ...changes }, tables));
  return lintPolicy(checked).map(({ rule: name, name: warning }) => `${name}: ${warning}`);
}
const custom = (more: object) => ({ grants: [{ name: 'cut', kind: 'custom', persist: 'REPLACE', validity, ...more }] });
const verified = { all: [rule.when, { claim: 'email_verified', equals: true }] };

const closed = { not: { claim: 'groups', contains: 'suspended' } };
const when = (condition: object) => ({ when: { all: [rule.when, condition] } });

describe('a warning', () => {
  it.each<[string | string[], object]>([
    ['matches-anyone', { when: 'always' }],
    ['matches-anyone', { when: { not: { claim: 'a', equals: 'b' }, absent: 'allowed' } }],
    [['changing-identity', 'unverified-email'], { user: { claim: 'email' } }],
    [['changing-identity', 'unverified-email'], { user: { claim: 'https://app/email', pattern: '^[a-z]+$' } }],
    [['changing-identity', 'unverified-email'], { user: { template: 'x-{e}', parts: { e: { claim: 'email' } } } }],
    [
      ['changing-identity', 'unverified-email'],
      { user: { claim: 'email' }, when: { all: [rule.when, { claim: 'email_verified', equals: 'true' }] } },
    ],
    [['changing-identity', 'names-may-collide'], { user: { claim: 'name' } }],
    ['any-object', { grants: [{ name: 'one', kind: 'object', objects: 'any', validity }] }],
    ['append-accumulates', custom({ persist: 'APPEND', groups: ['a'] })],
    ['being-retired', custom({ filters: [{ column: 'a', operator: 'EQ', values: ['b'] }] })],
    ['being-retired', custom({ parameters: [{ name: 'a', values: ['b'] }] })],
    ['absent-undecided', when(closed)],
    [
      'absent-undecided',
      when({
        not: {
          any: [
            { claim: 'a', equals: 1 },
            { claim: 'b', present: true },
          ],
        },
      }),
    ],
    ['absent-undecided', when({ any: [{ claim: 'groups', contains: 'a' }, closed] })],
    ['absent-undecided', when({ not: { claim: 'auth_time', withinSeconds: 60 } })],
  ])('%s is given for %j, unless the rule accepts it', (names, changes) => {
    expect(warningsOf(changes)).toEqual([names].flat().map((name) => `members: ${name}`));
    expect(warningsOf({ ...changes, accept: [names].flat() })).toEqual([]);
  });

  it.each<[string | string[]]>([
    ...['email', 'preferred_username', 'upn', 'nickname', 'name', 'unique_name', 'username', 'given_name'].map(ofOne),
    ...[
      'emails',
      'work_email',
      'mailNickname',
      'signInNames',
      'login_hint',
      'handle',
      'firstName',
      'proxyAddresses',
    ].map(ofOne),
    ...['family_name', 'cognito:username', 'https://app.example/preferred_username', 'Phone_Number', 'login'].map(
      ofOne,
    ),
    ...['http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress', 'samAccountName', 'mail'].map(ofOne),
    [['profile', 'preferred_username']],
  ])('is given for people who are known by %j', (claim) => {
    const named = (changes: object) => warningsOf({ org: 1, ...changes }).includes('members: changing-identity');
    expect(named({ user: { claim } })).toBe(true);
    expect(named({ user: { claim, table: 'users' } })).toBe(true);
    expect(named({ user: { template: 'acme/{p}', parts: { p: { claim } } } })).toBe(true);
    expect(named(when({ claim, equals: 'boss' }))).toBe(true);
    expect(named(when({ not: { claim, oneOf: ['boss', 'chief'] }, absent: 'allowed' }))).toBe(true);
    expect(named(custom({ variables: [{ name: 'v', values: { claim, pattern: '^[a-z]+$' } }] }))).toBe(true);
    expect(named(when({ claim, matches: '^[a-z]+@acme[.]example$' }))).toBe(false);
    expect(named({ provision: { displayName: { claim } } })).toBe(false);
  });

  it.each(['sub', 'oid', 'customer_name_id', 'employee_number', 'uid', 'https://app.example/tenant'])(
    'is not given for people who are known by "%s"',
    (claim) => {
      expect(warningsOf({ user: { claim }, org: 1 })).toEqual([]);
    },
  );

  it.each<[string, object]>([
    ['a subject under a tenant', {}],
    ['a service account', { user: { serviceAccount: 'svc' } }],
    ['variables that replace', custom({ variables: [{ name: 'v', values: ['a'] }] })],
    ['an absent claim that the test allows', when({ not: { ...closed.not, absent: 'allowed' } })],
    ['an absent claim that the not allows', when({ ...closed, absent: 'allowed' })],
    ['an absent claim that the rule allows', { ...when(closed), absent: 'allowed' }],
    ['a claim that must be there', when({ all: [{ claim: 'groups', present: true }, closed] })],
    ['a claim that another test needs', when({ all: [{ claim: 'groups', contains: 'a' }, closed] })],
    ['a not of a not', when({ not: { not: { claim: 'a', matches: '^x$' } } })],
    ['a claim that must not be there', when({ not: { claim: 'groups', present: true } })],
  ])('is not given for %s', (_, changes) => {
    expect(warningsOf(changes)).toEqual([]);
  });

  it('of an address or a name alone is not given where it is verified, or where tenants are apart', () => {
    const changing = ['members: changing-identity'];
    expect(warningsOf({ user: { claim: 'email' }, when: verified })).toEqual(changing);
    expect(warningsOf({ user: { claim: 'name' }, org: 1 })).toEqual(changing);
    const parts = { t: { claim: 'tenant', allow: ['acme'] }, n: { claim: 'name' } };
    expect(warningsOf({ user: { template: '{t}/{n}', parts } })).toEqual(changing);
  });

  it('is given for accepting what does not occur', () => {
    expect(warningsOf({ accept: ['any-object'] })).toEqual(['members: nothing-to-accept']);
  });
});

describe('people of two issuers', () => {
  const rules = (one: object, other: object) =>
    checkPolicy({
      ...policyWith({}, tables),
      rules: [
        { ...rule, issuer: 'https://own.example', ...one },
        { ...rule, name: 'partners', issuer: 'https://partner.example', ...other },
      ],
    });
  const warned = (one: object, other: object) =>
    lintPolicy(rules(one, other)).flatMap(({ rule: name, name: warning }) =>
      warning === 'issuers-may-meet' ? [name] : [],
    );
  const sub = { claim: 'sub' };
  const from = (text: string) => ({ template: `${text}{p}`, parts: { p: sub } });

  it.each<[string, object, object]>([
    ['the same claim', { user: sub }, { user: sub }],
    ['different claims', { user: sub }, { user: { claim: 'login' } }],
    ['a claim, and a text before it', { user: sub }, { user: from('partner.') }],
    ['texts of which one begins the other', { user: from('p') }, { user: from('partner.') }],
    ['texts that differ in case', { user: from('P.') }, { user: from('p.') }],
    [
      'a list that has one name of the other',
      { user: { claim: 'a', table: 'users' } },
      { user: { claim: 'b', allow: ['BO'] } },
    ],
    ['different orgs, as a user is in several', { user: sub, org: 1 }, { user: sub, org: 2 }],
    [
      'users per entitlement',
      { user: sub },
      { user: { ...sub, perEntitlement: true }, provision: { displayName: sub } },
    ],
  ])('may be one user by %s', (_name, one, other) => {
    expect(warned(one, other)).toEqual(['partners']);
    expect(warned(one, { ...other, accept: ['issuers-may-meet', 'names-may-collide'] })).toEqual([]);
  });

  it.each<[string, object, object]>([
    ['texts of their own', { user: from('own.') }, { user: from('partner.') }],
    ['lists without a common name', { user: { claim: 'a', table: 'users' } }, { user: { claim: 'b', allow: ['cy'] } }],
    [
      'one issuer',
      { user: sub },
      { user: sub, issuer: 'https://own.example', when: { claim: 'tenant', equals: 'globex' } },
    ],
    ['a rule that only reports', { user: sub }, { user: sub, mode: 'audit' }],
    ['a service account', { user: sub }, { user: { serviceAccount: 'svc' } }],
  ])('are apart by %s', (_name, one, other) => {
    expect(warned(one, other)).toEqual([]);
  });
});

function ofOne(claim: string): [string] {
  return [claim];
}
