import { lazy } from '../../../functions/wiring/start.ts';

describe('a lazy', () => {
  test('builds once for all who ask, whenever they ask', async () => {
    let built = 0;
    const get = lazy(async () => (built += 1));
    expect(await Promise.all([get(), get()])).toEqual([1, 1]);
    expect(await get()).toBe(1);
  });

  test('forgets a failure, so that an outage at the cold start does not poison the sandbox', async () => {
    let attempts = 0;
    const get = lazy(async () => {
      attempts += 1;
      if (attempts === 1) throw new Error('outage');
      return attempts;
    });
    await expect(Promise.all([get(), get()])).rejects.toThrow('outage');
    expect(await get()).toBe(2);
    expect(await get()).toBe(2);
  });
});
