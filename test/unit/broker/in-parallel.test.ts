import { setImmediate } from 'node:timers/promises';
import { inParallel } from '../../../functions/broker/in-parallel.ts';

/** Items that count how many have been taken. */
function counted(count: number) {
  const taken: number[] = [];
  function* items() {
    for (let n = 0; n < count; n += 1) {
      taken.push(n);
      yield n;
    }
  }
  async function* later() {
    for (const item of items()) yield Promise.resolve(item);
  }
  return { taken, items, later };
}

test.each([
  [1, 1],
  [3, 3],
  [50, 20],
])('at a width of %i, %i of twenty items are held at once, and each is done once', async (width, expected) => {
  for (const kind of ['items', 'later'] as const) {
    const source = counted(20);
    const done: number[] = [];
    let inHand = 0;
    let most = 0;
    await inParallel(source[kind](), width, async (item) => {
      inHand += 1;
      most = Math.max(most, inHand);
      expect(source.taken.length - done.length).toBeLessThanOrEqual(width);
      await setImmediate();
      await setImmediate();
      inHand -= 1;
      done.push(item);
    });
    expect(most).toBe(expected);
    expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  }
});

test('after an error nothing more is begun, and it is thrown once what was begun has ended', async () => {
  const { taken, items } = counted(20);
  const ended: number[] = [];
  const end = Promise.withResolvers<undefined>();
  const all = inParallel(items(), 2, async (item) => {
    if (item === 1) throw new Error('the first');
    await end.promise;
    ended.push(item);
  });
  let thrown: unknown;
  const watched = all.catch((error: unknown) => void (thrown = error));
  await setImmediate();
  expect(thrown).toBeUndefined();
  end.resolve(undefined);
  await watched;
  expect(thrown).toEqual(new Error('the first'));
  expect(ended).toEqual([0]);
  expect(taken).toEqual([0, 1]);
});

test('an error of the source is thrown', async () => {
  async function* broken() {
    yield Promise.resolve(1);
    throw new Error('the source');
  }
  await expect(inParallel(broken(), 2, async () => {})).rejects.toThrow('the source');
});
