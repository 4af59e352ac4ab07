import type { Claims, ClaimValue } from '../../../functions/broker/ports.ts';
import type { Condition } from '../../../functions/policy/document.ts';
import { claimValue, describeFailure, firstFailure, kindOf } from '../../../functions/policy/match.ts';

const claim = ['level'];

const one: Condition = { claim, equals: 1 };
const oneOf: Condition = { claim, oneOf: [1, true, 'x'] };
const contains: Condition = { claim, contains: 'x' };
const matches: Condition = { claim, matches: '^(?:x+)$' };
const present: Condition = { claim, present: true };
const absent: Condition = { claim, present: false };
const all: Condition = { all: [present, one] };
const any: Condition = { any: [one, contains] };
const not = (condition: Condition): Condition => ({ not: condition });
const longest = 'x'.repeat(1_024);
const tooLong = 'x'.repeat(1_025);

/** Left out of the claims. */
const LEFT_OUT = Symbol('left out');
type Held = ClaimValue | typeof LEFT_OUT;
const withLevel = (value: Held): Claims => (value === LEFT_OUT ? {} : { level: value });

test.each<[string, Condition, Held[], Held[]]>([
  ['always', 'always', [LEFT_OUT, null, 1], []],
  ['equals', one, [1], ['1', 2, true, null, [1], LEFT_OUT]],
  ['one of', oneOf, [1, true, 'x'], [2, false, 'y', null, ['x'], { x: 1 }, LEFT_OUT]],
  ['contains', contains, [['x'], ['y', 'x']], ['x', 'axb', [], [['x']], ['y'], null, { x: 'x' }, LEFT_OUT]],
  ['matches', matches, ['x', longest], ['y', ['x'], null, LEFT_OUT, tooLong]],
  ['not matches', not(matches), ['y', ['x'], null, LEFT_OUT], ['x', longest, tooLong]],
  ['not not matches', not(not(matches)), ['x'], ['y', tooLong]],
  ['not, of several of which one cannot be judged', not({ all: [matches, present] }), ['y'], ['x', tooLong]],
  ['not, of several of which one fails', not({ all: [matches, absent] }), ['x', tooLong, LEFT_OUT], []],
  ['not, of alternatives of which one cannot be judged', not({ any: [matches, absent] }), ['y'], ['x', tooLong, null]],
  ['an alternative to what cannot be judged', { any: [matches, present] }, ['y', tooLong], [LEFT_OUT]],
  ['present', present, [0, '', false, [], {}], [null, LEFT_OUT]],
  ['absent', absent, [null, LEFT_OUT], [0, '', false]],
  ['all', all, [1], [2, LEFT_OUT]],
  ['any', any, [1, ['x']], [2, ['y'], LEFT_OUT]],
  ['any of none', { any: [] }, [], [1]],
  ['all of none', { all: [] }, [1, LEFT_OUT], []],
  ['not', not(one), [2, LEFT_OUT], [1]],
])('the condition "%s" holds for what it names and for nothing else', (_, condition, holding, failing) => {
  for (const value of holding) expect(firstFailure(condition, withLevel(value))).toBeUndefined();
  for (const value of failing) expect(firstFailure(condition, withLevel(value))).toBeDefined();
});

test('of several conditions that have to hold together, the first that fails is told, however deep it is', () => {
  const nested: Condition = { all: ['always', { all: [present, matches, one] }] };
  expect(firstFailure(nested, { level: 2 })).toBe(matches);
  expect(firstFailure(nested, {})).toBe(present);
  expect(firstFailure(any, {})).toBe(any);
});

test.each<[Condition, Held, string]>([
  ['always', 1, 'always fails'],
  [one, 'secret', 'claim "level" (string) does not equal the value required'],
  [one, LEFT_OUT, 'claim "level" is absent and does not equal the value required'],
  [one, null, 'claim "level" (null) does not equal the value required'],
  [oneOf, ['secret'], 'claim "level" (array) is none of the 3 values allowed'],
  [contains, { a: 1 }, 'claim "level" (object) does not contain the item required'],
  [matches, true, 'claim "level" (boolean) does not match the pattern'],
  [present, LEFT_OUT, 'claim "level" is absent and must be present'],
  [absent, 7, 'claim "level" (number) must be absent'],
  [all, 7, 'one of several conditions does not hold'],
  [
    any,
    7,
    'none of 2 alternatives holds: claim "level" (number) does not equal the value required; ' +
      'claim "level" (number) does not contain the item required',
  ],
  [any, 1, 'none of 2 alternatives holds: claim "level" (number) does not contain the item required'],
  [not(one), 1, 'a condition holds that must not: equals on claim "level"'],
  [not(matches), tooLong, 'a condition that must not hold cannot be judged: matches on claim "level"'],
  [not('always'), 1, 'a condition holds that must not: always'],
  [not(not(one)), 2, 'a condition holds that must not: not (equals on claim "level")'],
  [not(all), 1, 'a condition holds that must not: present on claim "level" and equals on claim "level"'],
  [not(any), 1, 'a condition holds that must not: equals on claim "level" or contains on claim "level"'],
])(
  'operators are told the test and the claim of a condition that fails, never a value (%#)',
  (condition, held, expected) => {
    expect(describeFailure(condition, withLevel(held))).toBe(expected);
  },
);

test.each<[string[], Claims, ClaimValue | undefined]>([
  [['a'], { a: 1 }, 1],
  [['a', 'b'], { a: { b: null } }, null],
  [['a', 'b'], { a: {} }, undefined],
  [['a', 'b'], { a: null }, undefined],
  [['a', 'b'], { a: 'text' }, undefined],
  [['a', 'length'], { a: ['x'] }, undefined],
  [['a', '0'], { a: ['x'] }, undefined],
  [['a', '0'], { a: 'x' }, undefined],
  [['toString'], {}, undefined],
  [['a', 'constructor'], { a: {} }, undefined],
  [[], { a: 1 }, { a: 1 }],
])('the claim at %j of %j is %j: objects are walked, lists and texts are not', (path, claims, expected) => {
  expect(claimValue(claims, path)).toEqual(expected);
});

test('the kind of a value names lists and null apart from objects', () => {
  const values: ClaimValue[] = [null, [], {}, 'x', 1, false];
  expect(values.map(kindOf)).toEqual(['null', 'array', 'object', 'string', 'number', 'boolean']);
});
