import { backOffMs } from '../../../functions/broker/end-at-thoughtspot.ts';

test.each([
  [0, 0.5, 500],
  [1, 0.5, 500],
  [2, 0.5, 1_000],
  [9, 0.5, 128_000],
  [10, 0.5, 150_000],
  [1_000, 0.5, 150_000],
  [1, 0, 0],
  [1, 0.000_1, 1],
])('after %i failures, with chance %d, a revocation is tried again after %i ms', (attempts, chance, expected) => {
  expect(backOffMs(attempts, () => chance)).toBe(expected);
});
