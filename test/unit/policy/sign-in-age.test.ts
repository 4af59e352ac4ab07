/** Conditions on the age of the sign-in: who is told to sign in again, and who only that they may not. */
import { makeGetToken } from '../../../functions/broker/get-token.ts';
import type { Claims, TokenRequest } from '../../../functions/broker/ports.ts';
import { decide, usersOf } from '../../../functions/policy/decide.ts';
import { makeEntitlements } from '../../../functions/policy/entitlements.ts';
import { checkPolicy } from '../../../infra/policy/check.ts';
import { makeWorld, TIMEOUT_MS } from '../../support/broker-world.ts';
import {
  callerWith,
  compilePolicy,
  FACTS,
  fullGrant,
  NOW,
  policyWith,
  rule,
  sha256,
} from '../../support/policy-documents.ts';

const acme = { claim: 'tenant', equals: 'acme' };
const within = (withinSeconds: number) => ({ claim: 'auth_time', withinSeconds });
const recent = policyWith({ when: { all: [acme, within(3_600)] } });
const alice = (secondsAgo: unknown): Claims => ({
  tenant: 'acme',
  name: 'alice',
  auth_time: typeof secondsAgo === 'number' ? NOW / 1_000 - secondsAgo : (secondsAgo as string),
});

function answer(document: object, claims: Claims, request: TokenRequest = {}, now = NOW) {
  const decision = decide(compilePolicy(document), callerWith(claims), request, { ...FACTS, now });
  return decision.allowed ? decision.grant.rule : [decision.code, decision.maxAge];
}

it.each<[string, unknown, unknown]>([
  ['just now', 0, 'members'],
  ['an hour ago', 3_600, 'members'],
  ['an hour ago by a clock 5 s behind', 3_605, 'members'],
  ['by a clock 5 s ahead', -5, 'members'],
  ['a moment too long ago', 3_606, ['sign-in-again', 3_600]],
  ['in 1970', NOW / 1_000, ['sign-in-again', 3_600]],
  ['with a fraction of a second', 3_605.5, ['sign-in-again', 3_600]],
  ['in the future', -6, ['not-entitled', undefined]],
  ['at a time in milliseconds', NOW / 1_000 - NOW, ['not-entitled', undefined]],
  ['at a time that is a text', String(NOW / 1_000), ['not-entitled', undefined]],
  ['at a time that is a date', '2027-01-15T08:00:00Z', ['not-entitled', undefined]],
])('who signed in %s', (_, secondsAgo, expected) => {
  expect(answer(recent, alice(secondsAgo))).toEqual(expected);
});

it('who has no time of sign-in is refused: signing in again may not give one', () => {
  expect(answer(recent, { tenant: 'acme', name: 'alice' })).toEqual(['not-entitled', undefined]);
});

it('who would not be let in after a new sign-in either is refused', () => {
  expect(answer(recent, { ...alice(4_000), tenant: 'globex' })).toEqual(['not-entitled', undefined]);
  expect(answer(recent, { ...alice(4_000), name: 'tsadmin' })).toEqual(['not-entitled', undefined]);
  expect(answer(recent, alice(4_000), { grant: 'other' })).toEqual(['not-entitled', undefined]);
  expect(answer(recent, alice(4_000), { validitySeconds: 1 })).toEqual(['not-entitled', undefined]);
});

describe('of several rules', () => {
  const admins = { ...rule, name: 'admins', when: { all: [within(60), { claim: 'roles', contains: 'admin' }] } };
  const all = { ...recent, rules: [admins, { ...rule, when: { all: [acme, within(3_600)] } }] };
  const old = { ...rule, name: 'old', when: { all: [acme, { not: within(3_600) }] } };

  it('the one that would give the token says how old the sign-in may be', () => {
    expect(answer(all, { ...alice(4_000), roles: ['viewer'] })).toEqual(['sign-in-again', 3_600]);
    expect(answer(all, { ...alice(4_000), roles: ['admin'] })).toEqual(['sign-in-again', 60]);
    expect(answer(all, { ...alice(100), roles: ['admin'] })).toBe('members');
  });

  it('one that asks twice asks for the younger, and what is told has no word of a claim', () => {
    const twice = policyWith({ when: { all: [acme, within(3_600), within(600)] } });
    expect(answer(twice, alice(4_000))).toEqual(['sign-in-again', 600]);
    expect(decide(compilePolicy(all), callerWith(alice(4_000)), {}, FACTS)).toMatchObject({
      errors: [],
      reasons: [
        'rule "admins" does not match: claim "auth_time" (number) is not recent enough, or no time',
        'rule "members" does not match: claim "auth_time" (number) is not recent enough, or no time',
        'no rule decides',
        'rule "members" would allow it after a new sign-in',
      ],
    });
  });

  it('a later one that asks for less decides, unless the request asks for what only the first has', () => {
    const extra = { ...admins, grants: [{ ...fullGrant, name: 'extra' }] };
    const both = { ...recent, rules: [extra, rule] };
    const admin = { ...alice(4_000), roles: ['admin'] };
    expect(answer(both, admin)).toBe('members');
    expect(answer(both, admin, { grant: 'extra' })).toEqual(['sign-in-again', 60]);
  });

  it('one for old sign-ins holds for them alone, and counts as the others do', () => {
    const both = { ...recent, rules: [old, { ...rule, name: 'rest', when: { claim: 'roles', contains: 'x' } }] };
    expect(answer(both, alice(4_000))).toBe('old');
    expect(answer(both, alice(10))).toEqual(['not-entitled', undefined]);
    expect(answer(both, { ...alice(4_000), roles: ['x'] }, { grant: 'none' })).toEqual(['not-entitled', undefined]);
    const named = {
      ...recent,
      rules: [
        { ...old, grants: [{ ...fullGrant, name: 'one' }] },
        { ...rule, when: acme },
      ],
    };
    expect(answer(named, alice(4_000), { grant: 'full' })).toEqual(['sign-in-again', 3_600]);
  });
});

it('a lease is served for as long as the sign-in is recent, and to a newer sign-in again', async () => {
  const { ledger, issuer, clock, audit } = makeWorld({ start: NOW });
  const { text, digest } = checkPolicy(policyWith({ when: { all: [acme, within(100)] } }));
  const getToken = makeGetToken({
    ...{ ledger, issuer, clock, randomness: () => 0.5 },
    ...{ signals: { emit() {} }, log: { info() {}, warn() {}, error() {} } },
    audit: { record: (event) => void audit.push(event) },
    ...makeEntitlements({ text, digest, host: 'https://ts.example', sha256 }),
  });
  const ask = (secondsAgo: number) => getToken(callerWith(alice(secondsAgo)), {}, clock.now() + TIMEOUT_MS);
  const minted = await ask(0);
  expect(await ask(0)).toMatchObject({ reused: true, token: minted.token });
  await expect(ask(106)).rejects.toMatchObject({ code: 'sign-in-again', maxAge: 100 });
  expect(audit.at(-1)).toMatchObject({ action: 'deny', code: 'sign-in-again', rule: 'members' });
  expect(await ask(1)).toMatchObject({ reused: true, token: minted.token });
});

it("a caller's own leases are found however long ago the sign-in was", () => {
  const policy = compilePolicy({
    ...recent,
    rules: [
      { ...rule, when: { all: [acme, within(60)] } },
      { ...rule, name: 'old', user: { claim: 'other' }, when: { not: within(60) } },
    ],
  });
  for (const secondsAgo of [0, 4_000]) {
    expect(usersOf(policy, callerWith({ ...alice(secondsAgo), other: 'al' }))).toEqual(['alice', 'al']);
  }
});
