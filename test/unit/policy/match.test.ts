import type { Claims, ClaimValue } from '../../../functions/broker/ports.ts';
import type { Condition } from '../../../functions/policy/document.ts';
import {
  describeFailure as describeFailureAt,
  firstFailure as firstFailureAt,
  kindOf,
  readClaim,
  recentAt,
  UNREADABLE,
} from '../../../functions/policy/match.ts';

const NOW = 1_800_000_000_000;
const firstFailure = (condition: Condition, claims: Claims) => firstFailureAt(condition, claims, recentAt(NOW));
const describeFailure = (condition: Condition, claims: Claims) => describeFailureAt(condition, claims, recentAt(NOW));

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
  [
    'contains',
    contains,
    ['x', ['x'], ['y', 'x']],
    ['axb', [], [['x']], ['y'], ['x', 1], null, { x: 'x' }, 1, LEFT_OUT],
  ],
  ['contains a number', { claim, contains: 1 }, [[1], [2, 1]], [1, '1', ['1'], [1, '1'], [], LEFT_OUT]],
  ['at least', { claim, atLeast: 2 }, [2, 2.5, 1e9], [1, 1.9, '2', [2], true, null, 1e300, Infinity, LEFT_OUT]],
  ['at most', { claim, atMost: 2 }, [2, -1, 0], [2.1, '2', [2], false, null, -1e300, LEFT_OUT]],
  ['not at least', not({ claim, atLeast: 2 }), [1, 1.9], [2, '1', [1], true, null, LEFT_OUT]],
  ['matches', matches, ['x', longest], ['y', ['x'], null, LEFT_OUT, tooLong]],
  ['not matches', not(matches), ['y', ''], ['x', longest, tooLong, ['x'], ['y'], 7, null, LEFT_OUT]],
  ['not matches, or absent', not({ ...matches, absent: 'allowed' }), ['y', LEFT_OUT], ['x', ['y'], null]],
  ['not not matches', not(not(matches)), ['x'], ['y', tooLong, LEFT_OUT]],
  ['not, of several of which one cannot be judged', not({ all: [matches, present] }), ['y'], ['x', tooLong]],
  ['not, of several of which one fails', not({ all: [matches, absent] }), ['x', tooLong], [LEFT_OUT]],
  ['not, of alternatives of which one cannot be judged', not({ any: [matches, absent] }), ['y'], ['x', tooLong, null]],
  ['an alternative to what cannot be judged', { any: [matches, present] }, ['y', tooLong], [LEFT_OUT]],
  ['present', present, [0, '', false, [], {}], [null, LEFT_OUT]],
  ['absent', absent, [null, LEFT_OUT], [0, '', false]],
  ['all', all, [1], [2, LEFT_OUT]],
  ['any', any, [1, 'x', ['x']], [2, ['y'], LEFT_OUT]],
  ['any of none', { any: [] }, [], [1]],
  ['all of none', { all: [] }, [1, LEFT_OUT], []],
  ['not', not(one), [2], [1, '2', '1', LEFT_OUT]],
  ['not, or absent', not({ ...one, absent: 'allowed' }), [2, LEFT_OUT], [1, '2', null]],
  ['not not, or absent', not(not({ ...one, absent: 'allowed' })), [1], [2, LEFT_OUT]],
  ['not one of', not({ claim, oneOf: ['x', 'y'] }), ['z'], ['x', 1, ['z'], null, LEFT_OUT]],
  ['not one of several types', not(oneOf), [], [1, 'x', 'y', 2, false, LEFT_OUT]],
  ['not present', not(present), [null, LEFT_OUT], [0, '']],
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
  [one, LEFT_OUT, 'claim "level" (absent) does not equal the value required'],
  [one, null, 'claim "level" (null) does not equal the value required'],
  [oneOf, ['secret'], 'claim "level" (array) is none of the 3 values allowed'],
  [contains, { a: 1 }, 'claim "level" (object) does not contain the item required'],
  [matches, true, 'claim "level" (boolean) does not match the pattern'],
  [present, LEFT_OUT, 'claim "level" (absent) must be present'],
  [absent, 7, 'claim "level" (number) must be absent'],
  [all, 7, 'one of several conditions does not hold'],
  [
    any,
    7,
    'none of 2 alternatives holds: claim "level" (number) does not equal the value required; ' +
      'claim "level" (number) does not contain the item required',
  ],
  [any, 1, 'none of 2 alternatives holds: claim "level" (number) does not contain the item required'],
  [not(one), 1, 'a condition holds that must not: equals on claim "level" (number)'],
  [not(matches), tooLong, 'a condition that must not hold cannot be judged: matches on claim "level" (string)'],
  [
    not({ ...contains, absent: 'allowed' }),
    null,
    'a condition that must not hold cannot be judged: contains on claim "level" (null)',
  ],
  [{ claim, withinSeconds: 60 }, 5, 'claim "level" (number) is not recent enough, or no time'],
  [{ claim, atLeast: 60 }, 'x', 'claim "level" (string) is not within the bound'],
  [not('always'), 1, 'a condition holds that must not: always'],
  [not(not(one)), 2, 'a condition holds that must not: not (equals on claim "level" (number))'],
  [
    not(all),
    1,
    'a condition holds that must not: present on claim "level" (number) and equals on claim "level" (number)',
  ],
  [
    not(any),
    1,
    'a condition holds that must not: equals on claim "level" (number) or contains on claim "level" (number)',
  ],
])(
  'operators are told the test and the claim of a condition that fails, never a value (%#)',
  (condition, held, expected) => {
    expect(describeFailure(condition, withLevel(held))).toBe(expected);
  },
);

test.each<[string[], Claims, ReturnType<typeof readClaim>]>([
  [['a'], { a: 1 }, 1],
  [['a', 'b'], { a: { b: null } }, null],
  [['a', 'b'], { a: {} }, undefined],
  [['a', 'b'], { a: null }, null],
  [['a', 'b'], { a: 'text' }, UNREADABLE],
  [['a', 'length'], { a: ['x'] }, UNREADABLE],
  [['a', '0'], { a: ['x'] }, UNREADABLE],
  [['a', '0'], { a: 'x' }, UNREADABLE],
  [['toString'], {}, undefined],
  [['a', 'constructor'], { a: {} }, undefined],
  [[], { a: 1 }, { a: 1 }],
])('the claim at %j of %j is %p: objects are walked, lists and texts are not', (path, claims, expected) => {
  expect(readClaim(claims, path)).toEqual(expected);
});

test('the kind of a value names lists and null apart from objects', () => {
  const values: ClaimValue[] = [null, [], {}, 'x', 1, false];
  expect(values.map(kindOf)).toEqual(['null', 'array', 'object', 'string', 'number', 'boolean']);
});

describe('a time', () => {
  const ago = (seconds: number): number => NOW / 1_000 - seconds;
  const recent: Condition = { claim, withinSeconds: 60 };

  test.each<[string, Condition, Held[], Held[]]>([
    ['within', recent, [ago(0), ago(59.5), ago(60), ago(65), ago(-5)], [ago(65.5), ago(3_600), 0, -1, ago(-6)]],
    ['not within', not(recent), [ago(66), 0, -1], [ago(65), ago(0), ago(-6), LEFT_OUT]],
    ['within, of no time', recent, [], [String(ago(0)), '2027-01-15T08:00:00Z', [ago(0)], true, null, {}, LEFT_OUT]],
    ['not within, of no time', not(recent), [], [String(ago(99)), NOW, [ago(99)], false, null, {}, LEFT_OUT]],
    ['within, in milliseconds', recent, [], [NOW, NOW - 10_000, Infinity, 1e300]],
    ['not within, or absent', not({ ...recent, absent: 'allowed' }), [LEFT_OUT, ago(99)], [ago(0), null, NOW]],
  ])('"%s" counts by seconds since 1970, with 5 s for clocks that differ', (_, condition, holding, failing) => {
    for (const value of holding) expect([value, firstFailure(condition, withLevel(value))]).toEqual([value, undefined]);
    for (const value of failing)
      expect([value, firstFailure(condition, withLevel(value))]).not.toEqual([value, undefined]);
  });
});
