import fc from 'fast-check';
import {
  attributesOf,
  callerDigest,
  dueShardOf,
  fingerprintPrefix,
  leaseItemKey,
  leaseOf,
} from '../../../functions/ledger/item.ts';
import { reservedItem } from '../../../functions/ledger/writes.ts';
import { reservation } from '../../contract/ledger/fixtures.ts';

const context = { shards: 16, now: 1_000, write: 'w' };

describe('the key of a lease', () => {
  it('orders generations as numbers', () => {
    const generation = fc.integer({ min: 0, max: 9_999_999_999 });
    fc.assert(
      fc.property(generation, generation, (one, other) => {
        const [a, b] = [one, other].map((n) => leaseItemKey({ user: 'u', fingerprint: 'f', generation: n }).sk);
        expect(Math.sign((a ?? '').localeCompare(b ?? ''))).toBe(Math.sign(one - other));
      }),
    );
  });

  it('cannot hold a fingerprint that would run into the generation', () => {
    expect(() => fingerprintPrefix('f#1')).toThrow(/^internal-error: a fingerprint must not hold #$/);
  });

  it('gives a row the same shard in every sandbox, within the number of shards', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 64 }), (user, shards) => {
        const key = leaseItemKey({ user, fingerprint: 'f', generation: 1 });
        const shard = dueShardOf(key, shards);
        expect(shard).toBe(dueShardOf(key, shards));
        expect(shard >= 0 && shard < shards).toBe(true);
      }),
    );
  });
});

it("a caller's digest never changes: it is in every unfinished row, and in two indexes", () => {
  expect(callerDigest({ issuer: 'https://issuer.example', subject: 'user-alice' })).toBe(
    'LcHPgcwBqc0Qll0TxOn8A2Bkdos14KKzUr6VFeP8Y0Q',
  );
});

describe('an item', () => {
  it('that does not parse is named by its attributes, never by a value', () => {
    const item = { ...reservedItem(reservation(), context), o: 'canary', k: 'canary' };
    expect(() => leaseOf(item, () => 'id')).toThrow(
      /^internal-error: a row of the ledger does not parse at orgId, kind$/,
    );
  });

  it('has each field of a lease in an attribute of its own, named briefly', () => {
    const {
      user: _user,
      fingerprint: _fingerprint,
      generation: _generation,
      ...facts
    } = reservation({
      userName: 'Alice',
      entitlements: 'd',
    });
    const fields = [...Object.keys(facts), 'answeredUser', 'issuedAt', 'expiresAt', 'endsAt', 'attempts', 'tokenType'];
    fields.push('upstreamCreatedAt', 'lifetimeSeconds');
    const attributes = Object.keys(attributesOf(Object.fromEntries(fields.map((field) => [field, field]))));
    expect(new Set(attributes).size).toBe(fields.length);
    expect(attributes.filter((name) => name.length > 2)).toEqual([]);
    const others = new Set([
      'pk',
      'sk',
      'state',
      'token',
      'write',
      ...Object.keys(reservedItem(reservation(), context)),
    ]);
    expect(attributes.filter((name) => name.length > 2 && others.has(name))).toEqual([]);
  });

  it('may hold more than this version knows', () => {
    const item = { ...reservedItem(reservation(), context), later: 'x' };
    expect(leaseOf(item, () => 'id')).not.toHaveProperty('later');
  });

  it.each(['alice', 'a#b', '#', ' ', 'ünï@example.com'])('keeps the user %j apart', (user) => {
    expect(leaseOf(reservedItem(reservation({ user }), context), () => 'id').user).toBe(user);
  });
});
