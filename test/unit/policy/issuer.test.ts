/** A rule for callers of one issuer, whatever the claims of another say. */
import * as fc from 'fast-check';
import { checkPolicy, checkPolicyText } from '../../../infra/policy/check.ts';
import { casesIn, runCases } from '../../../infra/policy/cases.ts';
import { explain } from '../../../infra/policy/explain.ts';
import { PolicyError } from '../../../infra/policy/policy-error.ts';
import { decide, usersOf } from '../../../functions/policy/decide.ts';
import type { ClaimValue } from '../../../functions/broker/ports.ts';
import { sha256 } from '../../../functions/wiring/system.ts';

const STAFF = 'https://login.example/';
const PARTNER = 'https://partner.example/';
const facts = { host: 'https://ts.example', now: 1_700_000_000_000, sha256 };

const rule = (name: string, changes: object) => ({
  name,
  when: { claim: 'tenant', equals: 'acme' },
  user: { claim: 'name' },
  org: 1,
  grants: [
    {
      name: 'full',
      kind: 'full',
      validity: { defaultSeconds: 300, minSeconds: 60, maxSeconds: 600 },
      reuse: { minLifeLeftSeconds: 60 },
    },
  ],
  ...changes,
});
const documentOf = (...rules: readonly object[]) => ({ version: 1, rules });
const both = documentOf(rule('staff', { issuer: STAFF, org: 1 }), rule('partner', { issuer: PARTNER, org: 2 }));

function faultsOf(document: object, issuers?: readonly string[]): readonly string[] {
  try {
    checkPolicyText(JSON.stringify(document), issuers);
    return [];
  } catch (error) {
    if (error instanceof PolicyError) return error.faults.map(({ path, problem }) => `${path} ${problem}`);
    throw error;
  }
}

const json: fc.Arbitrary<ClaimValue> = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<ClaimValue>;
const claims = fc.record({
  iss: fc.constantFrom(STAFF, PARTNER, 'https://evil.example/'),
  sub: fc.string(),
  tenant: fc.oneof(fc.constant<ClaimValue>('acme'), json),
  name: fc.oneof(fc.constant<ClaimValue>('alice'), json),
});

test('no claims of one issuer satisfy a rule for another, not even a claim `iss`', () => {
  const { policy } = checkPolicy(both, [STAFF, PARTNER]);
  fc.assert(
    fc.property(claims, fc.constantFrom(STAFF, PARTNER, 'https://evil.example/'), (claims, issuer) => {
      const times = { issuedAt: facts.now, expiresAt: facts.now + 3_600_000 };
      const caller = { issuer, subject: 's', claims, ...times, scopes: ['token'] as const };
      const decision = decide(policy, caller, {}, facts);
      const orgs: Readonly<Record<string, number>> = { [STAFF]: 1, [PARTNER]: 2 };
      if (decision.allowed) expect(decision.grant.orgId).toBe(orgs[issuer]);
      if (!(issuer in orgs)) expect(usersOf(policy, caller)).toEqual([]);
    }),
  );
});

test('the same claims get what the rule for their issuer gives', () => {
  const { policy } = checkPolicy(both, [STAFF, PARTNER]);
  for (const [issuer, name] of [
    [STAFF, 'staff'],
    [PARTNER, 'partner'],
  ] as const) {
    const { decision, rules } = explain(policy, { issuer, claims: { tenant: 'acme', name: 'alice' } });
    expect(decision).toMatchObject({ allowed: true, grant: { rule: name } });
    if (name === 'partner')
      expect(rules[0]).toMatchObject({ holds: false, why: 'it is for callers of another issuer' });
  }
});

test('with several issuers every rule names one that the environment has', () => {
  expect(faultsOf(both, [STAFF, PARTNER])).toEqual([]);
  const open = documentOf(
    rule('staff', { issuer: STAFF }),
    rule('all', { when: { claim: 'tenant', equals: 'globex' } }),
  );
  expect(faultsOf(open, [STAFF, PARTNER])).toEqual([
    `rules[1].issuer is missing: the environment has several issuers; it must be one of ${STAFF}, ${PARTNER}`,
  ]);
  expect(faultsOf(both, [STAFF])).toEqual([`rules[1].issuer must be ${STAFF}, found "${PARTNER}"`]);
});

test('with one issuer a rule may leave it out', () => {
  expect(faultsOf(documentOf(rule('all', {})), [STAFF])).toEqual([]);
  expect(faultsOf(documentOf(rule('all', { issuer: STAFF })), [STAFF])).toEqual([]);
});

test('a rule is reached by callers whom no earlier rule of their issuer takes', () => {
  expect(faultsOf(documentOf(rule('first', {}), rule('second', { issuer: PARTNER })))).toEqual([
    expect.stringContaining('is never reached: rule "first"'),
  ]);
  expect(faultsOf(documentOf(rule('first', { issuer: STAFF }), rule('second', { issuer: STAFF })))).toHaveLength(1);
  expect(faultsOf(documentOf(rule('first', { issuer: STAFF }), rule('second', {})))).toEqual([]);
});

test('a case names the issuer of its caller, or has it in its claims', () => {
  const claims = { tenant: 'acme', name: 'alice' };
  const grant = { name: 'full', user: 'alice', rights: { kind: 'full' }, validitySeconds: 300 };
  const cases = [
    { name: 'staff', issuer: STAFF, claims, expect: { ...grant, rule: 'staff', orgId: 1 } },
    { name: 'partner', claims: { ...claims, iss: PARTNER }, expect: { ...grant, rule: 'partner', orgId: 2 } },
    { name: 'a stranger', claims, expect: { refused: 'not-entitled' } },
  ];
  const { results, untestedRules } = runCases(checkPolicy(both).policy, casesIn(JSON.stringify({ cases })));
  expect(results.flatMap(({ differences }) => differences)).toEqual([]);
  expect(untestedRules).toEqual([]);
});
