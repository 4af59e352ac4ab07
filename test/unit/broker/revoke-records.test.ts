/** What a revocation leaves behind for others to read: rows, audit lines, signals, logs and reasons, each to the last field. */
import { Failure } from '../../../functions/broker/failure.ts';
import type { Lease } from '../../../functions/broker/lease.ts';
import type { Revoker, RevokeSelection } from '../../../functions/broker/use-cases.ts';
import { ANN, DIGEST, FACTS, failureOf, HANDLE, type Line, worldWithLog } from '../../support/broker-records.ts';
import { asCaller, asOperator, caller, EVENT, makeWorld, type World } from '../../support/broker-world.ts';

/** A dead minter: its row stays reserved. */
async function reservedRow({ process, issuer, clock }: World): Promise<void> {
  void process({ issuer: { ...issuer, mint: () => new Promise(() => {}) } }).getToken('ann');
  await clock.advance(1);
}

describe('the audit of a revocation', () => {
  test.each<[string, Revoker, RevokeSelection, object]>([
    ['its own caller', asCaller('ann'), { kind: 'mine' }, {}],
    [
      'an operator',
      asOperator(),
      { kind: 'user', userNames: ['ann'] },
      { caller: { issuer: ANN.issuer, subject: 'sub-ops' } },
    ],
    ['an event', EVENT, { kind: 'user', userNames: ['ann'] }, { reasons: ['asked by schedule "nightly"'] }],
  ])('by %s says who asked, and then that ThoughtSpot confirmed', async (_, revoker, selection, who) => {
    const { audit, clock, process, rows, signals } = makeWorld();
    await process().getToken('ann');
    audit.length = 0;
    await clock.advance(1);
    expect(await process().revoke(revoker, selection)).toEqual({ revoked: 1, pending: 0 });
    const handle = { ...HANDLE, ...DIGEST };
    expect(audit.filter(({ action }) => action !== 'cut-off')).toEqual([
      { ...FACTS, action: 'revoke-requested', lease: { ...handle, state: 'revoking' }, ...who },
      { ...FACTS, action: 'revoke', lease: { ...handle, state: 'revoked' } },
    ]);
    expect(signals.get('revoked')).toBe(1);
    const [row] = await rows();
    expect(row).toMatchObject({ state: 'revoked', attempts: 0 });
    expect(row).not.toHaveProperty('dueAt');
  });

  test.each<[string, Revoker, RevokeSelection & { kind: 'org' | 'all' | 'rule' }, object]>([
    [
      'an org',
      asOperator(),
      { kind: 'org', orgId: 2 },
      { caller: { issuer: ANN.issuer, subject: 'sub-ops' }, reasons: ['covers org 2'] },
    ],
    ['all', EVENT, { kind: 'all' }, { reasons: ['asked by schedule "nightly"', 'covers all orgs'] }],
    ['a rule', EVENT, { kind: 'rule', rule: 'r' }, { reasons: ['asked by schedule "nightly"', 'covers rule r'] }],
  ])('of %s is one line', async (_, revoker, selection, line) => {
    const { audit, clock, ledger, process } = makeWorld();
    expect(await process().revoke(revoker, selection, clock.now() - 5)).toEqual({ revoked: 0, pending: null });
    expect(audit).toEqual([{ action: 'cut-off', ...line }]);
    expect(ledger.pendingBlocks()).toEqual([{ scope: selection, before: clock.now() + 995, pending: true }]);
  });

  test.each<[Revoker, object]>([
    [asOperator(), { caller: { issuer: ANN.issuer, subject: 'sub-ops' }, reasons: ['no lease knew the token'] }],
    [EVENT, { reasons: ['asked by schedule "nightly"', 'no lease knew the token'] }],
  ])('of a token that no lease knows is one line (%#)', async (revoker, line) => {
    const { audit, clock, issuer, process, signals } = makeWorld();
    const known = { user: 'eve', orgId: 1, mintedAt: 0, revoked: false };
    issuer.tokens.push({ ...known, token: 'elsewhere', endsAt: clock.now() + 1 });
    const asked: unknown[][] = [];
    const watched = {
      ...issuer,
      revoke: (...args: Parameters<typeof issuer.revoke>) => (asked.push(args), issuer.revoke(...args)),
    };
    const deadline = clock.now() + 9_000;
    const selection = { kind: 'token', token: 'elsewhere' } as const;
    await process({ issuer: watched }).revoke(revoker, selection, clock.now(), deadline);
    expect(asked).toEqual([['elsewhere', 'eve', deadline]]);
    expect(audit).toEqual([{ action: 'revoke', ...line }]);
    expect(signals.get('revoked')).toBe(1);
    audit.length = 0;
    expect(await process().revoke(revoker, selection)).toEqual({ revoked: 1, pending: 0 });
    expect(audit).toEqual([]);
    expect(signals.get('revoked')).toBe(1);
  });
});

describe('a refusal has its reason', () => {
  test.each<[string, Revoker, RevokeSelection, string, string | undefined]>([
    ['an event without leases', EVENT, { kind: 'mine' }, 'invalid-request', 'an event has no leases'],
    [
      'another user',
      asCaller('ann'),
      { kind: 'user', userNames: ['bob'] },
      'insufficient-scope',
      'revoking for others',
    ],
    ['all', asCaller('ann'), { kind: 'all' }, 'insufficient-scope', 'revoking for others'],
    ['no such lease', asOperator(), { kind: 'lease', leaseId: 'x' }, 'lease-not-found', undefined],
  ])('for %s', async (_, revoker, selection, code, reason) => {
    expect(await failureOf(makeWorld().process().revoke(revoker, selection))).toMatchObject({ code, reason });
  });

  test('for a date in the future, from five minutes on', async () => {
    const { clock, process } = makeWorld();
    const at = clock.now() + 300_000;
    expect(await process().revoke(EVENT, { kind: 'all' }, at)).toEqual({ revoked: 0, pending: null });
    expect(await failureOf(process().revoke(EVENT, { kind: 'all' }, at + 1))).toMatchObject({
      code: 'invalid-request',
      reason: 'the revocation is dated in the future',
    });
  });
});

test.each([
  [20_000, 10_000],
  [5_000, 3_000],
])('with %i ms to the deadline ThoughtSpot has %i ms to confirm, in the user’s own spelling', async (left, within) => {
  const { clock, issuer, process, rows } = makeWorld({ grant: () => ({ user: 'Ann' }) });
  await process().getToken('ann');
  const asked: unknown[][] = [];
  const during: Lease[][] = [];
  const watched = {
    ...issuer,
    revoke: async (...args: Parameters<typeof issuer.revoke>) => {
      asked.push(args);
      during.push(await rows());
      return issuer.revoke(...args);
    },
  };
  const at = clock.now();
  await process({ issuer: watched }).revoke('ann', undefined, undefined, at + left);
  expect(asked).toEqual([[issuer.tokens[0]?.token, 'Ann', at + within]]);
  expect(during).toMatchObject([[{ state: 'revoking', dueAt: at + left }]]);
});

test('a row without a name in ThoughtSpot’s spelling is revoked by the name of its user', async () => {
  const { issuer, ledger, process } = makeWorld();
  await process().getToken('ann');
  const names: (string | undefined)[] = [];
  const watched = {
    ...issuer,
    revoke: (...args: Parameters<typeof issuer.revoke>) => (names.push(args[1]), issuer.revoke(...args)),
  };
  const nameless = {
    ...ledger,
    transition: async (...args: Parameters<typeof ledger.transition>) => {
      const { userName: _userName, ...row } = (await ledger.transition(...args)) as Lease;
      return row;
    },
  };
  await process({ issuer: watched, ledger: nameless }).revoke('ann');
  expect(names).toEqual(['ann']);
});

test.each([
  ['a short deadline', 1_000, 13_999],
  ['a long deadline', 20_000, 20_000],
])('a row taken from its minter is due when both are past: after %s', async (_, left, expected) => {
  const world = makeWorld();
  await reservedRow(world);
  const at = world.clock.now();
  expect(await world.process().revoke('ann', undefined, undefined, at + left)).toEqual({ revoked: 0, pending: 1 });
  expect(await world.rows()).toMatchObject([{ state: 'revoking', sealed: false, dueAt: at + expected }]);
});

describe('a row that is revoking already', () => {
  async function putOff(): Promise<World & { readonly lines: Line[] }> {
    const world = worldWithLog();
    await world.process().getToken('ann');
    world.issuer.revokeFault = () => 'refused';
    expect(await world.process().revoke('ann')).toEqual({ revoked: 0, pending: 1 });
    expect(world.signals.get('revoked')).toBeUndefined();
    expect(await world.rows()).toMatchObject([{ state: 'revoking', attempts: 1, dueAt: world.clock.now() + 500 }]);
    world.issuer.revokeFault = undefined;
    return world;
  }

  test.each([
    [499, { revoked: 0, pending: 1 }, 1],
    [500, { revoked: 1, pending: 0 }, 2],
  ])('and waits for its next attempt is left alone until it is due: after %i ms %j', async (ms, tally, calls) => {
    const { clock, issuer, process } = await putOff();
    await clock.advance(ms);
    expect(await process().revoke('ann')).toEqual(tally);
    expect(issuer.calls.revoke).toHaveLength(calls);
  });

  test('and is taken by another process in between is left to it', async () => {
    const world = await putOff();
    const { clock, issuer, ledger, process } = world;
    await clock.advance(500);
    ledger.beforeCall = async (call) => {
      if (call !== 'transition') return;
      ledger.beforeCall = undefined;
      const [row] = await world.rows();
      if (row) await ledger.transition(row, { to: 'revoking', dueAt: clock.now() + 30_000 }, Infinity);
    };
    expect(await process().revoke('ann')).toEqual({ revoked: 0, pending: 1 });
    expect(issuer.calls.revoke).toHaveLength(1);
  });

  test('and holds no token is left to the sweep, due or not', async () => {
    const world = makeWorld();
    await reservedRow(world);
    await world.process().revoke('ann', undefined, undefined, world.clock.now() + 1_000);
    await world.clock.advance(15_000);
    const calls: string[] = [];
    world.ledger.beforeCall = (call) => void calls.push(call);
    expect(await world.process().revoke('ann')).toEqual({ revoked: 0, pending: 1 });
    expect(calls).not.toContain('transition');
  });
});

test('an orphan is not touched: there is no token to revoke with', async () => {
  const { issuer, ledger, process } = makeWorld();
  issuer.mintFault = () => 'lost';
  await failureOf(process().getToken('ann'));
  const calls: string[] = [];
  ledger.beforeCall = (call) => void calls.push(call);
  expect(await process().revoke('ann')).toEqual({ revoked: 0, pending: 1 });
  expect(calls).not.toContain('transition');
});

test.each([
  ['revoked', { revoked: 1, pending: 0 }],
  ['revoking', { revoked: 0, pending: 1 }],
  [undefined, { revoked: 1, pending: 0 }],
] as const)('a row that becomes %s before it can be taken counts as that', async (state, tally) => {
  const { issuer, ledger, process } = makeWorld();
  const { lease } = await process().getToken('ann');
  const raced = {
    ...ledger,
    transition: async () => undefined,
    get: async () => (state === undefined ? undefined : { ...lease, state }),
  };
  expect(await process({ ledger: raced }).revoke('ann')).toEqual(tally);
  expect(issuer.calls.revoke).toEqual([]);
});

test.each([
  [359_999, 'revoking'],
  [360_000, 'live'],
])('a token whose time is over by any clock needs no revocation: after %i ms its row is %s', async (ms, state) => {
  const { clock, issuer, process, rows } = makeWorld();
  await process().getToken('ann');
  await clock.advance(ms);
  issuer.revokeFault = () => 'refused';
  const over = state === 'live';
  expect(await process().revoke('ann')).toEqual(over ? { revoked: 1, pending: 0 } : { revoked: 0, pending: 1 });
  expect(await rows()).toMatchObject([{ state }]);
});

test('a revocation is tried again when its row may be closed at the latest', async () => {
  const { clock, issuer, process, rows } = makeWorld();
  await process().getToken('ann');
  await clock.advance(359_900);
  issuer.revokeFault = () => 'refused';
  await process().revoke('ann');
  expect(await rows()).toMatchObject([{ dueAt: clock.now() + 100, attempts: 1 }]);
});

describe('what cannot be finished', () => {
  test('because the outcome cannot be written is logged, and pending or done by what ThoughtSpot said', async () => {
    const { audit, ledger, lines, process } = worldWithLog();
    await process().getToken('ann');
    audit.length = 0;
    const error = new Failure('ledger-unavailable');
    ledger.beforeCall = (call, [, change]) => {
      if (call === 'transition' && (change as { to: string }).to === 'revoked') throw error;
    };
    expect(await process().revoke('ann')).toEqual({ revoked: 1, pending: 0 });
    const message = 'outcome of a revocation is not in the ledger; it will be done again';
    expect(lines).toEqual([['warn', message, { to: 'revoked', error }]]);
    expect(audit.map(({ action }) => action)).toEqual(['revoke-requested']);
  });

  test('because the token cannot be read is logged and left to the sweep', async () => {
    const { ledger, lines, process } = worldWithLog();
    await process().getToken('ann');
    const error = new Failure('ledger-unavailable');
    ledger.beforeCall = (call) => {
      if (call === 'token') throw error;
    };
    expect(await process().revoke('ann')).toEqual({ revoked: 0, pending: 1 });
    expect(lines).toEqual([['warn', 'a revocation is left to the sweep', { error }]]);
  });

  test('because the key is unavailable is tried again later, and counts as an attempt', async () => {
    const { ledger, lines, process, rows } = worldWithLog();
    await process().getToken('ann');
    ledger.beforeCall = (call) => {
      if (call === 'token') throw new Failure('key-unavailable');
    };
    expect(await process().revoke('ann')).toEqual({ revoked: 0, pending: 1 });
    expect(lines).toEqual([]);
    expect(await rows()).toMatchObject([{ state: 'revoking', attempts: 1 }]);
  });

  test('because its row lost the token meanwhile is done: only a finished row loses it', async () => {
    const { issuer, ledger, process, rows } = makeWorld();
    await process().getToken('ann');
    const finished = { ...ledger, token: async () => undefined };
    expect(await process({ ledger: finished }).revoke('ann')).toEqual({ revoked: 1, pending: 0 });
    expect(issuer.calls.revoke).toEqual([]);
    expect(await rows()).toMatchObject([{ state: 'revoked' }]);
  });
});

test('an event covers the second that it names and a clock that runs ahead, and nothing beyond', async () => {
  const deprovisioned: Revoker = { kind: 'event', source: 'deprovisioned', name: 'x' };
  const second = makeWorld().clock.now();
  const selection = { kind: 'user', userNames: ['ann'] } as const;
  for (const [dated, reservedAfter, revoked] of [
    [second, 1_999, 1],
    [second, 2_000, 0],
    [second + 655, 655 + 999, 1],
    [second + 655, 655 + 1_000, 0],
  ] as const) {
    const { clock, process } = makeWorld();
    clock.set(second + reservedAfter);
    await process().getToken('ann');
    expect(await process().revoke(deprovisioned, selection, dated)).toEqual({ revoked, pending: 0 });
    const left = 1 - revoked;
    expect(await process().revoke(asOperator(), selection, dated)).toMatchObject({ revoked: left });
  }
});

test('a caller ends leases of a user that the policy no longer names, but shared ones, found by the index of callers', async () => {
  const { clock, ledger, process, rows } = makeWorld();
  const at = clock.now();
  const times = { reservedAt: at, mintDeadlineAt: at + 14_000, latestEndAt: at + 400_000 };
  const { issuer, subject } = caller('ann');
  const about = { shared: false, orgId: 1, kind: 'full', rule: 'r', grant: 'g', policyVersion: 'v' } as const;
  const key = { user: 'former', fingerprint: 'print', generation: 1 };
  await ledger.reserve({ ...key, ...about, ...times, caller: { issuer, subject } }, Infinity);
  const shared = { ...about, shared: true, user: 'service', fingerprint: 'shared', generation: 1 };
  await ledger.reserve({ ...shared, ...times, caller: { issuer, subject } }, Infinity);
  expect(await process().revoke('ann')).toEqual({ revoked: 0, pending: 1 });
  expect(await rows()).toMatchObject([
    { user: 'former', state: 'revoking' },
    { user: 'service', state: 'reserved' },
  ]);
});

test.each<[string, RevokeSelection]>([
  ['its handle', { kind: 'lease', leaseId: '' }],
  ['its token', { kind: 'token', token: '' }],
])('an event may end any lease by %s', async (_, kind) => {
  const { process } = makeWorld();
  const { lease, token } = await process().getToken('ann');
  const selection: RevokeSelection =
    kind.kind === 'lease' ? { ...kind, leaseId: lease.leaseId } : { kind: 'token', token };
  expect(await process().revoke(EVENT, selection)).toEqual({ revoked: 1, pending: 0 });
});
