import { type IssuerSettings, longestSecondsOf, parseIssuers } from '../../../functions/identity/issuers.ts';

const OURS: IssuerSettings = {
  url: 'https://issuer.example',
  audiences: ['broker'],
  scopes: { token: 'broker:token', revoke: 'broker:revoke' },
  algorithms: ['RS256'],
};
const PARTNER: IssuerSettings = { ...OURS, name: 'partner', url: 'https://partner.example/' };
const parsed = (...issuers: readonly unknown[]) => parseIssuers(JSON.stringify(issuers));

test.each<[string, readonly IssuerSettings[]]>([
  ['one', [OURS]],
  ['two', [OURS, PARTNER]],
  ['three', [OURS, PARTNER, { ...PARTNER, name: 'other', url: 'https://other.example' }]],
  ['one on this machine', [{ ...OURS, url: 'http://localhost:9400' }]],
  ['one without a scope for callers', [{ ...OURS, scopes: { token: 'none' } }]],
  ['one with the shortest life of tokens', [{ ...OURS, longestTokenSeconds: 60 }]],
  ['one with the longest', [{ ...OURS, longestTokenSeconds: 604_800 }]],
  ['one that says who has signed out', [{ ...OURS, sessionClaim: 'sid', logoutClients: ['app'], logoutType: 'JWT' }]],
])('issuers are read as they are written: %s', (_name, issuers) => {
  expect(parsed(...issuers)).toEqual(issuers);
});

test.each<[string, readonly unknown[]]>([
  ['none', []],
  ['a first one with a name', [PARTNER]],
  ['a second one without a name', [OURS, { ...OURS, url: 'https://other.example' }]],
  ['a name twice', [OURS, PARTNER, { ...PARTNER, url: 'https://other.example' }]],
  ['an address twice', [OURS, { ...PARTNER, url: OURS.url }]],
  ['two addresses that differ in a slash', [OURS, { ...PARTNER, url: `${OURS.url}/` }]],
  ['an address that is not secure', [{ ...OURS, url: 'http://issuer.example' }]],
  ['keys at an address that is not secure', [{ ...OURS, jwksUri: 'http://issuer.example/keys' }]],
  ['no audience', [{ ...OURS, audiences: [] }]],
  ['an empty audience', [{ ...OURS, audiences: [''] }]],
  ['no algorithm', [{ ...OURS, algorithms: [] }]],
  ['an algorithm with a shared key', [{ ...OURS, algorithms: ['HS256'] }]],
  ['operators without a scope', [{ ...OURS, scopes: { token: 'broker:token', revoke: 'none' } }]],
  ['a scope with a space', [{ ...OURS, scopes: { token: 'broker token' } }]],
  ['a life of tokens under a minute', [{ ...OURS, longestTokenSeconds: 59 }]],
  ['a life of tokens over a week', [{ ...OURS, longestTokenSeconds: 604_801 }]],
  ['a list of clients with nobody in it', [{ ...OURS, logoutClients: [] }]],
  ['another type of logout tokens', [{ ...OURS, logoutType: 'jwt' }]],
  ['a setting that nobody knows', [{ ...OURS, audience: 'broker' }]],
])('issuers are not read at all with %s', (_name, issuers) => {
  expect(parsed(...issuers)).toBeUndefined();
});

test.each([['no JSON'], ['{}'], ['null'], ['']])('issuers are not read from %j', (text) => {
  expect(parseIssuers(text)).toBeUndefined();
});

test('tokens of an issuer live a day at most, unless it says otherwise', () => {
  expect([OURS, { ...OURS, longestTokenSeconds: 300 }].map(longestSecondsOf)).toEqual([86_400, 300]);
});
