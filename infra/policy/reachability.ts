/**
 * Finds rules that no caller can ever reach. A rule that is reported is certainly unreachable. A rule that is not reported
 * may be unreachable too, because conditions are compared by their form, and rules one by one, not several together.
 */
import type { Condition, Rule, Scalar, Test } from '../../functions/policy/document.ts';
import { judgeTest } from '../../functions/policy/match.ts';

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

/** What is known of a condition, or asked: that it holds, or that it certainly does not. Neither is true of what cannot be read. */
interface Said {
  readonly of: Condition;
  readonly holds: boolean;
}
/** What is said of a condition is the same as what is said of all of these, or of one of these, or of a test. */
type Parts =
  | { readonly all: readonly Said[] }
  | { readonly one: readonly Said[] }
  | { readonly test: Test; readonly holds: boolean };

function partsOf({ of, holds }: Said): Parts {
  if (of === 'always') return holds ? { all: [] } : { one: [] };
  if ('not' in of) return partsOf({ of: of.not, holds: !holds });
  if ('present' in of) return { test: { ...of, present: of.present === holds }, holds: true };
  if ('claim' in of) return { test: of, holds };
  const parts = ('all' in of ? of.all : of.any).map((part) => ({ of: part, holds }));
  return 'all' in of === holds ? { all: parts } : { one: parts };
}

/** Whether every caller that meets `a` certainly meets `b`. */
export function implies(a: Condition, b: Condition): boolean {
  return follows({ of: a, holds: true }, { of: b, holds: true }, effort());
}

/** Whether no caller can meet both. */
export function contradicts(a: Condition, b: Condition): boolean {
  return excludes({ of: a, holds: true }, { of: b, holds: true }, effort());
}

export function neverHolds(condition: Condition, holds = true): boolean {
  const parts = partsOf({ of: condition, holds });
  if ('test' in parts) return shapesOf(parts).length === 0;
  if ('one' in parts) return parts.one.every((part) => neverHolds(part.of, part.holds));
  const { all } = parts;
  return all.some((part, index) => {
    const others = all.slice(index + 1);
    return neverHolds(part.of, part.holds) || others.some((other) => excludes(part, other, effort()));
  });
}

function follows(known: Said, asked: Said, budget: Effort): boolean {
  if ((budget.left -= 1) < 0) return false;
  const [given, wanted] = [partsOf(known), partsOf(asked)];
  if ('all' in wanted) return wanted.all.every((part) => follows(known, part, budget));
  if ('one' in given) return given.one.every((part) => follows(part, asked, budget));
  if ('all' in given && given.all.some((part) => follows(part, asked, budget))) return true;
  if ('one' in wanted) return wanted.one.some((part) => follows(known, part, budget));
  return 'test' in given && sameClaim(given.test, wanted.test) && testFollows(given, wanted);
}

function excludes(a: Said, b: Said, budget: Effort): boolean {
  if ((budget.left -= 1) < 0) return false;
  if (follows(a, { of: b.of, holds: !b.holds }, budget) || follows(b, { of: a.of, holds: !a.holds }, budget))
    return true;
  for (const [one, other] of [
    [partsOf(a), b],
    [partsOf(b), a],
  ] as const) {
    if ('one' in one && one.one.every((part) => excludes(part, other, budget))) return true;
    if ('all' in one && one.all.some((part) => excludes(part, other, budget))) return true;
  }
  const [one, other] = [partsOf(a), partsOf(b)];
  return 'test' in one && 'test' in other && sameClaim(one.test, other.test) && testsExclude(one, other);
}

type SaidOfTest = Extract<Parts, { readonly test: Test }>;

/** Of two tests of one claim. Where a test says something of a value, whatever it is, the value is there and can be read. */
function testFollows({ test: a, holds: given }: SaidOfTest, { test: b, holds: wanted }: SaidOfTest): boolean {
  if (!given) return !wanted && failsWith(a, b);
  if ('present' in b) return b.present === (!('present' in a) || a.present);
  const values = scalarsOf(a);
  if (values !== undefined) return values.every((value) => judge(b, value) === wanted);
  if ('matches' in a && !wanted) {
    const others = 'contains' in b ? [b.contains] : scalarsOf(b);
    return others?.every((value) => typeof value === 'string' && judge(a, value) === false) === true;
  }
  if ('atLeast' in a && 'atMost' in b) return !wanted && b.atMost < a.atLeast;
  if ('atMost' in a && 'atLeast' in b) return !wanted && b.atLeast > a.atMost;
  return wanted && isNarrower(a, b);
}

/** Whether `b` fails wherever `a` does. */
function failsWith(a: Test, b: Test): boolean {
  if (a.absent === 'allowed' && b.absent !== 'allowed') return false;
  const values = scalarsOf(b);
  if (values !== undefined && !('contains' in a)) return values.every((value) => judge(a, value) === true);
  return isNarrower(b, a);
}

/** Of tests that are not of listed values: whether `b` holds wherever `a` does, and `a` fails wherever `b` does. */
function isNarrower(a: Test, b: Test): boolean {
  if ('contains' in a) return 'contains' in b && a.contains === b.contains;
  if ('matches' in a) return 'matches' in b && a.matches === b.matches;
  if ('atLeast' in a) return 'atLeast' in b && a.atLeast >= b.atLeast;
  if ('atMost' in a) return 'atMost' in b && a.atMost <= b.atMost;
  return 'withinSeconds' in a && 'withinSeconds' in b && a.withinSeconds <= b.withinSeconds;
}

function testsExclude(one: SaidOfTest, other: SaidOfTest): boolean {
  const shapes = shapesOf(other);
  if (!shapesOf(one).some((shape) => shapes.includes(shape))) return true;
  return isNoValueOf(one, other) || isNoValueOf(other, one);
}

/** Whether none of the only values that `one` leaves can do for `other`. */
function isNoValueOf({ test, holds }: SaidOfTest, other: SaidOfTest): boolean {
  if (!holds) return false;
  const item = 'contains' in test && !shapesOf(other).includes('list') ? [test.contains] : undefined;
  const judgements = [true, false].map((recent) => (value: Scalar) => judgeTest(other.test, value, () => recent));
  const values = scalarsOf(test) ?? item;
  return values?.every((value) => judgements.every((judged) => judged(value) !== other.holds)) === true;
}

/** What kind of value a claim can have of which this is said. */
function shapesOf({ test, holds }: SaidOfTest): readonly string[] {
  if ('present' in test) return test.present ? ['string', 'number', 'boolean', 'list', 'object'] : ['nothing'];
  const nothing = !holds && test.absent === 'allowed' ? ['nothing'] : [];
  if ('contains' in test) return [...nothing, 'list', ...(typeof test.contains === 'string' ? ['string'] : [])];
  if ('matches' in test) return [...nothing, 'string'];
  const values = scalarsOf(test);
  if (values === undefined) return [...nothing, 'number'];
  const types = [...new Set(values.map((value) => typeof value))];
  // Of values of several types none can be ruled out: `1` may be written `"1"`.
  return [...nothing, ...(holds || types.length === 1 ? types : [])];
}

function sameClaim({ claim: a }: Test, { claim: b }: Test): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

/** The only values that a claim can have where the test holds; undefined if they cannot be listed. */
function scalarsOf(test: Test): readonly Scalar[] | undefined {
  if ('equals' in test) return [test.equals];
  return 'oneOf' in test ? test.oneOf : undefined;
}

const judge = (test: Test, value: Scalar) => judgeTest(test, value, () => undefined);
