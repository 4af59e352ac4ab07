import { mismatches } from '../../../functions/broker/mint.ts';
import type { Grant, MintedToken } from '../../../functions/broker/ports.ts';

const SETTINGS = { repliesWithoutScope: false, lifetimeToleranceMs: 5_000 };
const OBJECT = '11111111-AAAA-4bbb-8ccc-000000000001';
const full = { user: 'ann', orgId: 7, validitySeconds: 300, rights: { kind: 'full' } } as Grant;
const object = { ...full, rights: { kind: 'object', objectId: OBJECT } } as Grant;
const reply: MintedToken = {
  token: 't',
  userName: 'ann',
  orgId: 7,
  kind: 'full',
  lifetimeMs: 300_000,
  longestLifetimeMs: 300_000,
  tokenType: 'Bearer',
};
const { orgId: _orgId, kind: _kind, ...terse } = reply;
const ofObject = { ...reply, kind: 'object', objectId: OBJECT } as const;

test.each<[string, Grant, MintedToken, readonly string[]]>([
  ['what was asked for', full, reply, []],
  ['the name in another case', full, { ...reply, userName: 'ANN' }, []],
  ['an object that the grant does not name', full, { ...reply, objectId: 'x' }, []],
  ['the object in another case', object, { ...ofObject, objectId: OBJECT.toLowerCase() }, []],
  ['just the longest life', full, { ...reply, lifetimeMs: 305_000 }, []],
  ['another user', full, { ...reply, userName: 'anna' }, ['it is for another user']],
  ['another org', full, { ...reply, orgId: 0 }, ['it is for another organisation']],
  ['another kind', full, { ...reply, kind: 'custom' }, ['it is of another kind']],
  ['another object', object, { ...ofObject, objectId: 'x' }, ['it is for another object']],
  [
    'no word of org and kind',
    full,
    terse,
    ['it does not say whether it is for another organisation', 'it does not say whether it is of another kind'],
  ],
  ['no word of the object', object, { ...reply, kind: 'object' }, ['it does not say whether it is for another object']],
  ['no life', full, { ...reply, lifetimeMs: 0 }, ['it has no life left']],
  ['a life that is no number', full, { ...reply, lifetimeMs: Number.NaN }, ['it has no life left']],
  ['a longer life', full, { ...reply, lifetimeMs: 305_001 }, ['it lives longer than was asked']],
  [
    'nothing right',
    full,
    { ...reply, userName: 'bob', orgId: 1, kind: 'object', lifetimeMs: 1e9 },
    [
      'it is for another user',
      'it is for another organisation',
      'it is of another kind',
      'it lives longer than was asked',
    ],
  ],
])('a reply with %s', (_name, grant, minted, wrong) => {
  expect(mismatches(grant, minted, SETTINGS)).toEqual(wrong);
});

test.each<[string, Grant, MintedToken, readonly string[]]>([
  ['no word of org and kind', full, terse, []],
  ['no word of the object', object, { ...reply, kind: 'object' }, []],
  ['another org, and no word of the kind', full, { ...terse, orgId: 0 }, ['it is for another organisation']],
  ['another kind, and no word of the org', full, { ...terse, kind: 'object' }, ['it is of another kind']],
  ['another user', full, { ...terse, userName: 'anna' }, ['it is for another user']],
])('where replies are without a scope, a reply with %s', (_name, grant, minted, wrong) => {
  expect(mismatches(grant, minted, { ...SETTINGS, repliesWithoutScope: true })).toEqual(wrong);
});
