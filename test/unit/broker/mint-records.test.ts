/** What a mint leaves behind for others to read: rows, audit lines, signals, logs and reasons, each to the last field. */
import { Failure } from '../../../functions/broker/failure.ts';
import { makeGetToken } from '../../../functions/broker/get-token.ts';
import type { Decision } from '../../../functions/broker/ports.ts';
import { ANN, DIGEST, FACTS, failureOf, HANDLE, worldWithLog } from '../../support/broker-records.ts';
import { caller, grantFor, makeWorld } from '../../support/broker-world.ts';
import { HIGHEST_LIMITS } from '../../support/raised-limits.ts';

test('a row is reserved with all that a lost reply needs, and becomes live with all that ThoughtSpot answered', async () => {
  const { clock, issuer, process, rows, signals } = makeWorld();
  issuer.mintMs = 2_000;
  issuer.reply = (minted) => ({ ...minted, lifetimeMs: 299_500 });
  const at = clock.now();
  const minting = process().getToken('ann');
  await clock.advance(1_000);
  const reserved = {
    user: 'ann',
    fingerprint: grantFor(caller('ann')).fingerprint,
    generation: 1,
    leaseId: expect.any(String) as string,
    userName: 'ann',
    caller: ANN,
    shared: false,
    orgId: 1,
    kind: 'full',
    rule: 'rule',
    grant: 'default',
    policyVersion: 'v1',
    reservedAt: at,
    mintDeadlineAt: at + 14_000,
    latestEndAt: at + 10_000 + 60_000 + 300_000 + 5_000,
    attempts: 0,
  };
  expect(await rows()).toEqual([{ ...reserved, state: 'reserved', sealed: false, dueAt: at + 14_000 }]);
  const issued = await clock.drive(minting);
  const live = {
    ...reserved,
    ...DIGEST,
    state: 'live',
    sealed: true,
    issuedAt: at,
    expiresAt: at + 299_500,
    endsAt: at + 302_000,
    dueAt: at + 362_000,
    upstreamCreatedAt: at + 2_000,
    lifetimeSeconds: 299,
    tokenType: 'Bearer',
  };
  expect(await rows()).toEqual([live]);
  expect(issued).toEqual({
    token: issued.token,
    lease: live,
    userName: 'ann',
    orgId: 1,
    expiresAt: at + 299_500,
    refreshAfter: at + 209_500,
    reused: false,
  });
  expect(Object.fromEntries(signals)).toEqual({ 'mint-latency': 2_000, minted: 1 });
});

test('a row has no creation time where ThoughtSpot gave none', async () => {
  const { issuer, process, rows } = makeWorld();
  issuer.reply = ({ createdAt: _createdAt, ...minted }) => minted;
  await process().getToken('ann');
  expect((await rows())[0]).not.toHaveProperty('upstreamCreatedAt');
});

test('the audit has one whole line for each mint and reuse', async () => {
  const { audit, process } = makeWorld();
  await process().getToken('ann');
  await process().getToken('ann');
  const lease = { ...HANDLE, ...DIGEST, state: 'live' };
  expect(audit).toEqual([
    { ...FACTS, action: 'mint', lease },
    { ...FACTS, action: 'reuse', lease },
  ]);
});

test('a repeat is answered with its own row, and counted', async () => {
  const { clock, process, rows, signals } = makeWorld();
  const first = await process().getToken('ann');
  const again = await process().getToken('ann');
  const [row] = await rows();
  expect(again).toEqual({
    token: first.token,
    lease: row,
    userName: 'ann',
    orgId: 1,
    expiresAt: clock.now() + 300_000,
    refreshAfter: clock.now() + 210_000,
    reused: true,
  });
  expect(signals.get('reused')).toBe(1);
});

const denied = (more: object): Decision => ({
  allowed: false,
  code: 'not-entitled',
  errors: [],
  reasons: ['one', 'two'],
  ...more,
});
test.each([
  ['that no rule decides', denied({}), {}],
  ['of a rule', denied({ rule: 'members' }), { rule: 'members' }],
  ['of a faulty request', denied({ code: 'invalid-request', errors: [{ field: 'f', detail: 'd' }] }), {}],
] as const)(
  'a denial %s is answered with its code and errors, and audited with its reasons',
  async (_, decision, rule) => {
    if (decision.allowed) throw new Error('not a denial');
    const { clock, ledger, issuer, audit } = makeWorld();
    const emitted: unknown[][] = [];
    const deps: Parameters<typeof makeGetToken>[0] = {
      clock,
      ledger,
      issuer,
      randomness: () => 0,
      audit: { record: (event) => void audit.push(event) },
      signals: { emit: (...signal) => void emitted.push(signal) },
      log: { info() {}, warn() {}, error() {} },
      decide: () => decision,
      limits: HIGHEST_LIMITS,
    };
    const failure = await failureOf(makeGetToken(deps)(caller('ann'), {}, Infinity));
    expect(failure).toMatchObject({ code: decision.code, reason: 'one; two', errors: decision.errors });
    expect(audit).toEqual([{ action: 'deny', caller: ANN, reasons: ['one', 'two'], code: decision.code, ...rule }]);
    expect(emitted).toEqual([['denied']]);
  },
);

describe('the time that a mint may take', () => {
  test.each([
    ['ample', 20_000, 10_000],
    ['short', 10_000, 6_000],
    ['just enough', 4_500, 500],
  ])('where there is %s time, leaves what comes after it enough', async (_, left, mintMs) => {
    const { clock, issuer, process, rows } = makeWorld();
    const at = clock.now();
    const deadlines: number[] = [];
    const watched = {
      ...issuer,
      mint: (...args: Parameters<typeof issuer.mint>) => (deadlines.push(args[1]), issuer.mint(...args)),
    };
    await process({ issuer: watched }).getToken('ann', {}, at + left);
    expect(deadlines).toEqual([at + mintMs]);
    expect(await rows()).toMatchObject([{ mintDeadlineAt: at + mintMs + 4_000 }]);
  });

  test('is refused, with the reason, where it is too short', async () => {
    const { clock, process, rows } = makeWorld();
    const failure = await failureOf(process().getToken('ann', {}, clock.now() + 4_499));
    expect(failure).toMatchObject({
      code: 'mint-in-progress',
      reason: 'too little time is left to mint before the deadline',
    });
    expect(await rows()).toEqual([]);
  });

  test.each([
    [1_000, 1],
    [2_999, 2],
    [400_000, 300],
  ])("with %i ms left of the caller's own token asks for %i s", async (left, seconds) => {
    const notAfter = makeWorld().clock.now() + left;
    const { issuer, process, clock } = makeWorld({ grant: () => ({ notAfter, reuse: null }) });
    await process().getToken('ann');
    expect(issuer.tokens[0]?.endsAt).toBe(clock.now() + seconds * 1_000);
  });

  test("is refused, with the reason, where less than a second is left of the caller's own token", async () => {
    const notAfter = makeWorld().clock.now() + 999;
    const { process } = makeWorld({ grant: () => ({ notAfter }) });
    expect(await failureOf(process().getToken('ann'))).toMatchObject({
      code: 'not-entitled',
      reason: "the caller's own token has ended",
    });
  });
});

describe('a caller who waits for the mint of another', () => {
  test('looks again after growing pauses, jittered, and gives up in time to answer', async () => {
    const { clock, issuer, process } = makeWorld({ randomness: () => 0.5 });
    void process({ issuer: { ...issuer, mint: () => new Promise(() => {}) } }).getToken('ann');
    await clock.advance(1);
    const pauses: number[] = [];
    const counted = { ...clock, sleep: (ms: number) => (pauses.push(ms), clock.sleep(ms)) };
    const startedAt = clock.now();
    const waiting = process({ clock: counted }).getToken('ann', {}, startedAt + 2_405);
    const failure = await clock.drive(failureOf(waiting));
    expect(failure).toMatchObject({
      code: 'mint-in-progress',
      reason: 'waited for another request to mint until the deadline',
    });
    expect(pauses).toEqual([30, 45, 68, 102, 152, 228, 342, 375, 375]);
    expect(clock.now() - startedAt).toBe(1_717);
  });

  test.each([
    [0, 20],
    [0.999_999, 40],
  ])('with chance %d pauses %i ms at first', async (chance, expected) => {
    const { clock, issuer, process } = makeWorld({ randomness: () => chance });
    issuer.mintMs = 5;
    const minting = process().getToken('ann');
    await clock.advance(1);
    const pauses: number[] = [];
    const counted = { ...clock, sleep: (ms: number) => (pauses.push(ms), clock.sleep(ms)) };
    const waiting = process({ clock: counted }).getToken('ann');
    await clock.drive(Promise.all([minting, waiting]));
    expect(pauses).toEqual([expected]);
  });

  test.each([
    [529, 'mint-in-progress'],
    [530, 'mint-in-progress'],
    [531, 'reused'],
  ])('with %i ms to the deadline, of which 500 are for the answer, ends as %s', async (left, expected) => {
    const { clock, issuer, process } = makeWorld();
    issuer.mintMs = 5;
    const minting = process().getToken('ann');
    await clock.advance(1);
    const waiting = process()
      .getToken('ann', {}, clock.now() + left)
      .then(
        ({ reused }) => (reused ? 'reused' : 'minted'),
        (error: unknown) => (error instanceof Failure ? error.code : String(error)),
      );
    expect(await clock.drive(waiting)).toBe(expected);
    await clock.drive(minting);
  });
});

test.each([
  [undefined, 10],
  [3, 8],
  [5, 10],
  [20, 40],
])('with a mint limit of %p, %i generations are read', async (mintLimit, expected) => {
  const world = makeWorld(mintLimit === undefined ? {} : { mint: { mintLimit } });
  const limits: unknown[] = [];
  world.ledger.beforeCall = (call, args) => void (call === 'newest' && limits.push(args[2]));
  await world.process().getToken('ann');
  expect(limits).toEqual([expected]);
});

test('the mint limit is reported with its reason', async () => {
  const { process } = makeWorld({ grant: () => ({ reuse: null }), mint: { mintLimit: 1 } });
  await process().getToken('ann');
  expect(await failureOf(process().getToken('ann'))).toMatchObject({
    code: 'mint-limit',
    reason: 'mint limit of the grant',
  });
});

test('a mint that fails with no old token to fall back on is reported at once, without another look', async () => {
  const { issuer, ledger, process } = makeWorld();
  issuer.mintFault = () => 'refused';
  const calls: string[] = [];
  ledger.beforeCall = (call) => void calls.push(call);
  await failureOf(process().getToken('ann'));
  expect(calls.filter((call) => call === 'newest')).toHaveLength(1);
});

test('only a failure falls back on the old token: anything else that breaks a refresh is thrown', async () => {
  const { clock, ledger, process } = makeWorld();
  await process().getToken('ann');
  await clock.advance(220_000);
  ledger.beforeCall = (call) => {
    if (call === 'reserve') throw new RangeError('a bug');
  };
  await expect(process().getToken('ann')).rejects.toThrow(RangeError);
});

describe('a mint without a token is written down', () => {
  test.each([
    ['refused', 'mint', 'failed', 'upstream-refused'],
    ['lost', 'orphan', 'orphaned', 'upstream-timeout'],
    ['throws', 'orphan', 'orphaned', 'internal-error'],
  ] as const)('as %s in the audit', async (fault, action, state, code) => {
    const { audit, issuer, process } = makeWorld();
    issuer.mintFault = () => fault;
    const failure = await failureOf(process().getToken('ann'));
    expect(audit).toEqual([{ ...FACTS, action, lease: { ...HANDLE, state }, code }]);
    if (fault === 'throws') expect(failure).toMatchObject({ reason: 'mint threw', cause: new Error('socket hang up') });
  });

  test('as an orphan that is due a minute after its latest possible end', async () => {
    const { clock, issuer, process, rows } = makeWorld();
    issuer.mintFault = () => 'lost';
    await failureOf(process().getToken('ann'));
    expect(await rows()).toMatchObject([{ dueAt: clock.now() + 435_000 }]);
  });

  test('with the failure that ThoughtSpot’s client threw, if it threw one', async () => {
    const { issuer, process } = makeWorld();
    const thrown = new Failure('upstream-busy');
    const throwing = { ...issuer, mint: async () => Promise.reject(thrown) };
    expect(await failureOf(process({ issuer: throwing }).getToken('ann'))).toBe(thrown);
  });

  test('as revoked, if it was revoked first', async () => {
    const { audit, clock, issuer, process } = makeWorld();
    issuer.mintMs = 1_000;
    issuer.mintFault = () => 'refused';
    const minting = failureOf(process().getToken('ann'));
    await clock.advance(500);
    await process().revoke('ann');
    await clock.drive(minting);
    expect(audit.at(-1)).toEqual({
      ...FACTS,
      action: 'mint',
      lease: { ...HANDLE, state: 'revoked' },
      code: 'upstream-refused',
    });
  });

  test('nowhere, if its row is finished already: the one that finished it wrote it down', async () => {
    const { audit, issuer, ledger, lines, process } = worldWithLog();
    issuer.mintFault = () => 'refused';
    const finished = { ...ledger, transition: async () => Promise.resolve(undefined) };
    expect(await failureOf(process({ ledger: finished }).getToken('ann'))).toMatchObject({ code: 'upstream-refused' });
    expect([lines, audit.map(({ action }) => action)]).toEqual([[], []]);
  });

  test('in the log, if it cannot be in the ledger', async () => {
    const { audit, issuer, ledger, lines, process } = worldWithLog();
    issuer.mintFault = () => 'refused';
    const error = new Failure('ledger-unavailable');
    ledger.beforeCall = (call) => {
      if (call === 'transition') throw error;
    };
    await failureOf(process().getToken('ann'));
    expect(lines).toEqual([['warn', 'outcome of a mint is not in the ledger', { code: 'upstream-refused', error }]]);
    expect(audit.map(({ action }) => action)).toEqual([]);
  });
});
