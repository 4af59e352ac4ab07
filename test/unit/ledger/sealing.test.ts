import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import type { DataKeys, SealingKey } from '../../../functions/ledger/data-keys.ts';
import type { ItemKey } from '../../../functions/ledger/item.ts';
import { makeSealing } from '../../../functions/ledger/sealing.ts';

const keyOf = (hour: number) => createSecretKey(Buffer.alloc(32, hour % 251));
const BY: SealingKey = { hour: 498_682, key: keyOf(498_682) };
const dataKeys: DataKeys = {
  current: async () => BY,
  ofHour: async (hour) => keyOf(hour),
  digest: async () => keyOf(0),
  warm: async () => {},
};
const sealing = makeSealing(dataKeys, 'test');
const place: ItemKey = { pk: 'u#alice', sk: 'f#0000000001' };

describe('a sealed token', () => {
  it('opens as it was, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (token) => {
        expect(await sealing.open(sealing.seal(token, place, BY), place, 0)).toBe(token);
      }),
    );
  });

  it('is never sealed twice alike', async () => {
    const sealed = [1, 2, 3].map(() => sealing.seal('token', place, BY));
    expect(new Set(sealed.map((one) => Buffer.from(one).toString('hex'))).size).toBe(3);
  });

  it('does not open once any byte of it is altered or cut off', async () => {
    const sealed = sealing.seal('token', place, BY);
    for (let i = 0; i < sealed.length; i += 1) {
      const altered = Uint8Array.from(sealed);
      altered[i] = (altered[i] ?? 0) ^ 1;
      await expect(sealing.open(altered, place, 0)).rejects.toMatchObject({ code: 'key-unavailable' });
      await expect(sealing.open(sealed.subarray(0, i), place, 0)).rejects.toMatchObject({ code: 'key-unavailable' });
    }
  });

  it.each<[string, ItemKey]>([
    ["of another user's partition", { ...place, pk: 'u#bob' }],
    ['of another generation', { ...place, sk: 'f#0000000002' }],
    ['whose keys only look alike when joined', { pk: 'u#alicef', sk: '#0000000001' }],
  ])('does not open in a row %s', async (_name, other) => {
    const sealed = sealing.seal('token', place, BY);
    await expect(sealing.open(sealed, other, 0)).rejects.toMatchObject({ code: 'key-unavailable' });
  });

  it('does not open in another environment', async () => {
    const sealed = sealing.seal('token', place, BY);
    await expect(makeSealing(dataKeys, 'prod').open(sealed, place, 0)).rejects.toMatchObject({
      code: 'key-unavailable',
    });
  });
});
