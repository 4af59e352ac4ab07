/**
 * Finds rules that no caller can ever reach. A rule that is reported is certainly unreachable. A rule that is not reported
 * may be unreachable too, because conditions are compared by their form, and rules one by one, not several together.
 */
import type { Condition, Rule, Scalar, Test } from '../../functions/policy/document.ts';
import { expressionOf } from '../../functions/policy/match.ts';

export interface Unreachable {
  readonly index: number;
  readonly problem: string;
}

export function unreachableRules(rules: readonly Rule[]): readonly Unreachable[] {
  const found: Unreachable[] = [];
  const before = new EarlierRules();
  for (const [index, rule] of rules.entries()) {
    const cover = before.candidatesFor(rule).find((earlier) => covers(earlier, rule));
    if (neverHolds(rule.when)) {
      found.push({ index, problem: 'can never hold: its conditions contradict each other' });
    } else if (cover !== undefined) {
      found.push({ index, problem: `is never reached: rule "${cover.name}" before it holds for every such caller` });
    }
    if (rule.mode === 'enforce') before.add(rule);
  }
  return found;
}

/** Whether every caller of the later rule is one of the earlier. */
const covers = (earlier: Rule, later: Rule): boolean =>
  (earlier.issuer ?? later.issuer) === later.issuer && implies(later.when, earlier.when);

/**
 * Finds the earlier rules that may cover a later one without comparing all with all: a rule that asks for one of some
 * values of a claim can cover only a rule that names one of those values.
 */
class EarlierRules {
  readonly #byValue = new Map<string, Rule[]>();
  readonly #others: Rule[] = [];

  add(rule: Rule): void {
    const { when } = rule;
    const parts = when !== 'always' && 'all' in when ? when.all : [when];
    const keys = parts.map(valueKeys).find((some) => some.length > 0);
    if (keys === undefined) this.#others.push(rule);
    for (const key of keys ?? []) this.#byValue.set(key, [...(this.#byValue.get(key) ?? []), rule]);
  }

  candidatesFor(rule: Rule): readonly Rule[] {
    return [
      ...this.#others,
      ...leavesOf(rule.when)
        .flatMap(valueKeys)
        .flatMap((key) => this.#byValue.get(key) ?? []),
    ];
  }
}

function valueKeys(condition: Condition): readonly string[] {
  if (!isTest(condition)) return [];
  const { claim } = condition;
  if ('contains' in condition) return [JSON.stringify(['item', claim, condition.contains])];
  return (scalarsOf(condition) ?? []).map((value) => JSON.stringify(['value', claim, value]));
}

function leavesOf(condition: Condition): readonly Test[] {
  if (condition === 'always') return [];
  if ('all' in condition) return condition.all.flatMap(leavesOf);
  if ('any' in condition) return condition.any.flatMap(leavesOf);
  return 'not' in condition ? leavesOf(condition.not) : [condition];
}

function isTest(condition: Condition): condition is Test {
  return condition !== 'always' && 'claim' in condition;
}

/** Limit of comparisons for two conditions. Beyond it the search stops, which can only miss a finding. */
interface Effort {
  left: number;
}
const effort = (): Effort => ({ left: 20_000 });

/** Whether every caller that meets `a` certainly meets `b`. */
export function implies(a: Condition, b: Condition, budget = effort()): boolean {
  if ((budget.left -= 1) < 0) return false;
  if (b === 'always') return true;
  if ('all' in b) return b.all.every((part) => implies(a, part, budget));
  if (a !== 'always' && 'any' in a) return a.any.every((part) => implies(part, b, budget));
  if (a !== 'always' && 'all' in a && a.all.some((part) => implies(part, b, budget))) return true;
  if ('any' in b) return b.any.some((part) => implies(a, part, budget));
  if ('not' in b) return contradicts(a, b.not, budget);
  if (!isTest(a) || !sameClaim(a, b)) return false;
  if ('present' in b) return b.present === (!('present' in a) || a.present);
  const values = scalarsOf(a);
  if (values !== undefined) return values.every((value) => accepts(b, value));
  if ('contains' in a) return 'contains' in b && a.contains === b.contains;
  return 'matches' in a && 'matches' in b && a.matches === b.matches;
}

/** Whether `b` is false for every caller that meets `a`; impossible to judge does not count as false. */
export function contradicts(a: Condition, b: Condition, budget = effort()): boolean {
  if ((budget.left -= 1) < 0) return false;
  if (a !== 'always' && 'not' in a && implies(b, a.not, budget)) return true;
  if (b !== 'always' && 'not' in b && implies(a, b.not, budget)) return true;
  if (a !== 'always' && 'any' in a) return a.any.every((part) => contradicts(part, b, budget));
  if (b !== 'always' && 'any' in b) return b.any.every((part) => contradicts(a, part, budget));
  if (a !== 'always' && 'all' in a) return a.all.some((part) => contradicts(part, b, budget));
  if (b !== 'always' && 'all' in b) return b.all.some((part) => contradicts(a, part, budget));
  if (!isTest(a) || !isTest(b) || !sameClaim(a, b)) return false;
  if ('present' in a) return a.present !== (!('present' in b) || b.present);
  if ('present' in b) return !b.present;
  if ('contains' in a !== 'contains' in b) return true;
  const values = scalarsOf(a);
  if (values !== undefined) return !values.some((value) => accepts(b, value));
  return scalarsOf(b)?.some((value) => accepts(a, value)) === false;
}

export function neverHolds(condition: Condition): boolean {
  if (condition === 'always' || isTest(condition)) return false;
  if ('any' in condition) return condition.any.every(neverHolds);
  if ('not' in condition) return implies('always', condition.not);
  const { all } = condition;
  return all.some(neverHolds) || all.some((a, index) => all.slice(index + 1).some((b) => contradicts(a, b)));
}

function sameClaim({ claim: a }: Test, { claim: b }: Test): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

/** The only values that a claim can have where the test holds; undefined if they cannot be listed. */
function scalarsOf(test: Test): readonly Scalar[] | undefined {
  if ('equals' in test) return [test.equals];
  return 'oneOf' in test ? test.oneOf : undefined;
}

function accepts(test: Test, value: Scalar): boolean {
  if ('equals' in test) return test.equals === value;
  if ('oneOf' in test) return test.oneOf.includes(value);
  if ('matches' in test) return typeof value === 'string' && expressionOf(test.matches).test(value);
  return 'present' in test && test.present;
}
