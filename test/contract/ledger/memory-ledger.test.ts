import { makeMemoryLedger } from '../../support/memory-ledger.ts';
import { describeBlocks } from './blocks-contract.ts';
import { TestClock, reservation } from './fixtures.ts';
import { describeLedger } from './ledger-contract.ts';
import { describeMintCounts } from './mint-counts-contract.ts';
import { describeUserHolds } from './user-holds-contract.ts';

const start = async () => {
  const clock = new TestClock();
  const ledger = makeMemoryLedger({ clock, shards: 4 });
  return { ledger, clock, other: () => ledger, close: async () => {} };
};
describeLedger('the ledger in memory', start);
describeUserHolds('holds in memory', start);
describeBlocks('blocks in memory', start);
describeMintCounts('counts of mints in memory', start);

describe('the ledger in memory, besides', () => {
  it('keeps many rows in the order of their due times through changes', async () => {
    const clock = new TestClock();
    const ledger = makeMemoryLedger({ clock, shards: 1 });
    const far = clock.now() + 1;
    const due = (i: number, round: number) => 1 + ((i * 7_919 + round * 104_729) % 10_007);
    for (let i = 0; i < 3_000; i += 1) {
      await ledger.reserve(reservation({ fingerprint: `f${i}`, mintDeadlineAt: due(i, 0) }), far);
    }
    for (let i = 0; i < 3_000; i += 1) {
      const to = i % 3 === 0 ? 'failed' : 'revoking';
      await ledger.transition(reservation({ fingerprint: `f${i}` }), { to, dueAt: due(i, 1) }, far);
    }
    const seen: (number | undefined)[] = [];
    let cursor: string | undefined;
    do {
      const page = await ledger.due(0, 5_000, 77, cursor, far);
      seen.push(...page.leases.map((lease) => lease.dueAt));
      cursor = page.next;
    } while (cursor !== undefined);
    const expected = Array.from({ length: 3_000 }, (_, i) => i).filter((i) => i % 3 !== 0);
    const times = expected.map((i) => due(i, 1)).filter((at) => at <= 5_000);
    expect(seen).toEqual(times.sort((one, other) => one - other));
    expect(ledger.dueCount()).toBe(2_000);
  });

  it('lets a hook crash a call before it is done, or after', async () => {
    const clock = new TestClock();
    const far = clock.now() + 1;
    const crash = () => {
      throw new Error('crash');
    };
    const ledger = makeMemoryLedger({ clock, beforeCall: crash });
    const row = reservation();
    await expect(ledger.reserve(row, far)).rejects.toThrow('crash');
    ledger.beforeCall = undefined;
    expect(await ledger.get(row, far)).toBeUndefined();
    ledger.afterCall = crash;
    await expect(ledger.reserve(row, far)).rejects.toThrow('crash');
    ledger.afterCall = undefined;
    expect(await ledger.get(row, far)).toMatchObject({ state: 'reserved' });
  });
});
