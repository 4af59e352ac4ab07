import { checkPolicy } from '../../../infra/policy/check.ts';
import { lintPolicy } from '../../../infra/policy/lint.ts';
import { policyWith, rule, validity } from '../../support/policy-documents.ts';

function warningsOf(changes: object): string[] {
  const checked = checkPolicy(policyWith({ user: { claim: 'sub' }, ...changes }));
  return lintPolicy(checked).map(({ rule: name, name: warning }) => `${name}: ${warning}`);
}
const custom = (more: object) => ({ grants: [{ name: 'cut', kind: 'custom', persist: 'REPLACE', validity, ...more }] });
const verified = { all: [rule.when, { claim: 'email_verified', equals: true }] };

describe('a warning', () => {
  it.each<[string, object]>([
    ['matches-anyone', { when: 'always' }],
    ['matches-anyone', { when: { not: { claim: 'a', equals: 'b' } } }],
    ['unverified-email', { user: { claim: 'email' } }],
    ['unverified-email', { user: { claim: 'https://app/email', pattern: '^[a-z]+$' } }],
    ['unverified-email', { user: { template: 'x-{e}', parts: { e: { claim: 'email' } } } }],
    [
      'unverified-email',
      { user: { claim: 'email' }, when: { all: [rule.when, { claim: 'email_verified', equals: 'true' }] } },
    ],
    ['names-may-collide', { user: { claim: 'name' } }],
    ['any-object', { grants: [{ name: 'one', kind: 'object', objects: 'any', validity }] }],
    ['append-accumulates', custom({ persist: 'APPEND', groups: ['a'] })],
    ['being-retired', custom({ filters: [{ column: 'a', operator: 'EQ', values: ['b'] }] })],
    ['being-retired', custom({ parameters: [{ name: 'a', values: ['b'] }] })],
  ])('%s is given for %j, unless the rule accepts it', (name, changes) => {
    expect(warningsOf(changes)).toEqual([`members: ${name}`]);
    expect(warningsOf({ ...changes, accept: [name] })).toEqual([]);
  });

  it.each<[string, object]>([
    ['a subject under a tenant', {}],
    ['an address that has to be verified', { user: { claim: 'email' }, when: verified }],
    ['a name in an org that is fixed', { user: { claim: 'name' }, org: 1 }],
    [
      'a template that begins with the tenant',
      { user: { template: '{t}/{n}', parts: { t: { claim: 'tenant', allow: ['acme'] }, n: { claim: 'name' } } } },
    ],
    ['a service account', { user: { serviceAccount: 'svc' } }],
    ['variables that replace', custom({ variables: [{ name: 'v', values: ['a'] }] })],
  ])('is not given for %s', (_, changes) => {
    expect(warningsOf(changes)).toEqual([]);
  });

  it('is given for accepting what does not occur', () => {
    expect(warningsOf({ accept: ['any-object'] })).toEqual(['members: nothing-to-accept']);
  });
});
