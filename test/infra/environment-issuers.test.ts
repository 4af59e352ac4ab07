import { EnvironmentError, parseEnvironment } from '../../infra/environments/environment.ts';
import prod from '../../infra/environments/prod.ts';
import { warningsOf } from '../../infra/environment-policy.ts';
import { checkPolicy } from '../../infra/policy/check.ts';
import { policyWith } from '../support/policy-documents.ts';

const target = { account: '111122223333', region: 'eu-central-1' };
const [issuer] = prod.issuers;
const checked = checkPolicy(policyWith({}));
const another = (name: string | undefined) => ({ ...issuer, name, url: 'https://login.partner.example/' });

function faultsOf(issuers: readonly unknown[]): readonly string[] {
  try {
    parseEnvironment('prod', { ...prod, issuers }, target);
    return [];
  } catch (error) {
    if (error instanceof EnvironmentError) return error.faults;
    throw error;
  }
}

test.each([1, 2, 10])('an environment may have %d issuers', (count) => {
  const others = Array.from({ length: count - 1 }, (_, at) => ({ ...another(`i${at}`), url: `https://${at}.example` }));
  expect(faultsOf([issuer, ...others])).toEqual([]);
});

test.each([undefined, 'partner'])('an issuer may have no operators: %s', (name) => {
  const own = { ...issuer, scopes: { token: 'broker:token' } };
  expect(faultsOf(name === undefined ? [own] : [issuer, { ...another(name), scopes: own.scopes }])).toEqual([]);
});

test.each([
  [{ token: 'broker:token' }, 0],
  [{ token: 'broker:token', revoke: 'broker:revoke' }, 1],
])('a further issuer with the scopes %j is warned of %d times', (scopes, count) => {
  const environment = parseEnvironment(
    'prod',
    { ...prod, issuers: [issuer, { ...another('partner'), scopes }] },
    target,
  );
  expect(warningsOf(environment, checked).filter(([id]) => id === 'operators-of-partner')).toHaveLength(count);
});

test.each<[string, readonly unknown[], string]>([
  [
    "an operators' scope that everybody has",
    [{ ...issuer, scopes: { token: 'x', revoke: 'none' } }],
    'issuers.0.scopes.revoke: operators always need a scope',
  ],
  ['no issuer', [], 'issuers: list at least one issuer'],
  ['the only issuer with a name', [{ ...issuer, name: 'own' }], 'issuers.0.name: must be left out'],
  ['a second issuer without a name', [issuer, another(undefined)], 'issuers.1.name: is missing'],
  ['a name that is no part of a path', [issuer, another('a/b')], 'issuers.1.name: use 1 to 32'],
  ['a name in upper case', [issuer, another('Partner')], 'issuers.1.name: use 1 to 32'],
  [
    'a name twice',
    [issuer, another('partner'), { ...another('partner'), url: 'https://third.example/' }],

    'issuers.2.name: is that of another issuer',
  ],
  [
    'an issuer twice, but for a slash',
    [issuer, { ...issuer, name: 'partner', url: 'https://login.example.com' }],

    'issuers.1.url: is that of another issuer',
  ],
  [
    'more issuers than API Gateway takes',
    [issuer, ...Array.from({ length: 10 }, (_, at) => ({ ...another(`i${at}`), url: `https://${at}.example` }))],
    'issuers: API Gateway has room for 10',
  ],
  [
    'more of issuers than fits into the environment of a function',
    [{ ...issuer, audiences: Array.from({ length: 49 }, (_, at) => `${'a'.repeat(64)}${at}`) }],

    'issuers: have 3',
  ],
])('%s is a fault, and the only one', (_name, issuers, fault) => {
  expect(faultsOf(issuers)).toEqual([expect.stringContaining(fault)]);
});
