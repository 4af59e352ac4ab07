import { choice, durationMs, objections, smallestThatServes, type Need } from '../../../bench/memory-rule.ts';

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

/** A sweep that needs this much processor time for a row, as the runs of 2026-11-27 found it at each size. */
const sweepOf = (...rows: readonly (readonly [sizeMb: number, perRow: number])[]) =>
  rows.map(([sizeMb, perRow]) => need({ sizeMb, perRow, waiting: 'others' }));
const MEASURED = sweepOf([1_024, 4.72], [1_280, 4.46], [1_536, 4.22], [1_769, 4.27]);

test.each<[string, readonly Need[], number, object]>([
  ['the smallest that serves', MEASURED, 1_280, { met: true }],
  ['the reserve of one that serves only just', MEASURED, 1_536, { smallest: 1_280, safe: 1_536, met: true }],
  ['no more than that reserve', MEASURED, 1_769, { met: false }],
  ['nothing that is objected to', MEASURED, 1_024, { met: false }],
  ['nothing that was not measured', MEASURED, 1_300, { met: false }],
  [
    'no reserve where the smallest serves with ease',
    sweepOf([1_024, 2], [1_280, 2]),
    1_280,
    { safe: 1_024, met: false },
  ],
  ['the only one that serves, even if only just', sweepOf([1_536, 6], [1_769, 6]), 1_769, { met: true }],
  ['nothing where none serves', sweepOf([1_769, 9]), 1_769, { smallest: undefined, safe: undefined, met: false }],
])('the rule chooses %s', (_, needs, givenMb, expected) => {
  expect(choice(needs, givenMb)).toMatchObject(expected);
});
