import fc from 'fast-check';
import { personOf } from '../../../functions/broker/lease.ts';
import type { ClaimValue, Decision } from '../../../functions/broker/ports.ts';
import { decide, type Policy, usersOf } from '../../../functions/policy/decide.ts';
import { PolicyError } from '../../../infra/policy/policy-error.ts';
import {
  callerWith,
  claims,
  compilePolicy,
  FACTS,
  NOW,
  policyDocument,
  request,
  runs,
} from '../../support/policy-documents.ts';
import { verdictOf } from '../../support/policy-oracle.ts';

const often = runs(500, 20_000);
const secondsLeft = fc.oneof(fc.constant(3_600), fc.integer({ min: -10, max: 2_000 }));

/** Discards documents that the compiler refuses, as it does where a rule is never reached. */
function compiled(document: object): Policy {
  try {
    return compilePolicy(document);
  } catch (error) {
    fc.pre(!(error instanceof PolicyError));
    throw error;
  }
}

function verdict(decision: Decision) {
  if (!decision.allowed) {
    const { code, rule, maxAge } = decision;
    return { code, ...(rule !== undefined && { rule }), ...(maxAge !== undefined && { maxAge }) };
  }
  const { rule, user, orgId, rights, validitySeconds } = decision.grant;
  return { code: 'granted', rule, user: user.replace(/~[a-z2-7]{16}$/, '~'), orgId, rights, validitySeconds };
}

describe('a decision', () => {
  it('is what the document says, by a second reading of it', () => {
    fc.assert(
      fc.property(policyDocument, claims, request, secondsLeft, (document, callersClaims, wishes, left) => {
        const decision = decide(compiled(document), callerWith(callersClaims, left), wishes, FACTS);
        const expected = verdictOf(document, callersClaims, wishes, left, NOW);
        expect(verdict(decision)).toEqual(expected);
      }),
      often,
    );
  });

  it('is of every kind in the documents and requests that these tests make up', () => {
    const made = fc.sample(fc.tuple(policyDocument, claims, request, secondsLeft), { numRuns: 1_000, seed: 7 });
    const codes = made.map((one) => verdictOf(...one, NOW).code);
    for (const code of ['granted', 'not-entitled', 'invalid-request', 'sign-in-again'] as const) {
      expect(codes.filter((each) => each === code).length).toBeGreaterThan(5);
    }
  });

  it('takes user, org and rights from nothing that a request can hold', () => {
    fc.assert(
      fc.property(
        policyDocument,
        claims,
        request,
        fc.dictionary(hostile, hostileValue),
        (document, held, wishes, extra) => {
          const policy = compiled(document);
          const caller = callerWith(held);
          const plain = decide(policy, caller, wishes, FACTS);
          expect(decide(policy, caller, { ...extra, ...wishes }, FACTS)).toEqual(plain);
          if (!plain.allowed) return;
          const offers = policy.rules.find(({ name }) => name === plain.grant.rule)?.grants ?? [];
          expect(offers.map(({ name }) => name)).toContain(plain.grant.name);
          const users = offers.flatMap(({ name }) => {
            const other = decide(policy, caller, { grant: name }, FACTS);
            return other.allowed ? [`${personOf(other.grant.user)} ${other.grant.orgId}`] : [];
          });
          for (const user of users) expect(user).toBe(`${personOf(plain.grant.user)} ${plain.grant.orgId}`);
        },
      ),
      often,
    );
  });

  it('does not change with claims that the policy does not name', () => {
    const unknown = fc.dictionary(
      fc.string({ minLength: 1 }).map((name) => `unknown ${name}`),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(policyDocument, claims, request, unknown, (document, held, wishes, more) => {
        const policy = compiled(document);
        const wider = callerWith({ ...(more as typeof held), ...held });
        expect(decide(policy, wider, wishes, FACTS)).toEqual(decide(policy, callerWith(held), wishes, FACTS));
      }),
      often,
    );
  });

  it('never leaves the bounds of its rule, nor the end of the JWT where the rule binds to it', () => {
    fc.assert(
      fc.property(policyDocument, claims, request, secondsLeft, (document, held, wishes, left) => {
        const policy = compiled(document);
        const caller = callerWith(held, left);
        const decision = decide(policy, caller, wishes, FACTS);
        if (!decision.allowed) return;
        const { grant } = decision;
        const rule = policy.rules.find(({ name }) => name === grant.rule);
        const offer = rule?.grants.find(({ name }) => name === grant.name);
        if (!offer) throw new Error('a grant that no rule offers');
        expect(grant.validitySeconds).toBeGreaterThanOrEqual(offer.validity.minSeconds);
        expect(grant.validitySeconds).toBeLessThanOrEqual(offer.validity.maxSeconds);
        if (offer.validity.withinCallerToken) {
          expect(FACTS.now + grant.validitySeconds * 1_000).toBeLessThanOrEqual(caller.expiresAt);
          expect(grant.notAfter).toBe(caller.expiresAt);
        } else {
          expect(grant.notAfter).toBeUndefined();
        }
        expect(['tsadmin', 'bob']).not.toContain(grant.user.toLowerCase());
        expect(usersOf(policy, caller)).toContain(
          policy.rules.find(({ name }) => name === grant.rule)?.perEntitlement ? grant.user.slice(0, -17) : grant.user,
        );
      }),
      often,
    );
  });

  it('gives reasons that hold no value of a claim', () => {
    const canary = fc.constantFrom('canary-4711', 'zz-secret@person.example');
    fc.assert(
      fc.property(policyDocument, claims, canary, request, (document, held, secret, wishes) => {
        const marked = Object.fromEntries(
          Object.entries(held).map(([name, value]) => [name, isArray(value) ? [...value, secret] : secret]),
        );
        const decision = decide(compiled(document), callerWith(marked), wishes, FACTS);
        expect(JSON.stringify(decision.reasons)).not.toContain(secret);
      }),
      often,
    );
  });
});

function isArray(value: ClaimValue): value is readonly ClaimValue[] {
  return Array.isArray(value);
}

const hostile = fc.constantFrom(
  'user',
  'userName',
  'username',
  'orgId',
  'org',
  'groups',
  'rights',
  'rule',
  'claims',
  'sub',
);
const hostileValue = fc.oneof(fc.constantFrom('tsadmin', 0, 99, 'full'), fc.jsonValue());
