import { RateLimit } from '../../../../local/thoughtspot/rate-limit.ts';

const SIZE = { perSecond: 100, burst: 10 };

function granted(limit: RateLimit, address: string, calls: number): number {
  return Array.from({ length: calls }, () => limit.take(address, SIZE)).filter(Boolean).length;
}

test('a burst is served at once, and nothing beyond it', () => {
  expect(granted(new RateLimit(() => 0), 'a', 100)).toBe(10);
});

test('over a second it serves the rate beyond the burst', () => {
  let now = 0;
  const limit = new RateLimit(() => now);
  let served = granted(limit, 'a', 10);
  for (; now < 1000; now += 5) served += granted(limit, 'a', 5);
  expect(served).toBeGreaterThanOrEqual(108);
  expect(served).toBeLessThanOrEqual(110);
});

test('a long pause saves up no more than the burst', () => {
  let now = 0;
  const limit = new RateLimit(() => now);
  granted(limit, 'a', 10);
  now = 3_600_000;
  expect(granted(limit, 'a', 100)).toBe(10);
});

test('each address has a bucket of its own', () => {
  const limit = new RateLimit(() => 0);
  granted(limit, 'a', 10);
  expect(granted(limit, 'b', 10)).toBe(10);
});
