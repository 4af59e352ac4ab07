/**
 * Which rules no caller can ever reach. What is said here is certain; what is not found may still be so (conditions are
 * compared by their form, and rules one by one, not several together).
 */
import type { Condition, Rule, Scalar } from '../broker/entitlement.ts';

export interface Unreachable {
  readonly index: number;
  readonly problem: string;
}

export function unreachableRules(rules: readonly Rule[]): readonly Unreachable[] {
  const found: Unreachable[] = [];
  const before = new EarlierRules();
  for (const [index, rule] of rules.entries()) {
    const cover = before.candidatesFor(rule).find((earlier) => implies(rule.when, earlier.when));
    if (neverHolds(rule.when)) {
      found.push({ index, problem: 'can never hold: its conditions contradict each other' });
    } else if (cover !== undefined) {
      found.push({ index, problem: `is never reached: rule "${cover.name}" before it holds for every such caller` });
    }
    if (rule.mode === 'enforce') before.add(rule);
  }
  return found;
}

/**
 * Finds the earlier rules that may cover a later one without comparing all with all: a rule that asks for one of some
 * values of a claim can cover only a rule that names one of those values.
 */
class EarlierRules {
  readonly #byValue = new Map<string, Rule[]>();
  readonly #others: Rule[] = [];

  add(rule: Rule): void {
    const parts = rule.when.test === 'all' ? rule.when.conditions : [rule.when];
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
  if (condition.test === 'contains') return [JSON.stringify(['item', condition.claim.path, condition.value])];
  if (condition.test !== 'equals' && condition.test !== 'one-of') return [];
  return (scalarsOf(condition) ?? []).map((value) => JSON.stringify(['value', condition.claim.path, value]));
}

function leavesOf(condition: Condition): readonly Leaf[] {
  switch (condition.test) {
    case 'always':
      return [];
    case 'all':
    case 'any':
      return condition.conditions.flatMap(leavesOf);
    case 'not':
      return leavesOf(condition.condition);
    default:
      return [condition];
  }
}

/** Comparisons that two conditions are worth; nesting made to be hard is given up on, which only loses a finding. */
interface Effort {
  left: number;
}
const effort = (): Effort => ({ left: 20_000 });

/** Whether whoever meets `a` certainly meets `b`. */
export function implies(a: Condition, b: Condition, budget = effort()): boolean {
  if ((budget.left -= 1) < 0) return false;
  if (b.test === 'always') return true;
  if (b.test === 'all') return b.conditions.every((part) => implies(a, part, budget));
  if (a.test === 'any') return a.conditions.every((part) => implies(part, b, budget));
  if (a.test === 'all' && a.conditions.some((part) => implies(part, b, budget))) return true;
  if (b.test === 'any') return b.conditions.some((part) => implies(a, part, budget));
  if (b.test === 'not') return contradicts(a, b.condition, budget);
  if (a.test === 'always' || a.test === 'all' || a.test === 'not') return false;
  if (!sameClaim(a, b)) return false;
  if (b.test === 'present') return b.present === (a.test !== 'present' || a.present);
  const values = scalarsOf(a);
  if (values !== undefined) return values.every((value) => accepts(b, value));
  if (a.test === 'contains') return b.test === 'contains' && a.value === b.value;
  return a.test === 'matches' && b.test === 'matches' && a.pattern.source === b.pattern.source;
}

/** Whether no claims whatever meet both. */
export function contradicts(a: Condition, b: Condition, budget = effort()): boolean {
  if ((budget.left -= 1) < 0) return false;
  if (a.test === 'not' && implies(b, a.condition, budget)) return true;
  if (b.test === 'not' && implies(a, b.condition, budget)) return true;
  if (a.test === 'any') return a.conditions.every((part) => contradicts(part, b, budget));
  if (b.test === 'any') return b.conditions.every((part) => contradicts(a, part, budget));
  if (a.test === 'all') return a.conditions.some((part) => contradicts(part, b, budget));
  if (b.test === 'all') return b.conditions.some((part) => contradicts(a, part, budget));
  if (a.test === 'always' || b.test === 'always' || a.test === 'not' || b.test === 'not') return false;
  if (!sameClaim(a, b)) return false;
  if (a.test === 'present') return a.present !== (b.test !== 'present' || b.present);
  if (b.test === 'present') return !b.present;
  if ((a.test === 'contains') !== (b.test === 'contains')) return true;
  const values = scalarsOf(a);
  if (values !== undefined) return !values.some((value) => accepts(b, value));
  return scalarsOf(b)?.some((value) => accepts(a, value)) === false;
}

export function neverHolds(condition: Condition): boolean {
  if (condition.test === 'any') return condition.conditions.every(neverHolds);
  if (condition.test === 'not') return implies({ test: 'always' }, condition.condition);
  if (condition.test !== 'all') return false;
  const { conditions } = condition;
  return (
    conditions.some(neverHolds) ||
    conditions.some((a, index) => conditions.slice(index + 1).some((b) => contradicts(a, b)))
  );
}

type Leaf = Extract<Condition, { claim: unknown }>;

function sameClaim({ claim: { path: a } }: Leaf, { claim: { path: b } }: Leaf): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

/** The only values that a claim can have where the test holds; undefined if they cannot be listed. */
function scalarsOf(leaf: Leaf): readonly Scalar[] | undefined {
  if (leaf.test === 'equals') return [leaf.value];
  return leaf.test === 'one-of' ? [...leaf.values] : undefined;
}

function accepts(leaf: Leaf, value: Scalar): boolean {
  switch (leaf.test) {
    case 'equals':
      return leaf.value === value;
    case 'one-of':
      return leaf.values.has(value);
    case 'matches':
      return typeof value === 'string' && leaf.pattern.test(value);
    case 'present':
      return leaf.present;
    case 'contains':
      return false;
  }
}
