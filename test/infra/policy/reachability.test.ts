import fc from 'fast-check';
import type { Condition } from '../../../functions/policy/document.ts';
import { firstFailure, recentAt } from '../../../functions/policy/match.ts';
import { Normaliser } from '../../../infra/policy/normalise.ts';
import { Faults } from '../../../infra/policy/policy-error.ts';
import { contradicts, implies, neverHolds } from '../../../infra/policy/reachability.ts';
import type { Authored } from '../../../infra/policy/schema.ts';
import { claims, compilePolicy, conditionDocument, NOW, policy, rule, runs } from '../../support/policy-documents.ts';
import { conditionHolds } from '../../support/policy-oracle.ts';

type ConditionDocument = Authored['condition'];
const compiled = (document: ConditionDocument): Condition => new Normaliser({}, new Faults()).condition(document, []);
const anyCondition = conditionDocument.map((document) => compiled(document as ConditionDocument));
const acme: ConditionDocument = { claim: 'tenant', equals: 'acme' };
const either: ConditionDocument = { claim: 'tenant', oneOf: ['acme', 'globex'] };
const analyst: ConditionDocument = { claim: 'roles', contains: 'analyst' };

describe('a rule that is never reached', () => {
  it.each<[string, ConditionDocument, ConditionDocument]>([
    ['the same condition', acme, acme],
    ['everybody', 'always', acme],
    ['one value of several', either, acme],
    ['fewer conditions', acme, { all: [analyst, acme] }],
    ['an alternative', { any: [analyst, acme] }, acme],
    ['every alternative of the later', either, { any: [acme, { claim: 'tenant', equals: 'globex' }] }],
    ['a claim that is present', { claim: 'tenant', present: true }, acme],
    ['a pattern that the value matches', { claim: 'tenant', matches: '^a[a-z]+$' }, acme],
    ['all but another value', { not: { claim: 'tenant', equals: 'globex' } }, acme],
    ['the same negation', { not: either }, { not: either }],
    ['a negation of less', { not: acme }, { not: either }],
    ['a lower bound', { claim: 'n', atLeast: 1 }, { claim: 'n', atLeast: 2 }],
    ['a higher bound', { claim: 'n', atMost: 2 }, { claim: 'n', equals: 1 }],
    [
      'a sign-in that may be older',
      { claim: 'auth_time', withinSeconds: 60 },
      { claim: 'auth_time', withinSeconds: 59 },
    ],
    ['the negation of a bound', { not: { claim: 'n', atLeast: 3 } }, { claim: 'n', atMost: 2 }],
    ['the negation of an item, where it is another text', { not: analyst }, { claim: 'roles', equals: 'viewer' }],
    ['a negation that takes in who lacks the claim', { not: acme, absent: 'allowed' }, { not: acme }],
  ])('is a fault: before it comes %s', (_, first, second) => {
    const document = {
      ...policy,
      rules: [
        { ...rule, when: first },
        { ...rule, name: 'later', when: second },
      ],
    };
    expect(() => compilePolicy(document)).toThrow('rules[1].when: is never reached: rule "members" before it');
  });

  it.each<[string, ConditionDocument]>([
    ['two values of one claim', { all: [acme, { claim: 'tenant', equals: 'globex' }] }],
    ['a value and its absence', { all: [acme, { claim: 'tenant', present: false }] }],
    ['a condition and its negation', { all: [analyst, { not: analyst }] }],
    ['a value that the pattern does not match', { all: [acme, { claim: 'tenant', matches: '^[0-9]+$' }] }],
    ['one value that is also a list of another', { all: [acme, { claim: 'tenant', contains: 'globex' }] }],
    ['a text that is also a number', { all: [acme, { claim: 'tenant', atLeast: 1 }] }],
    ['a list that is also a number', { all: [analyst, { claim: 'roles', withinSeconds: 60 }] }],
    ['an item that the pattern does not match', { all: [analyst, { claim: 'roles', matches: '^[0-9]+$' }] }],
    [
      'more than it may be',
      {
        all: [
          { claim: 'n', atLeast: 2 },
          { claim: 'n', atMost: 1 },
        ],
      },
    ],
    ['no claim, and not a value of it', { all: [{ claim: 'tenant', present: false }, { not: acme }] }],
    ['none of several values of which any may be written as another', { not: { claim: 'n', oneOf: [1, 'x'] } }],
    ['not a number where a text is', { all: [acme, { not: { claim: 'tenant', equals: 1 } }] }],
    ['not anything', { not: 'always' }],
    ['a contradiction in every alternative', { any: [{ all: [acme, { not: acme }] }] }],
  ])('is a fault: its condition wants %s', (_, when) => {
    expect(() => compilePolicy({ ...policy, rules: [{ ...rule, when }] })).toThrow('can never hold');
  });

  it.each<[string, ConditionDocument, ConditionDocument]>([
    ['another value', acme, { claim: 'tenant', equals: 'globex' }],
    ['a claim of another name', acme, { claim: ['tenant', 'name'], equals: 'acme' }],
    ['another type', { claim: 'n', equals: 1 }, { claim: 'n', equals: '1' }],
    ['more conditions before', { all: [acme, analyst] }, acme],
    ['the negation', { not: acme }, acme],
    ['a negation of another type', { not: { claim: 'tenant', equals: 1 } }, acme],
    ['a negation of an item', { not: analyst }, { claim: 'roles', contains: 'viewer' }],
    ['a negation that leaves out who lacks the claim', { not: acme }, { not: acme, absent: 'allowed' }],
    ['a value of a list or a text', { claim: 'roles', equals: 'analyst' }, analyst],
  ])('is not seen where there is none: %s', (_, first, second) => {
    expect(() =>
      compilePolicy({
        ...policy,
        rules: [
          { ...rule, when: first },
          { ...rule, name: 'later', when: second },
        ],
      }),
    ).not.toThrow();
  });

  it('does not come about behind a rule in audit mode, which decides nothing', () => {
    const trial = { ...rule, name: 'trial', mode: 'audit' };
    expect(() => compilePolicy({ ...policy, rules: [trial, rule] })).not.toThrow();
    expect(() => compilePolicy({ ...policy, rules: [rule, trial] })).toThrow('is never reached');
  });
});

describe('what is said of conditions is true of every caller', () => {
  const holds = (condition: Condition, held: Parameters<typeof firstFailure>[1]) =>
    firstFailure(condition, held, recentAt(NOW)) === undefined;

  it('where one implies another, contradicts it, or never holds', () => {
    fc.assert(
      fc.property(anyCondition, anyCondition, fc.array(claims, { maxLength: 20 }), (a, b, callers) => {
        const verdicts = { implies: implies(a, b), contradicts: contradicts(a, b), never: neverHolds(a) };
        for (const held of callers) {
          if (verdicts.implies && holds(a, held)) expect(holds(b, held)).toBe(true);
          if (verdicts.contradicts) expect(holds(a, held) && holds(b, held)).toBe(false);
          if (verdicts.never) expect(holds(a, held)).toBe(false);
        }
        expect(implies(a, a)).toBe(true);
      }),
      runs(2_000, 100_000),
    );
  });

  it('and a condition holds exactly where a second reading of the document says so', () => {
    fc.assert(
      fc.property(conditionDocument, fc.array(claims, { maxLength: 20 }), (document, callers) => {
        const condition = compiled(document as ConditionDocument);
        for (const held of callers) expect(holds(condition, held)).toBe(conditionHolds(document, held, { now: NOW }));
      }),
      runs(1_000, 100_000),
    );
  });
});
