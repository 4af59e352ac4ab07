import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import type { LeaseKey } from '../../../functions/broker/lease.ts';
import { makeHandles } from '../../../functions/ledger/handles.ts';

const keyOfBytes = (byte: number) => createSecretKey(Buffer.alloc(32, byte));
const FAR = Infinity;
const handlesOf = (byte: number, environment = 'test') =>
  makeHandles({ environment, digestKey: async () => keyOfBytes(byte) })(FAR);

const anyKey: fc.Arbitrary<LeaseKey> = fc.record({
  user: fc.string({ unit: 'grapheme' }),
  fingerprint: fc.string(),
  generation: fc.integer({ min: 1, max: 9_999_999_999 }),
});

describe('a leaseId', () => {
  it('leads back to the row it was made of, the same each time', async () => {
    const handles = await handlesOf(1);
    const again = await handlesOf(1);
    fc.assert(
      fc.property(anyKey, (key) => {
        const leaseId = handles.leaseId(key);
        expect(leaseId).toMatch(/^[\w-]+$/);
        expect(again.leaseId(key)).toBe(leaseId);
        expect(again.leaseKey(leaseId)).toEqual(key);
      }),
    );
  });

  it('differs from row to row in every part', async () => {
    const handles = await handlesOf(1);
    fc.assert(
      fc.property(anyKey, anyKey, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(handles.leaseId(one).slice(0, 18)).not.toBe(handles.leaseId(other).slice(0, 18));
      }),
    );
  });

  it('means nothing under another digest key or in another environment', async () => {
    const leaseId = (await handlesOf(1)).leaseId({ user: 'alice', fingerprint: 'f', generation: 1 });
    expect((await handlesOf(2)).leaseKey(leaseId)).toBeUndefined();
    expect((await handlesOf(1, 'prod')).leaseKey(leaseId)).toBeUndefined();
  });

  it('that somebody made up leads nowhere and throws nothing', async () => {
    const handles = await handlesOf(1);
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array).toString('base64url'));
    fc.assert(fc.property(fc.oneof(fc.string(), bytes), (text) => expect(handles.leaseKey(text)).toBeUndefined()));
  });

  it('that was altered in any byte leads nowhere', async () => {
    const handles = await handlesOf(1);
    const handle = Buffer.from(handles.leaseId({ user: 'alice', fingerprint: 'f', generation: 1 }), 'base64url');
    for (let i = 0; i < handle.length; i += 1) {
      const altered = Buffer.from(handle);
      altered[i] = (altered[i] ?? 0) ^ 1;
      expect(handles.leaseKey(altered.toString('base64url'))).toBeUndefined();
    }
  });
});

it('names never change: what they are is in tables and in the hands of clients', async () => {
  const handles = await handlesOf(1);
  expect(handles.tokenDigest('tok')).toBe('Mujkm4-TKjZV-whGOzU3Pb7VbwrfzMvgZHgWw8G6dmk');
  expect(handles.leaseId({ user: 'alice', fingerprint: 'f', generation: 1 })).toBe(
    'ARI7BlzWzY66Gmiz-lm9kjGYn8g61aedskxejHlLv_ZLRr6kuqwNMJHXjtI',
  );
});

describe('a token digest', () => {
  it('is keyed, and bound to the environment', async () => {
    const digests = [await handlesOf(1), await handlesOf(2), await handlesOf(1, 'prod')].map((one) =>
      one.tokenDigest('tok'),
    );
    expect(new Set(digests).size).toBe(3);
  });

  it('follows another digest key, as after its loss', async () => {
    let byte = 1;
    const handles = makeHandles({ environment: 'test', digestKey: async () => keyOfBytes(byte) });
    const before = (await handles(FAR)).tokenDigest('tok');
    expect((await handles(FAR)).tokenDigest('tok')).toBe(before);
    byte = 2;
    expect((await handles(FAR)).tokenDigest('tok')).toBe((await handlesOf(2)).tokenDigest('tok'));
  });

  it('fails as the source of the digest key fails', async () => {
    const failure = new Error('no key');
    const handles = makeHandles({ environment: 'test', digestKey: () => Promise.reject(failure) });
    await expect(handles(1)).rejects.toBe(failure);
  });
});
