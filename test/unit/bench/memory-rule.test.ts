import { durationMs, objections, smallestThatServes, type Need } from '../../../bench/memory-rule.ts';

const need = (over: Partial<Need> = {}): Need => ({
  sizeMb: 512,
  waiting: 'caller',
  worked: true,
  peakMb: 110,
  cold: 200,
  warm: 10,
  ...over,
});

test('processor time takes longer the less memory there is, and no less than itself with more', () => {
  expect([177, 1_769, 3_538].map((size) => Math.round(durationMs(100, size)))).toEqual([999, 100, 100]);
});

test.each<[string, Partial<Need>, readonly string[]]>([
  ['nothing', {}, []],
  ['a failure', { worked: false }, ['it failed']],
  ['memory that is nearly full', { peakMb: 308 }, ['peak of 308 MB']],
  ['a slow cold start', { cold: 800 }, ['2764 ms cold']],
  ['an answer that a caller waits for', { warm: 14 }, ['48 ms warm']],
  ['no such answer of an operator', { warm: 14, waiting: 'others' }, []],
  ['a sweep that cannot keep its rate', { perRow: 4 }, ['131 % busy at 95 rows/s']],
])('a size is objected to for %s', (_, over, expected) => {
  expect(objections(need(over))).toEqual(expected);
});

test('the smallest size without an objection is taken, and none if all have one', () => {
  const sizes = [1_024, 128, 512].map((sizeMb) => need({ sizeMb }));
  expect(smallestThatServes(sizes)).toBe(512);
  expect(smallestThatServes(sizes.map((one) => ({ ...one, worked: false })))).toBeUndefined();
});
