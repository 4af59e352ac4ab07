import { Failure } from '../../../functions/broker/failure.ts';
import type { Lease, LeaseState } from '../../../functions/broker/lease.ts';
import type { SignalName } from '../../../functions/contract/signals.ts';
import type { AuditEvent, Change } from '../../../functions/broker/ports.ts';
import { type RowEnd, sweepRow } from '../../../functions/broker/sweep.ts';
import { BUDGET_SETTINGS, makeUpstreamBudget } from '../../../functions/broker/upstream-budget.ts';
import { makeWorld } from '../../support/broker-world.ts';
import { START } from '../../support/fake-clock.ts';

const MINT_BY = START + 10_000;
const END = START + 300_000;
/** A minute past the end: a clock that runs ahead closes no row whose token may live. */
const CLOSES = END + 60_000;
const CLAIM_MS = 30_000;
const CALL_MS = 5_000;

/** One row of ann in that state, as it comes of the steps that lead there. */
async function rowIn(state: LeaseState, steps: readonly Change[]) {
  const world = makeWorld();
  const { clock, ledger, issuer } = world;
  const key = { user: 'ann', fingerprint: 'print', generation: 1 };
  const about = { shared: false, orgId: 1, kind: 'full', rule: 'r', grant: 'g', policyVersion: 'v' } as const;
  const times = { reservedAt: START, mintDeadlineAt: MINT_BY, latestEndAt: END };
  await ledger.reserve({ ...key, ...about, ...times, caller: { issuer: 'i', subject: 's' } }, Infinity);
  for (const step of steps) await ledger.transition(key, step, Infinity);
  const row = (await ledger.get(key, Infinity)) as Lease;
  expect(row.state).toBe(state);
  const audit: AuditEvent[] = [];
  const signals: SignalName[] = [];
  const calls: { token: string; user: string | undefined; deadline: number }[] = [];
  const deps = {
    ledger,
    issuer: {
      revoke: (token: string, user: string | undefined, deadline: number) => {
        calls.push({ token, user, deadline });
        return issuer.revoke(token, user, deadline);
      },
    },
    clock,
    randomness: () => 0.5,
    audit: { record: (event: AuditEvent) => void audit.push(event) },
    signals: { emit: (name: SignalName) => void signals.push(name) },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    budget: makeUpstreamBudget(clock, () => 0, BUDGET_SETTINGS),
    claimMs: CLAIM_MS,
    callTimeoutMs: CALL_MS,
  };
  const now = async () => (await ledger.get(key, Infinity)) as Lease;
  return { ...world, deps, row, key, audit, signals, calls, now };
}

const LIVE: Change = { to: 'live', dueAt: END, endsAt: END, expiresAt: END, token: 'the token' };
const REVOKING: Change = { to: 'revoking', dueAt: START };
const STEPS: Readonly<Record<string, readonly [LeaseState, readonly Change[]]>> = {
  reserved: ['reserved', []],
  live: ['live', [LIVE]],
  'revoking, with a token': ['revoking', [LIVE, REVOKING]],
  'revoking, without a token': ['revoking', [REVOKING]],
  orphaned: ['orphaned', [{ to: 'orphaned', dueAt: CLOSES }]],
  revoked: ['revoked', [{ to: 'revoked', dueAt: null }]],
  failed: ['failed', [{ to: 'failed', dueAt: null }]],
  expired: ['expired', [LIVE, { to: 'expired', dueAt: null }]],
};

test.each<[string, number, RowEnd, LeaseState, number | undefined, string | undefined]>([
  ['reserved', MINT_BY - 1, 'passed', 'reserved', MINT_BY, undefined],
  ['reserved', MINT_BY, 'orphaned', 'orphaned', CLOSES, 'orphan'],
  ['reserved', CLOSES, 'orphaned', 'orphaned', CLOSES, 'orphan'],
  ['live', CLOSES - 1, 'revoked', 'revoked', undefined, 'revoke'],
  ['live', CLOSES, 'expired', 'expired', undefined, 'expire'],
  ['revoking, with a token', CLOSES - 1, 'revoked', 'revoked', undefined, 'revoke'],
  ['revoking, with a token', CLOSES, 'expired', 'expired', undefined, 'expire'],
  ['revoking, without a token', MINT_BY - 1, 'passed', 'revoking', MINT_BY, undefined],
  ['revoking, without a token', MINT_BY, 'orphaned', 'orphaned', CLOSES, 'orphan'],
  ['revoking, without a token', CLOSES, 'expired', 'expired', undefined, 'expire'],
  ['orphaned', CLOSES - 1, 'passed', 'orphaned', CLOSES, undefined],
  ['orphaned', CLOSES, 'expired', 'expired', undefined, 'expire'],
  ['revoked', CLOSES, 'passed', 'revoked', undefined, undefined],
  ['failed', CLOSES, 'passed', 'failed', undefined, undefined],
  ['expired', CLOSES, 'passed', 'expired', undefined, undefined],
])('a row that is %s at %d is %s', async (name, at, end, state, dueAt, action) => {
  const { clock, deps, row, audit, now } = await rowIn(...(STEPS[name] ?? ['live', []]));
  clock.set(at);
  expect(await clock.drive(sweepRow(deps, row, at + 10_000, at + 20_000))).toBe(end);
  const after = await now();
  expect([after.state, after.dueAt]).toEqual([state, dueAt]);
  expect(audit.map((event) => event.action)).toEqual(action === undefined ? [] : [action]);
  if (action !== undefined) expect(audit[0]).toMatchObject({ user: 'ann', rule: 'r', lease: { state } });
});

test.each(['live', 'revoking, without a token', 'reserved', 'orphaned'])(
  'a row that is %s in the index and has moved on in the table is left alone',
  async (name) => {
    const { clock, deps, row, key, ledger, audit, calls, now } = await rowIn(...(STEPS[name] ?? ['live', []]));
    await ledger.transition(key, { to: row.state === 'reserved' ? 'live' : 'revoking', dueAt: END + 5 }, Infinity);
    const moved = await now();
    clock.set(CLOSES);
    expect(await clock.drive(sweepRow(deps, row, CLOSES + 10_000, CLOSES + 20_000))).toBe('passed');
    expect([await now(), audit, calls]).toEqual([moved, [], []]);
  },
);

test('a row that another process has claimed since is passed over, and ThoughtSpot is not called', async () => {
  const { clock, deps, row, key, ledger, calls } = await rowIn('revoking', [LIVE, REVOKING]);
  await ledger.transition(key, { to: 'revoking', dueAt: START + CLAIM_MS }, Infinity);
  expect(await clock.drive(sweepRow(deps, row, START + 20_000, START + 50_000))).toBe('passed');
  expect(calls).toEqual([]);
});

test('the token is presented within the time of a call, while the row is claimed', async () => {
  const { clock, deps, row, issuer, calls, now } = await rowIn('revoking', [LIVE, REVOKING]);
  issuer.revokeMs = 1_000;
  const swept = sweepRow(deps, row, START + 20_000, START + 50_000);
  await clock.advance(500);
  expect(await now()).toMatchObject({ state: 'revoking', dueAt: START + CLAIM_MS });
  expect(await clock.drive(swept)).toBe('revoked');
  expect(calls).toEqual([{ token: 'the token', user: 'ann', deadline: START + CALL_MS }]);
});

test('a call ends with the deadline where that comes first', async () => {
  const { clock, deps, row, calls } = await rowIn('live', [LIVE]);
  await clock.drive(sweepRow(deps, row, START + 900, START + 1_000));
  expect(calls).toEqual([{ token: 'the token', user: 'ann', deadline: START + 1_000 }]);
});

test('what ThoughtSpot does not confirm is due again later, when it may be closed at the latest', async () => {
  const { clock, deps, row, issuer, audit, now } = await rowIn('live', [LIVE]);
  issuer.revokeFault = () => 'down';
  expect(await clock.drive(sweepRow(deps, row, START + 9_000, START + 20_000))).toEqual({ failedAttempts: 1 });
  const after = await now();
  expect(after).toMatchObject({ state: 'revoking', attempts: 1 });
  expect(after.dueAt).toBeGreaterThan(START);
  clock.set(CLOSES - 1);
  await clock.drive(sweepRow(deps, after, CLOSES + 9_000, CLOSES + 20_000));
  expect(await now()).toMatchObject({ state: 'revoking', attempts: 2, dueAt: CLOSES });
  expect(audit).toEqual([]);
});

test('without a turn at ThoughtSpot the row is left as it is', async () => {
  const { deps, row, now, calls } = await rowIn('live', [LIVE]);
  expect(await sweepRow(deps, row, START, START + 20_000)).toBe('left');
  expect([await now(), calls]).toEqual([row, []]);
});

describe('a token that the ledger does not give', () => {
  test('because its key is unavailable is tried again later, without a turn at ThoughtSpot', async () => {
    const { clock, deps, row, ledger, calls, signals, now } = await rowIn('live', [LIVE]);
    const failing = { ...ledger, token: () => Promise.reject(new Failure('key-unavailable')) };
    const budget = { ...deps.budget, run: () => Promise.reject(new Error('a turn was taken')) };
    const swept = sweepRow({ ...deps, budget, ledger: failing }, row, START + 9_000, START + 20_000);
    expect(await clock.drive(swept)).toEqual({ failedAttempts: 1 });
    expect([calls, signals]).toEqual([[], ['key-unavailable']]);
    expect(await now()).toMatchObject({ state: 'revoking', attempts: 1, dueAt: START + 500 });
  });

  test('because the ledger fails is an error, and the row stays as it is', async () => {
    const { clock, deps, row, ledger, now } = await rowIn('live', [LIVE]);
    const failing = { ...ledger, token: () => Promise.reject(new Failure('ledger-unavailable')) };
    const swept = sweepRow({ ...deps, ledger: failing }, row, START + 9_000, START + 20_000);
    await expect(clock.drive(swept)).rejects.toMatchObject({ code: 'ledger-unavailable' });
    expect(await now()).toEqual(row);
  });

  test('because another process has ended it counts as dead', async () => {
    const { clock, deps, row, ledger, calls } = await rowIn('live', [LIVE]);
    const without = { ...ledger, token: () => Promise.resolve(undefined) };
    expect(await clock.drive(sweepRow({ ...deps, ledger: without }, row, START + 9_000, START + 20_000))).toBe(
      'revoked',
    );
    expect(calls).toEqual([]);
  });
});

test('an outcome that the ledger does not take is logged, and done again', async () => {
  const { clock, deps, row, ledger, now } = await rowIn('live', [LIVE]);
  const logged: unknown[] = [];
  const failing = {
    ...ledger,
    transition: (...args: Parameters<typeof ledger.transition>) =>
      args[1].to === 'revoked' ? Promise.reject(new Failure('ledger-unavailable')) : ledger.transition(...args),
  };
  const log = { ...deps.log, warn: (message: string, fields?: object) => void logged.push([message, fields]) };
  expect(await clock.drive(sweepRow({ ...deps, log, ledger: failing }, row, START + 9_000, START + 20_000))).toBe(
    'revoked',
  );
  expect(logged).toEqual([
    [
      'outcome of a revocation is not in the ledger; it will be done again',
      { to: 'revoked', error: expect.any(Failure) as unknown },
    ],
  ]);
  expect(await now()).toMatchObject({ state: 'revoking', dueAt: START + CLAIM_MS });
});
