import fc from 'fast-check';
import { makeGetAdministered, withinOrg } from '../../../functions/broker/administrators.ts';
import { Failure } from '../../../functions/broker/failure.ts';
import type { Decision } from '../../../functions/broker/ports.ts';
import type { RevokeSelection, ShutOut } from '../../../functions/broker/use-cases.ts';
import { decide } from '../../../functions/policy/decide.ts';
import { makeWorld } from '../../support/broker-world.ts';
import { callerWith, compilePolicy, FACTS, NOW, policyWith, rule, runs } from '../../support/policy-documents.ts';

const org = fc.integer({ min: 0, max: 3 });
const names = fc.array(fc.constantFrom('ann', 'bob', 'ann~abcdefghijklmnop'), { maxLength: 2 });
const subjects = fc.array(fc.constant({ issuer: 'i', subject: 's' }), { maxLength: 1 });
const selection: fc.Arbitrary<RevokeSelection> = fc.oneof(
  fc.record({
    kind: fc.constant('user' as const),
    userNames: names,
    orgId: fc.option(org, { nil: undefined }),
    subjects,
  }),
  fc.record({ kind: fc.constant('org' as const), orgId: org }),
  fc.constantFrom<RevokeSelection>(
    { kind: 'mine' },
    { kind: 'all' },
    { kind: 'lease', leaseId: 'x' },
    { kind: 'token', token: 'x' },
    { kind: 'rule', rule: 'x' },
    { kind: 'policy', policyVersion: 'x' },
    { kind: 'session', issuer: 'i', session: 's' },
  ),
);
const how: fc.Arbitrary<ShutOut> = fc.record(
  { kind: fc.constantFrom('sign-out' as const, 'suspend' as const), endShared: fc.boolean() },
  { requiredKeys: [] },
);

test('whatever an administrator asks is about users in the own org, or about that org without a suspension, or is refused', () => {
  let taken = 0;
  fc.assert(
    fc.property(selection, how, org, (asked, shutOut, own) => {
      try {
        const within = withinOrg(asked, shutOut, own);
        expect(within).toHaveProperty('orgId', own);
        expect(shutOut.endShared ?? false).toBe(false);
        if (within.kind === 'org') expect(shutOut.kind).not.toBe('suspend');
        // Subjects are people in every org.
        else expect(within).toEqual({ kind: 'user', userNames: expect.any(Array) as string[], orgId: own });
        taken += 1;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        expect(error.code).toBe('insufficient-scope');
      }
    }),
    runs(1_000, 100_000),
  );
  expect(taken).toBeGreaterThan(20);
});

describe('the org of an administrator', () => {
  const acme = { claim: 'tenant', equals: 'acme' };
  const boss = {
    ...rule,
    name: 'boss',
    administers: 'own-org',
    when: { all: [acme, { claim: 'roles', contains: 'boss' }] },
  };
  const askWith = (rules: object[], claims: object) => {
    const policy = compilePolicy({ ...policyWith({}), rules });
    const world = makeWorld({ start: NOW });
    const administered = makeGetAdministered({
      ...{ ledger: world.ledger, clock: world.clock, signals: { emit() {} }, audit: { record() {} } },
      decide: (caller, request): Decision => decide(policy, caller, request, FACTS),
    });
    return administered(callerWith({ tenant: 'acme', name: 'ann', ...claims }), NOW + 10_000);
  };
  const refused = { code: 'insufficient-scope' };

  test('is the one that the rule gives', async () => {
    expect(await askWith([boss, rule], { roles: ['boss'] })).toMatchObject({ orgId: 1 });
  });

  test.each<[string, object[], object]>([
    ['of a rule that says nothing of it', [boss, rule], { roles: ['viewer'] }],
    ['of a rule that only would decide', [{ ...boss, mode: 'audit' }, rule], { roles: ['boss'] }],
    ['where an earlier rule decides', [{ ...rule, when: { claim: 'name', equals: 'ann' } }, boss], { roles: ['boss'] }],
    ['whose claim of roles is held back', [boss, rule], { roles: ['boss'], _claim_names: { roles: 'src1' } }],
    ['who gets no token', [boss], { roles: ['boss'], name: 'tsadmin' }],
    ['whom no rule knows', [boss], { tenant: 'globex', roles: ['boss'] }],
    [
      'whose sign-in is too old for the rule',
      [{ ...boss, when: { all: [boss.when, { claim: 'auth_time', withinSeconds: 60 }] } }, rule],
      { roles: ['boss'], auth_time: NOW / 1_000 - 3_600 },
    ],
  ])('is none for a caller %s', async (_name, rules, claims) => {
    await expect(askWith(rules, claims)).rejects.toMatchObject(refused);
  });

  test('is none of a service account: the policy is refused', () => {
    const shared = { ...boss, user: { serviceAccount: 'svc' } };
    expect(() => compilePolicy({ ...policyWith({}), rules: [shared] })).toThrow(/administers.*needs a person/);
  });
});
