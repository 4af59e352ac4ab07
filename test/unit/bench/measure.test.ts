import { longestPause, perSecondOf, tripsIn } from '../../../bench/measure.ts';

test('events per second count from the first to the last', () => {
  expect(perSecondOf([1_000, 1_010, 1_030, 1_040])).toBe(75);
});

test('the longest pause is between neighbours', () => {
  expect(longestPause([1_000, 1_010, 1_070, 1_090])).toBe(60);
  expect([longestPause([1_000]), longestPause([])]).toEqual([0, 0]);
});

test('round trips are what a latency adds to the median', () => {
  expect(tripsIn([412, 400, 900], [12, 30, 11], 100)).toBe(4);
});
