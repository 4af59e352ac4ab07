/** How far a run goes through the pages of a shard, and what it says of those that it leaves. */
import type { TokenLedger } from '../../../functions/broker/ports.ts';
import { makeWorld, type World } from '../../support/broker-world.ts';

const PAGE = 5;

/** One shard with so many rows that are due for revocation, and the pages of it that are asked for. */
async function shardOf(rows: number, sweep: { readonly width?: number } = {}) {
  const world = makeWorld({ shards: 1, sweep: { pageSize: PAGE, openAfter: 3, stopBeforeMs: 2_000, ...sweep } });
  const { process, clock, issuer, ledger } = world;
  for (let n = 0; n < rows; n += 1) await process().getToken(`user${n}`, { validitySeconds: 3_000 });
  issuer.revokeFault = () => 'down';
  for (let n = 0; n < rows; n += 1) {
    await clock.drive(process().revoke(`user${n}`));
    await clock.advance(10);
  }
  issuer.revokeFault = undefined;
  issuer.calls.revoke.length = 0;
  await clock.advance(600_000);
  const pages: number[] = [];
  const dueAts: number[] = [];
  const counting: TokenLedger = {
    ...ledger,
    async due(...args) {
      const page = await ledger.due(...args);
      pages.push(page.leases.length);
      dueAts.push(page.leases.at(-1)?.dueAt ?? NaN);
      return page;
    },
  };
  const run = (inMs = 60_000) => clock.drive(process({ ledger: counting }).sweep(clock.now() + inMs));
  return { ...world, pages, dueAts, run };
}

/** Age of the row that has been due the longest, ms. */
async function oldestAge({ ledger, clock }: World): Promise<number> {
  const { leases } = await ledger.due(0, clock.now(), 1, undefined, Infinity);
  return clock.now() - (leases[0]?.dueAt ?? NaN);
}

test('a run goes through all pages, and the last one is no reason to call it unfinished', async () => {
  const { run, pages } = await shardOf(2 * PAGE);
  expect(await run()).toMatchObject({ due: 10, revoked: 10, unfinished: false, oldestDueAgeMs: 0 });
  expect(pages).toEqual([PAGE, PAGE]);
});

test('with the circuit open it looks at one more page, finds nothing to do without a call, and leaves the rest', async () => {
  const shard = await shardOf(6 * PAGE, { width: 1 });
  const { run, pages, issuer } = shard;
  issuer.revokeFault = () => 'down';
  const tally = await run();
  expect(issuer.calls.revoke).toHaveLength(3);
  expect(pages).toEqual([PAGE, PAGE]);
  expect(tally).toMatchObject({ due: 10, retried: 3, unfinished: true });
  expect(tally.oldestDueAgeMs).toBe(await oldestAge(shard));
});

test('with the circuit open it goes on for as long as pages hold rows that need no call', async () => {
  const { run, pages, issuer, clock } = await shardOf(3 * PAGE, { width: 1 });
  issuer.revokeFault = () => 'down';
  await clock.advance(3_000_000);
  expect(await run()).toMatchObject({ due: 15, expired: 15, unfinished: false });
  expect(pages).toEqual([PAGE, PAGE, PAGE]);
});

test('a run whose time is over in the midst of a page leaves the rest of it and all other pages', async () => {
  const shard = await shardOf(3 * PAGE, { width: 1 });
  const { run, pages, issuer } = shard;
  issuer.revokeMs = 1_000;
  const tally = await run(2_000 + 2_500);
  expect(tally).toMatchObject({ due: PAGE, unfinished: true });
  expect(tally.revoked + tally.retried).toBeGreaterThanOrEqual(2);
  expect(tally.revoked + tally.retried).toBeLessThan(PAGE);
  expect(pages).toEqual([PAGE]);
  expect(tally.oldestDueAgeMs).toBe(await oldestAge(shard));
});

test('a run whose time is over with the last page done has left nothing', async () => {
  const { run, issuer } = await shardOf(2, { width: 1 });
  issuer.revokeMs = 1_000;
  expect(await run(2_000 + 1_500)).toMatchObject({ due: 2, revoked: 2, unfinished: false, oldestDueAgeMs: 0 });
});

const NOTHING = { revoked: 0, expired: 0, retried: 0, stuck: 0, orphaned: 0, oldestDueAgeMs: 0, unfinished: false };

/** The index lags: it still shows rows that another run has ended, in pages before `fresh` of those that are due. */
async function laggingShard(stale: number, fresh: number) {
  const shard = await shardOf(stale + fresh, { width: 1 });
  const { ledger, process, clock } = shard;
  const leases = [...(await ledger.due(0, clock.now(), 100, undefined, Infinity)).leases];
  const pageOf = (from: number) => ({ leases: leases.slice(from, from + PAGE), next: String(from + PAGE) });
  const pages: number[] = [];
  const lagging: TokenLedger = {
    ...ledger,
    async due(_shard, _until, _limit, cursor) {
      const from = Number(cursor ?? 0);
      pages.push(from);
      return from + PAGE >= leases.length ? { leases: leases.slice(from) } : pageOf(from);
    },
  };
  const end = async (from: number, to: number) => {
    for (const [index, lease] of leases.slice(from, to).entries()) {
      await ledger.transition(lease, { to: 'revoked', dueAt: null }, Infinity);
      // Of the others' making too: past its end, so that it would be closed without a call.
      leases[from + index] = { ...lease, endsAt: lease.reservedAt, latestEndAt: lease.reservedAt };
    }
  };
  const run = () => clock.drive(process({ ledger: lagging }).sweep(clock.now() + 60_000));
  return { ...shard, pages, end, run };
}

test('rows that another run has ended are passed over, and no reason to stop', async () => {
  const { run, end, pages } = await laggingShard(PAGE, 2);
  await end(0, PAGE);
  expect(await run()).toEqual({ ...NOTHING, due: PAGE + 2, revoked: 2 });
  expect(pages).toEqual([0, PAGE]);
});

test('nor do they count as something done once the circuit is open', async () => {
  const { run, end, pages, issuer } = await laggingShard(2 * PAGE, 2 * PAGE);
  await end(PAGE, 2 * PAGE);
  issuer.revokeFault = () => 'down';
  expect(await run()).toMatchObject({ due: 2 * PAGE, retried: 3, unfinished: true });
  expect(pages).toEqual([0, PAGE]);
});

describe('rows that only have to be closed, while every write takes a second,', () => {
  async function expiredShard(rows: number) {
    const shard = await shardOf(rows, { width: 1 });
    await shard.clock.advance(3_000_000);
    shard.ledger.afterCall = (call) => (call === 'transition' ? shard.clock.sleep(1_000) : undefined);
    return shard;
  }

  test('are left from the very moment that the time is over', async () => {
    const shard = await expiredShard(PAGE);
    expect(await shard.run(2_000 + 2_000)).toMatchObject({ due: PAGE, expired: 2, unfinished: true });
  });

  test('and the next page is left too, with the age of the last row that was seen', async () => {
    const { run, pages, dueAts, clock } = await expiredShard(2 * PAGE);
    const tally = await run(2_000 + PAGE * 1_000);
    expect(tally).toMatchObject({ due: PAGE, expired: PAGE, unfinished: true });
    expect(pages).toEqual([PAGE]);
    expect(tally.oldestDueAgeMs).toBe(clock.now() - (dueAts[0] ?? NaN));
  });
});
