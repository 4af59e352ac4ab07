import { Failure } from '../../../functions/broker/failure.ts';
import { asOperator, EVENT, makeWorld, type World } from '../../support/broker-world.ts';
import type { FakeIssuer } from '../../support/fake-issuer.ts';

const states = async (world: World) => (await world.rows()).map(({ state }) => state).sort();

/** Mints one token each for `count` users, then moves their rows to `revoking` with ThoughtSpot down. */
async function revokingRows(world: World, count: number): Promise<void> {
  const { process, issuer, clock } = world;
  for (let n = 0; n < count; n += 1) await process().getToken(`user${n}`);
  await clock.advance(5_000);
  await process().revoke(EVENT, { kind: 'all' });
  issuer.revokeFault = () => 'refused';
  await clock.drive(process().sweep(clock.now() + 7_020));
  issuer.revokeFault = undefined;
  issuer.calls.revoke.length = 0;
}

test.each([1, 4, 16, 100])('no run has more than 64 tokens open at once, over %d shards', async (shards) => {
  const world = makeWorld({ shards, sweep: { ratePerSecond: 10_000, maxInFlight: 1_000 } });
  const { process, issuer, clock, ledger } = world;
  for (let n = 0; n < 300; n += 1) await process().getToken(`user${n}`);
  await clock.advance(5_000);
  await process().revoke(EVENT, { kind: 'all' });
  issuer.revokeMs = 100;
  const open = new Set<string>();
  let most = 0;
  const token: typeof ledger.token = async (key, deadline) => {
    const opened = await ledger.token(key, deadline);
    if (opened !== undefined) most = Math.max(most, open.add(opened).size);
    return opened;
  };
  const revoke: typeof issuer.revoke = async (presented, ...rest) => {
    const outcome = await issuer.revoke(presented, ...rest);
    open.delete(presented);
    return outcome;
  };
  const swept = process({ ledger: { ...ledger, token }, issuer: { ...issuer, revoke } }).sweep(clock.now() + 60_000);
  expect(await clock.drive(swept)).toMatchObject({ revoked: 300 });
  expect(most).toBeGreaterThan(shards === 100 ? 32 : 60);
  expect(most).toBeLessThanOrEqual(64);
});

describe('a due row', () => {
  test('reserved by a minter that died becomes an orphan, and expires a minute after its latest possible end', async () => {
    const world = makeWorld();
    const { process, issuer, clock, signals, audit } = world;
    void process({ issuer: { ...issuer, mint: () => new Promise(() => {}) } }).getToken('ann');
    await clock.advance(13_999);
    expect(await process().sweep()).toMatchObject({ due: 0 });
    await clock.advance(1);
    expect(await process().sweep()).toMatchObject({ due: 1, orphaned: 1 });
    expect(signals.get('orphan-seen')).toBe(1);
    const [row] = await world.rows();
    expect(row).toMatchObject({ state: 'orphaned', dueAt: (row?.latestEndAt ?? 0) + 60_000 });
    await clock.advance((row?.dueAt ?? 0) - clock.now() - 1);
    expect(await process().sweep()).toMatchObject({ due: 0 });
    await clock.advance(1);
    expect(await process().sweep()).toMatchObject({ due: 1, expired: 1 });
    expect(audit.slice(-2).map(({ action }) => action)).toEqual(['orphan', 'expire']);
  });

  test('that is live expires a minute after its own end, without a call', async () => {
    const world = makeWorld();
    const { process, clock, issuer } = world;
    await process().getToken('ann');
    await clock.advance(359_999);
    expect(await process().sweep()).toMatchObject({ due: 0 });
    await clock.advance(1);
    expect(await process().sweep()).toMatchObject({ due: 1, expired: 1 });
    expect(issuer.calls.revoke).toEqual([]);
  });

  test('is not closed while its token lives by a sweep whose clock runs 30 s ahead', async () => {
    const world = makeWorld();
    const { process, clock, issuer } = world;
    const { token } = await process().getToken('ann');
    const ahead = process({ clock: { ...clock, now: () => clock.now() + 30_000 } });
    for (let at = 0; at < 300; at += 1) {
      await clock.drive(ahead.sweep(clock.now() + 90_000));
      expect([issuer.isLive(token), ...(await states(world))]).toEqual([true, 'live']);
      await clock.advance(1_000);
    }
  });

  test('that may outlive what was asked is revoked at the end that was asked', async () => {
    const { process, clock, issuer } = makeWorld();
    issuer.reply = (minted) => ({ ...minted, longestLifetimeMs: 86_400_000 });
    const { token } = await process().getToken('ann');
    issuer.offsetMs = -60_000;
    await clock.advance(305_000);
    expect(await process().sweep()).toMatchObject({ revoked: 1 });
    expect(issuer.calls.revoke).toEqual([token]);
  });

  test('revoking without a token waits for its minter, then is an orphan', async () => {
    const world = makeWorld();
    const { process, issuer, clock } = world;
    void process({ issuer: { ...issuer, mint: () => new Promise(() => {}) } }).getToken('ann');
    await clock.advance(1_000);
    await process().revoke('ann', undefined, undefined, clock.now() + 1_000);
    await clock.advance(2_000);
    await process().sweep();
    expect(await states(world)).toEqual(['revoking']);
    await clock.advance(14_000);
    expect(await process().sweep()).toMatchObject({ orphaned: 1 });
  });

  test('that is revoking past its end expires without a call', async () => {
    const { process, issuer, clock } = makeWorld();
    await process().getToken('ann');
    issuer.revokeFault = () => 'down';
    await process().revoke('ann');
    await clock.advance(400_000);
    expect(await process().sweep()).toMatchObject({ expired: 1, revoked: 0 });
    expect(issuer.calls.revoke).toHaveLength(1);
  });
});

test('an orphan that is looked at early is not closed', async () => {
  const world = makeWorld();
  const { process, issuer, ledger, clock } = world;
  issuer.mintFault = () => 'lost';
  await process()
    .getToken('ann')
    .catch(() => {});
  const early = { ...ledger, due: async (shard: number) => ({ leases: shard === 0 ? await world.rows() : [] }) };
  expect(await clock.drive(process({ ledger: early }).sweep())).toMatchObject({ due: 1, expired: 0 });
  expect(await states(world)).toEqual(['orphaned']);
});

describe('a revocation that fails', () => {
  test('is tried again, after 1 s doubling to 5 min, and never given up before the end of the token', async () => {
    const world = makeWorld({ randomness: () => 0.999_999, grant: () => ({ validitySeconds: 3_600 }) });
    const { process, issuer, clock, signals } = world;
    const { token } = await process().getToken('ann');
    issuer.revokeFault = () => 'refused';
    await clock.drive(process().revoke('ann'));
    const waits: number[] = [];
    while (waits.length < 100) {
      const [row] = await world.rows();
      if (row?.state !== 'revoking') break;
      expect(issuer.isLive(token)).toBe(true);
      waits.push((row.dueAt ?? 0) - clock.now());
      await clock.advance((row.dueAt ?? 0) - clock.now());
      await clock.drive(process().sweep());
    }
    expect(waits.slice(0, 10)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300].map((seconds) => seconds * 1_000));
    expect(waits.length).toBeGreaterThan(15);
    expect(await states(world)).toEqual(['expired']);
    expect(issuer.isLive(token)).toBe(false);
    expect(signals.get('stuck')).toBe(waits.length - 4);
  });

  test('is done as soon as ThoughtSpot confirms', async () => {
    const world = makeWorld();
    const { process, issuer, clock } = world;
    await process().getToken('ann');
    issuer.revokeFault = () => 'down';
    await clock.drive(process().revoke('ann'));
    issuer.revokeFault = undefined;
    await clock.advance(60_000);
    expect(await process().sweep()).toMatchObject({ revoked: 1, retried: 0 });
    expect(await states(world)).toEqual(['revoked']);
  });

  test.each<[string, (issuer: FakeIssuer, token: string) => void, 'revoked' | 'expired']>([
    ['a user who is inactive, until ThoughtSpot confirms', ({ inactive }) => void inactive.add('ann'), 'revoked'],
    [
      'a token that somebody else revoked, until its end',
      (issuer, token) => issuer.revoke(token, 'ann', Infinity),
      'expired',
    ],
  ])(
    'because the token is not accepted now counts as done, and is tried again at growing pauses: %s',
    async (_, close, over) => {
      const world = makeWorld({ randomness: () => 0.999_999, grant: () => ({ validitySeconds: 3_600 }) });
      const { process, issuer, clock, signals, audit } = world;
      const { token } = await process().getToken('ann');
      close(issuer, token);
      expect(await clock.drive(process().revoke('ann'))).toEqual({ revoked: 1, pending: 0 });
      await clock.advance(1_000);
      const waits: number[] = [];
      while (waits.length < 6) {
        expect(await clock.drive(process().sweep())).toMatchObject({ revoked: 0, retried: 1, stuck: 0 });
        const [row] = await world.rows();
        expect(row).toMatchObject({ state: 'revoking', sealed: true });
        waits.push((row?.dueAt ?? 0) - clock.now());
        await clock.advance(waits.at(-1) ?? 0);
      }
      expect(waits).toEqual([2, 4, 8, 16, 32, 64].map((seconds) => seconds * 1_000));
      expect(signals.get('revoked')).toBeUndefined();
      issuer.inactive.clear();
      expect(issuer.isLive(token)).toBe(over === 'revoked');
      if (over === 'expired') await clock.advance(3_600_000);
      expect(await clock.drive(process().sweep())).toMatchObject({ [over]: 1, retried: 0 });
      expect([issuer.isLive(token), await states(world)]).toEqual([false, [over]]);
      expect(audit.at(-1)).toMatchObject({ action: over === 'revoked' ? 'revoke' : 'expire' });
    },
  );

  test('because the token cannot be opened is tried again too', async () => {
    const world = makeWorld();
    const { process, ledger, clock } = world;
    await process().getToken('ann');
    await clock.advance(2_000);
    await process().revoke(EVENT, { kind: 'all' });
    ledger.beforeCall = (call) => {
      if (call === 'token') throw new Failure('key-unavailable');
    };
    expect(await process().sweep()).toMatchObject({ retried: 1 });
    ledger.beforeCall = undefined;
    await clock.advance(2_000);
    expect(await process().sweep()).toMatchObject({ revoked: 1 });
  });
});

describe('one run', () => {
  test('does not exceed its rate, in any second', async () => {
    const world = makeWorld({ sweep: { ratePerSecond: 20 } });
    const { process, issuer, clock } = world;
    await revokingRows(world, 300);
    await clock.advance(10_000);
    const times: number[] = [];
    const timed = {
      ...issuer,
      revoke: (...args: Parameters<typeof issuer.revoke>) => (times.push(clock.now()), issuer.revoke(...args)),
    };
    const tally = await clock.drive(process({ issuer: timed }).sweep());
    expect(tally).toMatchObject({ revoked: 300, unfinished: false, oldestDueAgeMs: 0 });
    for (const from of times)
      expect(times.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(21);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThan(300 * 50 * 1.12);
  });

  test('stops well before its deadline and leaves the rest due', async () => {
    const world = makeWorld({ sweep: { ratePerSecond: 10 } });
    const { process, clock } = world;
    await revokingRows(world, 300);
    await clock.advance(10_000);
    const deadline = clock.now() + 20_000;
    const tally = await clock.drive(process().sweep(deadline));
    expect(clock.now()).toBeLessThan(deadline - 5_000);
    expect(tally.revoked).toBeGreaterThan(100);
    expect(tally).toMatchObject({ unfinished: true });
    expect(tally.oldestDueAgeMs).toBeGreaterThan(10_000);
    expect(await states(world)).toContain('revoking');
    await clock.drive(process().sweep());
    expect(new Set(await states(world))).toEqual(new Set(['revoked']));
  });

  test.each(['down', 'busy'] as const)(
    'costs a few calls when ThoughtSpot is %s, and still closes what has expired',
    async (fault) => {
      const world = makeWorld({ grant: ({ subject }) => ({ validitySeconds: subject.includes('old') ? 60 : 3_600 }) });
      const { process, issuer, clock } = world;
      for (let n = 0; n < 20; n += 1) await process().getToken(`old${n}`);
      await revokingRows(world, 200);
      await clock.advance(120_000);
      issuer.revokeFault = () => fault;
      issuer.revokeMs = 5_000;
      const tally = await clock.drive(process().sweep());
      expect(issuer.calls.revoke.length).toBeLessThanOrEqual(8);
      expect(tally).toMatchObject({ expired: 20, revoked: 0, unfinished: true });
      issuer.revokeFault = undefined;
      issuer.revokeMs = 0;
      await clock.advance(20_000);
      expect(await clock.drive(process().sweep())).toMatchObject({ revoked: 200, unfinished: false });
    },
  );

  test('shares its rows with one that overlaps: no token is presented twice', async () => {
    const world = makeWorld();
    const { process, issuer, clock } = world;
    await revokingRows(world, 100);
    await clock.advance(10_000);
    issuer.revokeMs = 700;
    const tallies = await clock.drive(Promise.all([process().sweep(), process().sweep()]));
    expect(tallies.map(({ revoked }) => revoked).reduce((sum, revoked) => sum + revoked)).toBe(100);
    expect(issuer.calls.revoke).toHaveLength(100);
  });

  test('goes on with the other shards when one fails', async () => {
    const world = makeWorld();
    const { process, ledger, clock } = world;
    await revokingRows(world, 40);
    await clock.advance(10_000);
    ledger.beforeCall = (call, [shard]) => {
      if (call === 'due' && shard === 1) throw new Failure('ledger-unavailable');
    };
    const tally = await clock.drive(process().sweep());
    expect(tally.revoked).toBeGreaterThan(10);
    expect(tally.unfinished).toBe(true);
  });

  test('throws if it could do nothing at all', async () => {
    const { process, ledger } = makeWorld();
    ledger.beforeCall = () => {
      throw new Failure('ledger-denied');
    };
    await expect(process().sweep()).rejects.toMatchObject({ code: 'ledger-denied' });
  });
});

describe('rows that cannot be opened, KMS being away', () => {
  test.each([0.25, 0.5, 0.9])('(%d of them) hold up none of the others', async (share) => {
    const world = makeWorld();
    const { process, ledger, issuer, clock, signals } = world;
    await revokingRows(world, 200);
    await clock.advance(400);
    const poisoned = ({ user }: { readonly user: string }) => Number(user.slice(4)) < share * 200;
    const kmsAway = {
      ...ledger,
      token: async (...[key, deadline]: Parameters<typeof ledger.token>) => {
        if (poisoned(key)) throw new Failure('key-unavailable');
        return ledger.token(key, deadline);
      },
    };
    const openable = 200 - share * 200;
    for (let run = 0; run < 3; run += 1) {
      await clock.drive(process({ ledger: kmsAway }).sweep());
      await clock.advance(60_000 - (clock.now() % 60_000));
    }
    expect(issuer.calls.revoke).toHaveLength(openable);
    const rows = await world.rows();
    expect(rows.filter(({ state }) => state === 'revoked')).toHaveLength(openable);
    expect(rows.filter(poisoned).every(({ state }) => state === 'revoking')).toBe(true);
    expect(signals.get('key-unavailable')).toBeGreaterThanOrEqual(2 * share * 200);
    await clock.drive(process().sweep());
    expect(issuer.live()).toEqual([]);
  });
});

describe('a cut-off', () => {
  test('is worked off over many runs, each in its time, and is done only when all that it covers has ended', async () => {
    const world = makeWorld({ sweep: { pageSize: 10 } });
    const { process, ledger, clock, issuer } = world;
    for (let n = 0; n < 200; n += 1) await process().getToken(`user${n}`);
    await clock.advance(5_000);
    issuer.revokeFault = () => 'refused';
    await process().revoke(asOperator(), { kind: 'org', orgId: 1 });
    await process().getToken('user7');
    // Each ledger call takes a while: a run gets through some pages only.
    ledger.afterCall = () => clock.sleep(100);
    const tally = await clock.drive(process().sweep(clock.now() + 9_000));
    ledger.afterCall = undefined;
    expect(tally.unfinished).toBe(true);
    const [half] = ledger.pendingBlocks();
    expect(half?.cursor).toBeDefined();
    expect(new Set(await states(world))).toEqual(new Set(['live', 'revoking']));
    await clock.drive(process().sweep());
    expect((await states(world)).filter((state) => state === 'live')).toHaveLength(1);
    expect(ledger.pendingBlocks()).toHaveLength(1);
    const day = clock.now() + 86_700_000;
    for (let wait = 120_000; clock.now() < day; wait *= 2) {
      expect(ledger.pendingBlocks()).toHaveLength(1);
      await clock.advance(wait);
      await clock.drive(process().sweep());
    }
    await clock.drive(process().sweep());
    expect(ledger.pendingBlocks()).toEqual([]);
  });

  test('takes a row from its minter, so that it cannot become live any more', async () => {
    const world = makeWorld();
    const { process, issuer, clock } = world;
    issuer.mintMs = 4_000;
    const minting = process()
      .getToken('ann')
      .catch(() => 'withheld');
    await clock.advance(2_000);
    await process().revoke(EVENT, { kind: 'all' });
    const sweeping = process().sweep();
    await clock.advance(1_000);
    expect(await states(world)).toEqual(['revoking']);
    await clock.drive(sweeping);
    expect(await clock.drive(minting)).toBe('withheld');
    expect(await states(world)).toEqual(['revoked']);
  });

  test('takes a row that the index showed late', async () => {
    const world = makeWorld({ shards: 1 });
    const { process, ledger, clock } = world;
    await process().getToken('ann');
    await clock.advance(5_000);
    await process().revoke(EVENT, { kind: 'all' });
    await clock.drive(process({ ledger: { ...ledger, due: async () => ({ leases: [] }) } }).sweep());
    expect(await states(world)).toEqual(['live']);
    await clock.advance(130_000);
    await clock.drive(process().sweep());
    expect(await states(world)).toEqual(['revoked']);
  });
});
