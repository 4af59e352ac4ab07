/** Where pages of a listing end and begin. */
import type { Lease } from '../../../functions/broker/lease.ts';
import type { TokenLedger } from '../../../functions/broker/ports.ts';
import { asOperator, makeWorld } from '../../support/broker-world.ts';
import { START } from '../../support/fake-clock.ts';

async function worldOf(leases: number, shards = 2) {
  const world = makeWorld({ shards });
  for (let n = 0; n < leases; n += 1) await world.process().getToken('ann', { grant: `g${n}` });
  const page = (limit: number, cursor?: string, user?: string, deadline = Infinity) =>
    world.process().listLeases(user === undefined ? {} : { user }, limit, cursor, deadline);
  return { ...world, page };
}

async function reserve(ledger: TokenLedger, generation: number): Promise<void> {
  const about = { shared: false, orgId: 1, kind: 'full', rule: 'r', grant: 'g', policyVersion: 'v' } as const;
  const times = { reservedAt: START, mintDeadlineAt: START, latestEndAt: START };
  const caller = { issuer: 'i', subject: 's' };
  await ledger.reserve({ user: 'ann', fingerprint: 'print', generation, ...about, ...times, caller }, Infinity);
}

test('faulty fields are named', async () => {
  const { page } = await worldOf(0);
  await expect(page(0)).rejects.toMatchObject({ errors: [{ field: 'limit', detail: 'must be 1 or more' }] });
  for (const cursor of ['', 'x 1', '1', '1234567 ', ' 0 ']) {
    await expect(page(1, cursor)).rejects.toMatchObject({ errors: [{ field: 'cursor', detail: 'is not ours' }] });
  }
});

describe('of a user', () => {
  test('a page that holds all has no next', async () => {
    const { page } = await worldOf(3);
    for (const limit of [3, 4]) {
      const { leases, next } = await page(limit, undefined, 'ann');
      expect([leases.length, next]).toEqual([3, undefined]);
    }
    expect(await page(5, undefined, 'nobody')).toEqual({ leases: [] });
  });

  test('the next page begins after the last lease shown', async () => {
    const { page } = await worldOf(3);
    const first = await page(2, undefined, 'ann');
    const second = await page(2, first.next, 'ann');
    expect([second.leases.length, second.next]).toEqual([1, undefined]);
    expect(first.leases.map(({ leaseId }) => leaseId)).not.toContain(second.leases[0]?.leaseId);
  });

  test('the next page begins after the last lease shown where that has ended since', async () => {
    const { page, process } = await worldOf(5);
    const { leases } = await page(5, undefined, 'ann');
    const first = await page(2, undefined, 'ann');
    await process().revoke(asOperator(), { kind: 'lease', leaseId: first.leases.at(-1)?.leaseId ?? '' });
    const second = await page(2, first.next, 'ann');
    const third = await page(2, second.next, 'ann');
    const shown = [...first.leases, ...second.leases, ...third.leases].map(({ leaseId }) => leaseId);
    expect(shown).toEqual(leases.map(({ leaseId }) => leaseId));
    expect(third.next).toBeUndefined();
  });

  test('generations of one fingerprint are continued in the order of their numbers', async () => {
    const { page, ledger } = await worldOf(0);
    for (const generation of [9, 10, 11, 100]) await reserve(ledger, generation);
    const first = await page(1, undefined, 'ann');
    const rest = await page(10, first.next, 'ann');
    expect([...first.leases, ...rest.leases].map(({ generation }) => generation)).toEqual([9, 10, 11, 100]);
  });

  test.each(['', 'gone', '0 ', 'print#', '#1', 'print#1#2', 'print#-1', 'print#1.5', `print#${'1'.repeat(20)}`])(
    'a cursor %j is not ours',
    async (cursor) => {
      const { page } = await worldOf(1);
      await expect(page(5, cursor, 'ann')).rejects.toMatchObject({
        code: 'invalid-request',
        errors: [{ field: 'cursor', detail: 'is not ours' }],
      });
    },
  );

  test('a cursor of a user is not one of all', async () => {
    const { page } = await worldOf(3);
    const { next } = await page(2, undefined, 'ann');
    await expect(page(2, next)).rejects.toMatchObject({ errors: [{ field: 'cursor', detail: 'is not ours' }] });
  });
});

test('leases of a user come by fingerprint and generation, in whatever order the ledger finds them', async () => {
  const { process, ledger } = await worldOf(3);
  for (const generation of [9, 2, 10, 1, 11, 5, 7, 3]) await reserve(ledger, generation);
  const found: Lease[] = [];
  for await (const lease of ledger.unfinishedOfUser('ann', Infinity)) found.push(lease);
  expect(found.length).toBeGreaterThan(10);
  const orders = [found, [...found].reverse(), [...found.slice(5), ...found.slice(0, 5)]];
  const shown = orders.map(async (order) => {
    const shuffled: TokenLedger = {
      ...ledger,
      async *unfinishedOfUser() {
        yield* order;
      },
    };
    const { leases } = await process({ ledger: shuffled }).listLeases({ user: 'ann' }, 100, undefined, Infinity);
    return leases.map(({ fingerprint, generation }) => `${fingerprint} ${String(generation).padStart(3, '0')}`);
  });
  for (const keys of await Promise.all(shown)) expect(keys).toEqual([...keys].sort());
});

describe('of all', () => {
  test('pages show every lease once, and only the last has no next', async () => {
    for (const limit of [1, 2, 3, 7, 8]) {
      const { page } = await worldOf(7);
      const seen: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const { leases, next } = await page(limit, cursor);
        expect(leases.length).toBeLessThanOrEqual(limit);
        seen.push(...leases.map(({ leaseId }) => leaseId));
        cursor = next;
        pages += 1;
      } while (cursor !== undefined && pages < 50);
      expect([seen.length, new Set(seen).size]).toEqual([7, 7]);
    }
  });

  test('a page that is full at the end of a shard goes on with the next, and at the end of the last with none', async () => {
    const { page } = await worldOf(4, 1);
    expect((await page(4)).next).toBeUndefined();
    expect((await page(3)).next).toMatch(/^0 ./);
    const two = await worldOf(6, 2);
    const first = await two.page(100);
    expect([first.leases.length, first.next]).toEqual([6, undefined]);
    const inFirstShard = (await two.ledger.due(0, Infinity, 100, undefined, Infinity)).leases.length;
    const asked: unknown[] = [];
    two.ledger.beforeCall = (call, [shard]) => void (call === 'due' && asked.push(shard));
    expect((await two.page(inFirstShard)).next).toBe('1 ');
    expect(asked).toEqual([0]);
  });

  test('a cursor leads into any shard, whatever its number', async () => {
    const { page } = await worldOf(1, 12);
    expect(Object.keys(await page(5, '11 '))).toEqual(['leases']);
  });

  test('shards are asked in turn, each that there is, while there is time to answer', async () => {
    const { page, ledger, clock } = await worldOf(2, 3);
    const asked: unknown[] = [];
    ledger.beforeCall = (call, [shard]) => void (call === 'due' && asked.push(shard));
    await page(100);
    expect(asked).toEqual([0, 1, 2]);
    expect(await page(100, undefined, undefined, clock.now() + 1_000)).toEqual({ leases: [], next: '0 ' });
    expect((await page(100, '2 ', undefined, clock.now() + 60_000)).next).toBeUndefined();
    expect(asked).toEqual([0, 1, 2, 2]);
  });
});
