import { makeStopwatch } from '../../../bench/stopwatch.ts';

let now = 0;
const watch = makeStopwatch(() => now);

test('calls that overlap count once, and a reading starts anew', async () => {
  const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const port = watch.timing({ shards: 4, one: () => first.promise, two: () => second.promise });
  const asked = port.one();
  now += 10;
  const also = port.two();
  now += 5;
  first.resolve('first');
  expect(await asked).toBe('first');
  now += 7;
  second.resolve('second');
  await also;
  now += 100;
  expect([watch.read(), watch.read(), port.shards]).toEqual([22, 0, 4]);
});

test('a call that throws or rejects ends its time too', async () => {
  const port = watch.timing({
    throws: () => {
      now += 3;
      throw new Error('at once');
    },
    rejects: () => Promise.reject(new Error('later')),
  });
  expect(() => port.throws()).toThrow('at once');
  await expect(port.rejects()).rejects.toThrow('later');
  now += 50;
  expect(watch.read()).toBe(3);
});
