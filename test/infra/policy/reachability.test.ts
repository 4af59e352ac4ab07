import fc from 'fast-check';
import type { Condition } from '../../../functions/policy/document.ts';
import { firstFailure } from '../../../functions/policy/match.ts';
import { Normaliser } from '../../../infra/policy/normalise.ts';
import { Faults } from '../../../infra/policy/policy-error.ts';
import { contradicts, implies, neverHolds } from '../../../infra/policy/reachability.ts';
import type { Authored } from '../../../infra/policy/schema.ts';
import { claims, compilePolicy, conditionDocument, policy, rule, runs } from '../../support/policy-documents.ts';
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
    ['one value that is also a list', { all: [acme, { claim: 'tenant', contains: 'acme' }] }],
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
    firstFailure(condition, held) === undefined;

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
        for (const held of callers) expect(holds(condition, held)).toBe(conditionHolds(document, held));
      }),
      runs(1_000, 100_000),
    );
  });
});
