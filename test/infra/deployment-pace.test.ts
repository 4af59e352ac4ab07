/** A deployment that changes what is granted, where that stays on ThoughtSpot users, goes all at once (docs/adr/0029). */
import type { DeployedStack } from '../../infra/deployed-stack.ts';
import { entitlementsOf, paceOf } from '../../infra/deployment-pace.ts';
import { cdkArguments, parseRequest } from '../../infra/commands.ts';
import { checkPolicy } from '../../infra/policy/check.ts';
import { policyWith, regionalGrant } from '../support/policy-documents.ts';

const persisting = { grants: [regionalGrant] };
const of = (changes: object, also: object = {}) => entitlementsOf(checkPolicy(policyWith(changes, also)));
const stackWith = (outputs: Record<string, string>) => (): Promise<DeployedStack> =>
  Promise.resolve({ status: 'UPDATE_COMPLETE', outputs });
const pace = (next: string, deployed: Parameters<typeof paceOf>[2], deployment: 'canary' | 'all-at-once' = 'canary') =>
  paceOf({ deployment }, next, deployed);

test.each<[string, object, object?]>([
  [
    'another value',
    {
      grants: [{ ...regionalGrant, variables: [{ name: 'region_var', values: { claim: 'region', allow: ['emea'] } }] }],
    },
  ],
  ['another condition', { ...persisting, when: { claim: 'tenant', equals: 'globex' } }],
  ['another user', { ...persisting, user: { claim: 'sub' } }],
  ['another line in a table', persisting, { tables: { orgs: { acme: 1, globex: 3 } } }],
  ['nothing that stays', {}],
])('a policy with %s has other entitlements', (_name, changes, also = {}) => {
  expect(of(changes, also)).not.toBe(of(persisting));
});

test.each<[string, object]>([
  ['limits', { limits: { caller: { mintsPerMinute: 5 } } }],
  ['a description', { description: 'of something else' }],
  ['a refuse list', { refuse: ['svc'] }],
])('a policy with other %s has the same', (_name, also) => {
  expect(of(persisting, also)).toBe(of(persisting));
});

test('a policy that leaves nothing on users has none, whatever it grants', () => {
  expect([of({}), of({ when: { claim: 'tenant', equals: 'globex' } })]).toEqual(['none', 'none']);
});

test.each<[string, string, Parameters<typeof paceOf>[2], string, RegExp?]>([
  ['changes nothing of it', 'a', stackWith({ Entitlements: 'a' }), 'canary'],
  ['leaves nothing, as before', 'none', stackWith({ Entitlements: 'none' }), 'canary'],
  ['is the first', 'a', () => Promise.resolve(undefined), 'canary'],
  ['changes it', 'b', stackWith({ Entitlements: 'a' }), 'all-at-once', /^it changes what is granted/],
  ['leaves nothing any more', 'none', stackWith({ Entitlements: 'a' }), 'all-at-once', /^it changes/],
  ['comes after one that did not say', 'a', stackWith({}), 'all-at-once', /the stack does not say/],
  [
    'finds a stack that nobody can read',
    'a',
    () => Promise.reject(new Error('AccessDenied')),
    'all-at-once',
    /AccessDenied/,
  ],
])('a deployment that %s goes at its pace', async (_name, next, deployed, expected, because = /^undefined$/) => {
  const found = await pace(next, deployed);
  expect(found.pace).toBe(expected);
  expect(String(found.because)).toMatch(because);
});

test('an environment that always deploys all at once asks nobody', async () => {
  const asked = () => Promise.reject(new Error('was asked'));
  expect(await pace('a', asked, 'all-at-once')).toEqual({ pace: 'all-at-once' });
});

test('cdk is told the pace of this deployment, whatever the one before had', () => {
  const request = parseRequest(['deploy', 'dev'], { AWS_REGION: 'eu-central-1' });
  expect(cdkArguments(request, { pace: 'canary' })).toEqual(
    expect.arrayContaining(['--parameters', 'Pace=CodeDeployDefault.LambdaCanary10Percent5Minutes']),
  );
  expect(cdkArguments(request, { pace: 'all-at-once' })).toContain('Pace=CodeDeployDefault.LambdaAllAtOnce');
});
