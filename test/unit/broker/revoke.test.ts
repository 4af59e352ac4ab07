import { Failure } from '../../../functions/broker/failure.ts';
import type { RevokeSelection, Revoker } from '../../../functions/broker/use-cases.ts';
import { asCaller, asOperator, EVENT, makeWorld, type World } from '../../support/broker-world.ts';
import { codeOf } from '../../support/failure-code.ts';

const states = async (world: ReturnType<typeof makeWorld>) =>
  (await world.rows()).map(({ user, state }) => `${user} ${state}`).sort();

describe('a caller', () => {
  test("ends all of its own leases, and nobody else's", async () => {
    const world = makeWorld();
    const { process, issuer, clock } = world;
    await process().getToken('ann');
    await process().getToken('ann', { grant: 'viewer' });
    const others = await Promise.all(['ann/phone', 'bob', 'shared/ann'].map((name) => process().getToken(name)));
    expect(await clock.drive(process().revoke('ann'))).toEqual({ revoked: 2, pending: 0 });
    expect(
      issuer
        .live()
        .map(({ token }) => token)
        .sort(),
    ).toEqual(others.map(({ token }) => token).sort());
    expect(await process().revoke('ann')).toEqual({ revoked: 0, pending: 0 });
  });

  test('is never served a revoked token again', async () => {
    const { process, issuer } = makeWorld();
    const first = await process().getToken('ann');
    issuer.revokeFault = () => 'down';
    await process().revoke('ann');
    const second = await process().getToken('ann');
    expect(second.token).not.toBe(first.token);
  });

  test('finds leases that the index by caller does not show yet', async () => {
    const { process, ledger, issuer } = makeWorld();
    await process().getToken('ann');
    const lagging = { ...ledger, unfinishedOfCaller: async function* () {} };
    expect(await process({ ledger: lagging }).revoke('ann')).toEqual({ revoked: 1, pending: 0 });
    expect(issuer.live()).toEqual([]);
  });

  test('does not read what others hold under the same ThoughtSpot user', async () => {
    const { process, ledger } = makeWorld();
    for (let device = 1; device <= 50; device += 1) await process().getToken(`ann/${device}`);
    let read = 0;
    const counting: typeof ledger = {
      ...ledger,
      async *unfinishedOfUser(...asked) {
        for await (const lease of ledger.unfinishedOfUser(...asked)) {
          read += 1;
          yield lease;
        }
      },
    };
    expect(await process({ ledger: counting }).revoke('ann/7')).toEqual({ revoked: 1, pending: 0 });
    expect(read).toBe(1);
  });

  test('ends one lease by its handle, as often as it likes', async () => {
    const world = makeWorld();
    const { process } = world;
    const { lease } = await process().getToken('ann');
    await process().getToken('ann', { grant: 'viewer' });
    const one: RevokeSelection = { kind: 'lease', leaseId: lease.leaseId };
    expect(await process().revoke('ann', one)).toEqual({ revoked: 1, pending: 0 });
    world.signals.clear();
    const calls: string[] = [];
    world.ledger.beforeCall = (call) => void calls.push(call);
    expect(await process().revoke('ann', one)).toEqual({ revoked: 1, pending: 0 });
    expect([calls, [...world.signals]]).toEqual([['byLeaseId'], []]);
    expect(await states(world)).toEqual(['ann live', 'ann revoked']);
  });

  test('ends one lease by its token', async () => {
    const world = makeWorld();
    const held = ['one', 'two', 'three'].map((grant) => world.process().getToken('ann', { grant }));
    const [one, two, three] = await Promise.all(held);
    for (const issued of [two, three]) {
      const token = issued?.token ?? '';
      expect(await world.process().revoke('ann', { kind: 'token', token })).toEqual({ revoked: 1, pending: 0 });
      expect(world.issuer.isLive(token)).toBe(false);
    }
    expect(world.issuer.live().map(({ token }) => token)).toEqual([one?.token]);
    expect(world.issuer.calls.sessionInfo).toBe(0);
  });

  test('whose lease ends while it is revoked has it counted, and ThoughtSpot is not called', async () => {
    const world = makeWorld();
    const { lease } = await world.process().getToken('ann');
    await world.ledger.transition(lease, { to: 'expired', dueAt: null }, Infinity);
    world.signals.clear();
    const calls: string[] = [];
    world.ledger.beforeCall = (call) => void calls.push(call);
    const late = { ...world.ledger, byLeaseId: async () => Promise.resolve(lease) };
    const tally = await world.process({ ledger: late }).revoke('ann', { kind: 'lease', leaseId: lease.leaseId });
    expect(tally).toEqual({ revoked: 1, pending: 0 });
    expect([calls, [...world.signals]]).toEqual([['transition', 'get'], []]);
  });

  test('counts a token that was revoked before as revoked, for its owner only', async () => {
    const { process } = makeWorld();
    const { token } = await process().getToken('ann');
    await process().revoke('ann', { kind: 'token', token });
    expect(await process().revoke('ann', { kind: 'token', token })).toEqual({ revoked: 1, pending: 0 });
    expect(await codeOf(process().revoke('bob', { kind: 'token', token }))).toBe('lease-not-found');
  });

  test('finds a token among its unfinished rows, which the index need not show yet', async () => {
    const { process, ledger, issuer } = makeWorld();
    const { token } = await process().getToken('ann');
    const late = { ...ledger, withDigest: async function* () {} };
    const tally = await process({ ledger: late }).revoke('ann', { kind: 'token', token });
    expect([tally, issuer.live()]).toEqual([{ revoked: 1, pending: 0 }, []]);
  });

  test("cannot distinguish another caller's lease from one that does not exist", async () => {
    const { process, issuer } = makeWorld();
    const bobs = await process().getToken('bob');
    const shared = await process().getToken('shared/ann');
    const tries: RevokeSelection[] = [
      { kind: 'lease', leaseId: 'no-such-lease' },
      { kind: 'lease', leaseId: bobs.lease.leaseId },
      { kind: 'lease', leaseId: shared.lease.leaseId },
      { kind: 'token', token: 'no-such-token' },
      { kind: 'token', token: bobs.token },
      { kind: 'token', token: shared.token },
    ];
    for (const selection of tries) expect(await codeOf(process().revoke('ann', selection))).toBe('lease-not-found');
    expect(await codeOf(process().revoke('shared/ann', { kind: 'token', token: shared.token }))).toBe(
      'lease-not-found',
    );
    expect(issuer.live()).toHaveLength(2);
    expect(issuer.calls.sessionInfo).toBe(0);
  });

  test.each<RevokeSelection>([{ kind: 'user', userNames: ['bob'] }, { kind: 'org', orgId: 1 }, { kind: 'all' }])(
    'without the scope may not revoke by $kind',
    async (selection) => {
      const { process, ledger } = makeWorld();
      await process().getToken('bob');
      expect(await codeOf(process().revoke('ann', selection))).toBe('insufficient-scope');
      expect(ledger.pendingBlocks()).toEqual([]);
    },
  );
});

describe('state first, ThoughtSpot second', () => {
  test('every row is revoking before ThoughtSpot hears of any', async () => {
    const world = makeWorld();
    const { process, issuer, ledger, clock } = world;
    for (const grant of ['a', 'b', 'c']) await process().getToken('ann', { grant });
    const seen: string[][] = [];
    const watched = {
      ...issuer,
      revoke: async (...args: Parameters<typeof issuer.revoke>) => {
        seen.push(await states(world));
        return issuer.revoke(...args);
      },
    };
    await clock.drive(process({ issuer: watched, ledger }).revoke('ann'));
    expect(seen[0]).toEqual(['ann revoking', 'ann revoking', 'ann revoking']);
  });

  test('what does not fit the time budget is left to the sweep', async () => {
    const world = makeWorld({ revoke: { maxInFlight: 2 } });
    const { process, issuer, clock } = world;
    for (let n = 0; n < 30; n += 1) await process().getToken('ann', { grant: `g${n}` });
    issuer.revokeMs = 1_500;
    const startedAt = clock.now();
    const tally = await clock.drive(process().revoke('ann'));
    expect(clock.now() - startedAt).toBeLessThanOrEqual(12_000);
    expect(tally.revoked).toBeGreaterThan(5);
    expect(tally.revoked + (tally.pending ?? 0)).toBe(30);
    expect((await states(world)).filter((state) => state === 'ann live')).toEqual([]);
    await clock.advance(20_000);
    await clock.drive(process().sweep());
    expect(issuer.live()).toEqual([]);
  });

  test('an outage of ThoughtSpot is pending, costs a few calls, and loses nothing', async () => {
    const world = makeWorld();
    const { process, issuer, clock } = world;
    for (let n = 0; n < 40; n += 1) await process().getToken('ann', { grant: `g${n}` });
    issuer.revokeFault = () => 'down';
    expect(await clock.drive(process().revoke('ann'))).toEqual({ revoked: 0, pending: 40 });
    expect(issuer.calls.revoke.length).toBeLessThan(10);
    issuer.revokeFault = undefined;
    await clock.advance(30_000);
    expect(await clock.drive(process().sweep())).toMatchObject({ revoked: 40, unfinished: false });
  });

  test('a row being minted is taken from its minter, and is pending', async () => {
    const { process, issuer, clock } = makeWorld();
    issuer.mintMs = 1_000;
    const minting = codeOf(process().getToken('ann'));
    await clock.advance(100);
    expect(await process().revoke('ann')).toEqual({ revoked: 0, pending: 1 });
    expect(await clock.drive(minting)).toBe('superseded-by-revocation');
  });

  test('two at once call ThoughtSpot once', async () => {
    const { process, issuer, clock } = makeWorld();
    await process().getToken('ann');
    issuer.revokeMs = 500;
    const both = await clock.drive(Promise.all([process().revoke('ann'), process().revoke('ann')]));
    expect(issuer.calls.revoke).toHaveLength(1);
    expect(both).toContainEqual({ revoked: 1, pending: 0 });
    expect(both).toContainEqual({ revoked: 0, pending: 1 });
  });

  test('is not accepted if the ledger cannot be written', async () => {
    const { process, ledger, issuer } = makeWorld();
    await process().getToken('ann');
    ledger.beforeCall = (call) => {
      if (call === 'transition') throw new Failure('ledger-unavailable');
    };
    expect(await codeOf(process().revoke('ann'))).toBe('ledger-unavailable');
    expect(issuer.calls.revoke).toEqual([]);
  });

  test('is accepted if the ledger fails after the state', async () => {
    const { process, ledger, clock } = makeWorld();
    await process().getToken('ann');
    ledger.beforeCall = (call) => {
      if (call === 'token') throw new Failure('ledger-unavailable');
    };
    expect(await clock.drive(process().revoke('ann'))).toEqual({ revoked: 0, pending: 1 });
  });
});

describe('an operator', () => {
  test('ends leases by user names, in any spelling, for all callers', async () => {
    const { process, issuer, clock } = makeWorld();
    for (const name of ['ann', 'ann/phone', 'bob', 'cy']) await process().getToken(name);
    const selection = { kind: 'user', userNames: ['ANN', ' bob', 'Ann'] } as const;
    const tally = await clock.drive(process().revoke(asOperator(), selection));
    expect(tally).toEqual({ revoked: 3, pending: 0 });
    expect(issuer.live().map(({ user }) => user)).toEqual(['cy']);
  });

  test('ends a shared lease', async () => {
    const { process, issuer } = makeWorld();
    const { lease } = await process().getToken('shared/ann');
    await process().revoke(asOperator(), { kind: 'lease', leaseId: lease.leaseId });
    expect(issuer.live()).toEqual([]);
  });

  test("ends anybody's token", async () => {
    const world = makeWorld();
    await world.process().getToken('bob', { grant: 'viewer' });
    const { token } = await world.process().getToken('bob');
    expect(await world.process().revoke(asOperator(), { kind: 'token', token })).toEqual({ revoked: 1, pending: 0 });
    expect(await states(world)).toEqual(['bob live', 'bob revoked']);
    expect(world.issuer.isLive(token)).toBe(false);
    expect(await world.process().revoke(asOperator(), { kind: 'token', token })).toEqual({ revoked: 1, pending: 0 });
  });

  describe('ends a token whose row is found', () => {
    const down = (): Promise<never> => Promise.reject(new Failure('upstream-unavailable'));

    test.each<[string, (world: World) => void, object]>([
      [
        'while ThoughtSpot is down',
        ({ issuer }) => void (issuer.revokeFault = () => 'down'),
        { revoked: 0, pending: 1 },
      ],
      ['while its user is inactive', ({ issuer }) => void issuer.inactive.add('bob'), { revoked: 1, pending: 0 }],
    ])('first in the ledger, %s, and it is not served again', async (_, disturb, tally) => {
      const world = makeWorld();
      const { process, issuer, clock } = world;
      const { token } = await process().getToken('bob');
      disturb(world);
      const asking = process({ issuer: { ...issuer, sessionInfo: down } });
      expect(await asking.revoke(asOperator(), { kind: 'token', token })).toEqual(tally);
      expect(await states(world)).toEqual(['bob revoking']);
      issuer.inactive.clear();
      issuer.revokeFault = undefined;
      expect(issuer.isLive(token)).toBe(true);
      expect((await process().getToken('bob')).token).not.toBe(token);
      await clock.advance(2_000);
      await clock.drive(process().sweep());
      expect([issuer.isLive(token), await states(world)]).toEqual([false, ['bob live', 'bob revoked']]);
    });

    test('strongly, where the index does not show it yet', async () => {
      const world = makeWorld();
      const { process, issuer, ledger } = world;
      const { token } = await process().getToken('bob');
      const late = { ...ledger, withDigest: async function* () {} };
      const selection = { kind: 'token', token } as const;
      const both = process({ ledger: late, issuer: { ...issuer, sessionInfo: down } });
      expect(await codeOf(both.revoke(asOperator(), selection))).toBe('upstream-unavailable');
      expect(await process({ ledger: late }).revoke(asOperator(), selection)).toEqual({ revoked: 1, pending: 0 });
      expect([issuer.isLive(token), await states(world)]).toEqual([false, ['bob revoked']]);
    });

    test('in every row, should two mints have been answered with one token', async () => {
      const world = makeWorld();
      const { process, issuer, clock } = world;
      const { token } = await process().getToken('bob');
      issuer.reply = (minted) => ({ ...minted, token });
      await process().getToken('bob', { grant: 'other' });
      await clock.drive(process().revoke(asOperator(), { kind: 'token', token }));
      expect((await states(world)).filter((state) => state.endsWith('live'))).toEqual([]);
    });
  });

  test('ends a live token that no row knows', async () => {
    const { process, issuer, clock } = makeWorld();
    issuer.tokens.push({
      token: 'from-elsewhere',
      user: 'eve',
      orgId: 1,
      mintedAt: 0,
      endsAt: clock.now() + 1_000,
      revoked: false,
    });
    const selection = { kind: 'token', token: 'from-elsewhere' } as const;
    issuer.revokeFault = () => 'down';
    expect(await codeOf(process().revoke(asOperator(), selection))).toBe('upstream-unavailable');
    issuer.revokeFault = undefined;
    expect(await process().revoke(asOperator(), selection)).toEqual({ revoked: 1, pending: 0 });
    expect(issuer.live()).toEqual([]);
  });

  test.each<[RevokeSelection, string[]]>([
    [{ kind: 'org', orgId: 2 }, ['ann', 'bob']],
    [{ kind: 'all' }, []],
  ])('cuts off $0.kind at once, and the sweep ends every token', async (selection, survivors) => {
    const { process, issuer, clock, audit } = makeWorld();
    for (const name of ['ann', 'bob', 'gus', 'gil']) await process().getToken(name);
    await clock.advance(5_000);
    issuer.revokeFault = () => 'down';
    expect(await process().revoke(asOperator(), selection)).toEqual({ revoked: 0, pending: null });
    expect(await process().getToken('gus')).toMatchObject({ reused: false });
    expect(audit.find(({ action }) => action === 'cut-off')?.caller).toMatchObject({ subject: 'sub-ops' });
    issuer.revokeFault = undefined;
    await clock.drive(process().sweep());
    expect(
      issuer
        .live()
        .map(({ user }) => user)
        .sort(),
    ).toEqual([...survivors, 'gus'].sort());
  });
});

test('"revoke all" twice within a second ends what was minted between, though the clock of the second is behind', async () => {
  const world = makeWorld();
  const { process, issuer, clock } = world;
  await process().getToken('ann');
  await clock.advance(5_000);
  await process().revoke(asOperator(), { kind: 'all' });
  const between = await process().getToken('ann');
  await clock.advance(500);
  const behind = process({ clock: { ...clock, now: () => clock.now() - 800 } });
  await behind.revoke(asOperator(), { kind: 'all' }, clock.now() - 800);
  await clock.drive(process().sweep());
  expect(issuer.isLive(between.token)).toBe(false);
  expect((await process().getToken('ann')).reused).toBe(false);
});

test('a name of whom no token lives is a count in the answer, a metric and a warning, never a silent nothing', async () => {
  const { process, signals } = makeWorld();
  await process().getToken('ann');
  const asked = { kind: 'user', userNames: ['ann', 'an n', 'nobody'] } as const;
  expect(await process().revoke(asOperator(), asked)).toEqual({ revoked: 1, pending: 0, unmatched: 2 });
  expect(signals.get('unmatched-name')).toBe(2);
});

describe('an event', () => {
  const deprovisioned: Revoker = { kind: 'event', source: 'deprovisioned', name: 'user.deprovisioned' };

  test('covers only what was reserved before it happened, so that a second delivery changes nothing', async () => {
    const { process, issuer, clock, ledger } = makeWorld();
    await process().getToken('ann');
    await clock.advance(1_000);
    const asOf = clock.now();
    const selection = { kind: 'user', userNames: ['ann'] } as const;
    expect(await process().revoke(deprovisioned, selection, asOf)).toEqual({ revoked: 1, pending: 0 });
    const later = await process().getToken('ann');
    const before = JSON.stringify(await ledger.get(later.lease, Infinity));
    expect(await process().revoke(deprovisioned, selection, asOf)).toEqual({ revoked: 0, pending: 0 });
    expect(JSON.stringify(await ledger.get(later.lease, Infinity))).toBe(before);
    expect(issuer.isLive(later.token)).toBe(true);
  });

  test('that cuts off twice changes nothing the second time', async () => {
    const { process, clock } = makeWorld();
    await process().getToken('ann');
    await clock.advance(1_000);
    const asOf = clock.now();
    await process().revoke(EVENT, { kind: 'all' }, asOf);
    const later = await process().getToken('ann');
    await clock.advance(1_000);
    await process().revoke(EVENT, { kind: 'all' }, asOf);
    expect(await process().getToken('ann')).toMatchObject({ token: later.token, reused: true });
  });

  test('has no leases of its own, and cannot be of the far future', async () => {
    const { process, clock } = makeWorld();
    expect(await codeOf(process().revoke(EVENT, { kind: 'mine' }))).toBe('invalid-request');
    expect(await codeOf(process().revoke(EVENT, { kind: 'all' }, clock.now() + 3_600_000))).toBe('invalid-request');
    expect(await codeOf(process().revoke(EVENT, { kind: 'all' }, NaN))).toBe('invalid-request');
  });
});

test('an orphan has nothing to revoke with: it is pending until its latest end is certainly over, then it counts as ended', async () => {
  const { process, issuer, clock } = makeWorld();
  issuer.mintFault = () => 'lost';
  await codeOf(process().getToken('ann'));
  expect(await process().revoke(asCaller('ann'))).toEqual({ revoked: 0, pending: 1 });
  await clock.advance(440_000);
  expect(await process().revoke(asCaller('ann'))).toEqual({ revoked: 1, pending: 0 });
  expect(issuer.live()).toEqual([]);
});
