import { type CutOffSettings, workOffCutOffs } from '../../../functions/broker/cut-off-work.ts';
import type { SignalName } from '../../../functions/contract/signals.ts';
import { type BlockScope, EVER } from '../../../functions/broker/blocks.ts';
import type { Change } from '../../../functions/broker/ports.ts';
import type { WhoSelection } from '../../../functions/broker/use-cases.ts';
import { caller, makeWorld } from '../../support/broker-world.ts';
import { START } from '../../support/fake-clock.ts';
import { signedIn } from '../../support/shut-out.ts';

const SETTINGS: CutOffSettings = {
  ...{ pageSize: 2, cutOffWidth: 2, blockWidth: 2 },
  ...{ settleMs: 120_000, longestLifeMs: 3_600_000 },
};
const END = START + 3_600_000;
const MINT_BY = START + 10_000;
const LIVE: Change = { to: 'live', dueAt: END, endsAt: END, expiresAt: END, token: 't' };

interface Row {
  readonly user: string;
  readonly orgId?: number;
  readonly reservedAt?: number;
  readonly steps?: readonly Change[];
}

async function worldWith(rows: readonly Row[], scope: BlockScope = { kind: 'all' }, shards = 3) {
  const world = makeWorld({ shards });
  const { ledger, clock } = world;
  for (const { user, orgId = 1, reservedAt = START, steps = [LIVE] } of rows) {
    const key = { user, fingerprint: 'print', generation: 1 };
    const about = { shared: false, kind: 'full', rule: 'r', grant: 'g', policyVersion: 'v' } as const;
    const times = { reservedAt, mintDeadlineAt: MINT_BY, latestEndAt: END };
    await ledger.reserve({ ...key, ...about, ...times, orgId, caller: { issuer: 'i', subject: user } }, Infinity);
    for (const step of steps) await ledger.transition(key, step, Infinity);
  }
  await ledger.raiseBlock(scope, { before: START + 1_000 }, Infinity);
  clock.set(START + 2_000);
  const lags: number[] = [];
  const signals = { emit: (name: SignalName, value = 1) => void (name === 'index-lag' && lags.push(value)) };
  const work = (until = Infinity) => workOffCutOffs({ ledger, clock, signals }, SETTINGS, until, Infinity);
  const states = async () =>
    Object.fromEntries((await world.rows()).map(({ user, state, dueAt }) => [user, [state, dueAt]]));
  return { ...world, signals, lags, work, states };
}

const NOW = START + 2_000;
const USERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

test('every row that it covers is due for revocation at once, and one being minted when its minter has had its time', async () => {
  const { work, states } = await worldWith([
    { user: 'live' },
    { user: 'minting', steps: [] },
    { user: 'newer', reservedAt: START + 1_000 },
    { user: 'other', orgId: 2 },
    { user: 'orphan', steps: [{ to: 'orphaned', dueAt: END }] },
    { user: 'revoking', steps: [LIVE, { to: 'revoking', dueAt: END - 5 }] },
    { user: 'done', steps: [LIVE, { to: 'revoked', dueAt: null }] },
  ]);
  expect(await work()).toBe(true);
  expect(await states()).toEqual({
    live: ['revoking', NOW],
    minting: ['revoking', MINT_BY],
    newer: ['live', END],
    other: ['revoking', NOW],
    orphan: ['orphaned', END],
    revoking: ['revoking', END - 5],
    done: ['revoked', undefined],
  });
});

test('that of an org covers its rows alone', async () => {
  const { work, states } = await worldWith([{ user: 'ours' }, { user: 'other', orgId: 2 }], { kind: 'org', orgId: 1 });
  expect(await work()).toBe(true);
  expect(await states()).toEqual({ ours: ['revoking', NOW], other: ['live', END] });
});

test.each([
  [END + 59_999, 'revoking'],
  [END + 60_000, 'live'],
])('at %d a row is %s: what has certainly ended, by any clock, needs no revocation', async (at, state) => {
  const { work, states, clock } = await worldWith([{ user: 'ann' }]);
  clock.set(at);
  await work();
  expect((await states())['ann']?.[0]).toBe(state);
});

test('a pass goes over every page of every shard, and asks for no shard that is not there', async () => {
  const { work, ledger, states } = await worldWith(USERS.map((user) => ({ user })));
  const asked: unknown[] = [];
  ledger.beforeCall = (call, args) => void (call === 'due' && asked.push(args[0]));
  expect(await work()).toBe(true);
  expect([...new Set(asked)]).toEqual([0, 1, 2]);
  expect(asked.length).toBeGreaterThanOrEqual(USERS.length / SETTINGS.pageSize);
  expect(new Set(Object.values(await states()).map(([state]) => state))).toEqual(new Set(['revoking']));
});

test('passes repeat at doubling times until the longest life of a token is over, and it is done then', async () => {
  const { work, ledger, clock } = await worldWith([{ user: 'ann' }]);
  await work();
  const before = START + 1_000;
  let looks = 0;
  ledger.beforeCall = (call) => void (call === 'due' && (looks += 1));
  for (const afterMs of [120_000, 240_000, 480_000, 960_000, 1_920_000, 3_600_000]) {
    expect(ledger.pendingBlocks()).toMatchObject([{ cursor: `${before + afterMs} 0 ` }]);
    looks = 0;
    clock.set(before + afterMs - 1);
    expect([await work(), looks]).toEqual([true, 0]);
    clock.set(before + afterMs);
    expect([await work(), looks]).toEqual([true, 3]);
  }
  expect(ledger.pendingBlocks()).toEqual([]);
});

test('a row that the index hides for 200 s is found by a later pass, and how late is a metric', async () => {
  const { ledger, clock, signals, lags, work, states } = await worldWith([{ user: 'seen' }, { user: 'hidden' }]);
  const hiding = {
    ...ledger,
    async due(...args: Parameters<typeof ledger.due>) {
      const page = await ledger.due(...args);
      if (clock.now() >= START + 200_000) return page;
      return { ...page, leases: page.leases.filter(({ user }) => user !== 'hidden') };
    },
  };
  for (let at = START + 2_000; at < START + 600_000; at += 60_000) {
    clock.set(at);
    await workOffCutOffs({ ledger: hiding, clock, signals }, SETTINGS, Infinity, Infinity);
  }
  expect((await states())['hidden']?.[0]).toBe('revoking');
  expect(lags).toEqual([241]);
  await work();
  expect(lags).toEqual([241]);
});

test('it stops in time, says that it is not complete, and goes on where it stood', async () => {
  const { work, ledger, clock, states } = await worldWith(USERS.map((user) => ({ user })));
  expect(await work(NOW)).toBe(false);
  expect(new Set(Object.values(await states()).map(([state]) => state))).toEqual(new Set(['live']));
  const asked: unknown[] = [];
  ledger.beforeCall = (call, [shard, , , page]) =>
    void (call === 'due' && asked.push(`${String(shard)} ${String(page)}`));
  // Every look takes a second: three of them fit.
  ledger.afterCall = (call) => void (call === 'due' && clock.set(clock.now() + 1_000));
  expect(await work(NOW + 3_000)).toBe(false);
  expect(asked).toHaveLength(3);
  const [half] = ledger.pendingBlocks();
  const where = /^(\d+) (\d+) (.*)$/s.exec(half?.cursor ?? '');
  expect(where?.[1]).toBe(String(NOW));
  expect(await work()).toBe(true);
  expect(asked[3]).toBe(`${where?.[2]} ${where?.[3] === '' ? 'undefined' : where?.[3]}`);
  expect(new Set(asked).size).toBe(asked.length);
  expect(new Set(Object.values(await states()).map(([state]) => state))).toEqual(new Set(['revoking']));
});

test('one that is not complete does not keep another from being worked off', async () => {
  const { work, ledger, clock, states } = await worldWith([{ user: 'ann' }, { user: 'gus', orgId: 2 }], {
    kind: 'org',
    orgId: 1,
  });
  await ledger.raiseBlock({ kind: 'org', orgId: 2 }, { before: START + 1_000 }, Infinity);
  let looks = 0;
  ledger.afterCall = (call) => void (call === 'due' && (looks += 1) === 4 && clock.set(NOW + 10));
  expect(await work(NOW + 5)).toBe(false);
  ledger.afterCall = undefined;
  expect(await work()).toBe(true);
  expect(new Set(Object.values(await states()).map(([state]) => state))).toEqual(new Set(['revoking']));
});

test('a pass writes down where it stands after each page, and touches no row that needs nothing', async () => {
  const { work, ledger } = await worldWith([
    { user: 'orphan', steps: [{ to: 'orphaned', dueAt: END }] },
    { user: 'revoking', steps: [LIVE, { to: 'revoking', dueAt: END - 5 }] },
  ]);
  const calls: string[] = [];
  ledger.beforeCall = (call) => void calls.push(call);
  await work();
  expect(calls.filter((call) => call === 'advanceBlock')).toHaveLength(calls.filter((call) => call === 'due').length);
  expect(calls).not.toContain('transition');
});

test('a pass goes on in any shard, whatever its number, and at the page that it had come to', async () => {
  const { work, ledger, clock, signals } = await worldWith(
    USERS.map((user) => ({ user })),
    { kind: 'all' },
    12,
  );
  const [cutOff] = ledger.pendingBlocks();
  if (!cutOff) throw new Error('there is no cut-off');
  const asked: unknown[] = [];
  const paged = {
    ...ledger,
    due: async (...[shard, , , page]: Parameters<typeof ledger.due>) => {
      asked.push([shard, page]);
      return Promise.resolve({ leases: [] });
    },
  };
  for (const [cursor, first] of [
    [`${NOW} 11 `, [11, undefined]],
    [`${NOW} 10 a page`, [10, 'a page']],
  ] as const) {
    asked.length = 0;
    await ledger.advanceBlock(cutOff, cursor, EVER, Infinity);
    await workOffCutOffs({ ledger: paged, clock, signals }, SETTINGS, Infinity, Infinity);
    expect(asked[0]).toEqual(first);
    await ledger.raiseBlock({ kind: 'all' }, { before: START + 1_000 }, Infinity);
  }
  expect(await work()).toBe(true);
});

test('a thousand logouts are not a thousand passes over the table: each is worked off by what is its own', async () => {
  const world = makeWorld({ shards: 4 });
  const { clock, process, ledger, issuer } = world;
  for (const name of ['ann', 'bob', 'cy']) await process().getToken(signedIn(name, clock.now()));
  await clock.advance(1_000);
  for (let n = 0; n < 1_000; n += 1) {
    const whom = n === 0 ? 'ann' : `nobody-${n}`;
    const scope: WhoSelection = { kind: 'session', issuer: caller('ann').issuer, session: `sid-${whom}` };
    await process().shutOut(
      scope,
      { kind: 'sign-out', issuedUpTo: clock.now() },
      { kind: 'event', source: 'logout', name: 'app' },
    );
  }
  await clock.advance(130_000);
  const calls = new Map<string, number>();
  ledger.beforeCall = (call) => void calls.set(call, (calls.get(call) ?? 0) + 1);
  await clock.drive(process().sweep());
  // One look at each shard for what is due, as ever, and one at each session.
  expect(calls.get('due')).toBe(4);
  expect([calls.get('unfinishedOfSession'), calls.get('unfinishedOfUser')]).toEqual([1_000, undefined]);
  expect(issuer.live()).toHaveLength(2);
});
