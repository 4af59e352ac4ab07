import { tripsIn } from '../../../bench/measure.ts';

test('round trips are what a latency adds to the median', () => {
  expect(tripsIn([412, 400, 900], [12, 30, 11], 100)).toBe(4);
});
