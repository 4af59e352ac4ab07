import { Failure } from '../../../functions/broker/failure.ts';
import type { Change, MintedToken } from '../../../functions/broker/ports.ts';
import { asCaller, asOperator, EVENT, grantFor, caller, makeWorld, TIMEOUT_MS } from '../../support/broker-world.ts';
import { codeOf } from '../../support/failure-code.ts';

describe('a first request', () => {
  test('mints, and its row is live with the token sealed in it before the answer', async () => {
    const { issuer, ledger, process, clock } = makeWorld();
    const issued = await process().getToken('ann');
    expect(issuer.isLive(issued.token)).toBe(true);
    const row = await ledger.get(issued.lease, Infinity);
    expect(row).toMatchObject({ state: 'live', sealed: true, generation: 1, userName: 'ann', attempts: 0 });
    expect(ledger.tokenOf(issued.lease)).toBe(issued.token);
    expect(issued).toMatchObject({
      userName: 'ann',
      orgId: 1,
      reused: false,
      expiresAt: clock.now() + 300_000,
      refreshAfter: clock.now() + 210_000,
    });
  });

  test('writes one audit line per decision, with the digest and never the token', async () => {
    const { audit, process } = makeWorld();
    const { token, lease } = await process().getToken('ann');
    await process().getToken('ann');
    expect(audit.map(({ action }) => action)).toEqual(['mint', 'reuse']);
    expect(audit[1]).toMatchObject({ user: 'ann', lease: { leaseId: lease.leaseId, tokenDigest: lease.tokenDigest } });
    expect(JSON.stringify(audit)).not.toContain(token);
  });

  test('is refused with its reasons in the audit only', async () => {
    const { audit, signals, issuer, process } = makeWorld();
    await expect(process().getToken('mallory')).rejects.toMatchObject({ code: 'not-entitled', errors: [] });
    expect(audit).toMatchObject([{ action: 'deny', code: 'not-entitled', reasons: ['no rule decides'] }]);
    expect(signals.get('denied')).toBe(1);
    expect(issuer.calls.mint).toBe(0);
  });

  test('is counted while its user is held', async () => {
    const { ledger, process } = makeWorld({ grant: () => ({ entitlements: 'digest' }) });
    const { promise: held, resolve } = Promise.withResolvers<void>();
    ledger.beforeCall = async (call) => {
      if (call === 'holdUser') resolve();
      // It would wait for ever if the user was held only after that.
      if (call === 'addMark') await held;
    };
    expect((await process().getToken('ann')).reused).toBe(false);
  });

  test('gives nothing to a sandbox that stood still after its last read', async () => {
    const { clock, issuer, ledger, process } = makeWorld();
    ledger.afterCall = (call) => {
      if (call === 'recheck') clock.set(clock.now() + TIMEOUT_MS);
    };
    await expect(process().getToken('ann')).rejects.toMatchObject({ code: 'mint-in-progress' });
    expect([issuer.calls.mint, issuer.live()]).toEqual([1, []]);
  });

  test('counts from when it was sent to the earliest end, and from when it was answered to the latest', async () => {
    const { clock, issuer, process } = makeWorld();
    issuer.mintMs = 2_000;
    issuer.reply = (minted) => ({ ...minted, longestLifetimeMs: 310_000 });
    const sentAt = clock.now();
    const { lease } = await clock.drive(process().getToken('ann'));
    expect(lease).toMatchObject({ issuedAt: sentAt, expiresAt: sentAt + 300_000, endsAt: sentAt + 312_000 });
    // Longer than asked and tolerated: it is due for revocation before its latest end.
    expect(lease.dueAt).toBe(sentAt + 2_000 + 305_000);
  });
});

describe('a repeated request', () => {
  test('gets the same token by reads alone', async () => {
    const { ledger, issuer, process } = makeWorld();
    const first = await process().getToken('ann');
    const calls: string[] = [];
    ledger.beforeCall = (call) => void calls.push(call);
    const second = await process().getToken('ann');
    expect(second).toMatchObject({ token: first.token, reused: true, lease: { leaseId: first.lease.leaseId } });
    expect(calls.sort()).toEqual(['newest', 'standing', 'token']);
    expect(issuer.calls.mint).toBe(1);
  });

  test('of fifty callers at once makes one mint', async () => {
    const { clock, issuer, process } = makeWorld();
    issuer.mintMs = 1_500;
    const answers = await clock.drive(Promise.all(Array.from({ length: 50 }, () => process().getToken('ann'))));
    expect(issuer.calls.mint).toBe(1);
    expect(new Set(answers.map(({ token }) => token)).size).toBe(1);
  });

  test('of fifty users twenty times each makes fifty mints', async () => {
    const { clock, issuer, process } = makeWorld();
    issuer.mintMs = 300;
    const requests = Array.from({ length: 1_000 }, (_, n) => process().getToken(`user${n % 50}`));
    await clock.drive(Promise.all(requests));
    expect(issuer.calls.mint).toBe(50);
  });

  test('waits for another mint only as long as its deadline allows', async () => {
    const { clock, issuer, process } = makeWorld();
    issuer.mintMs = 9_000;
    const minter = process().getToken('ann');
    await clock.advance(10);
    const startedAt = clock.now();
    const waiter = codeOf(process().getToken('ann', {}, clock.now() + 3_000));
    expect(await clock.drive(waiter)).toBe('mint-in-progress');
    expect(clock.now() - startedAt).toBeLessThanOrEqual(3_000);
    await clock.drive(minter);
    expect(issuer.calls.mint).toBe(1);
  });

  test('takes over once the minter is past its own deadline', async () => {
    const { clock, issuer, process } = makeWorld();
    const dies = process({ issuer: { ...issuer, mint: () => new Promise(() => {}) } });
    void dies.getToken('ann');
    await clock.advance(15_000);
    const issued = await clock.drive(process().getToken('ann'));
    expect(issued.lease.generation).toBe(2);
  });

  test.each([
    ['another caller of the same user', 'ann/phone', {}],
    ['another user', 'bob', {}],
    ['another validity', 'ann', { validitySeconds: 120 }],
    ['another grant', 'ann', { grant: 'viewer' }],
  ])('by %s gets a token of its own', async (_, name, request) => {
    const { process } = makeWorld();
    const first = await process().getToken('ann');
    const other = await process().getToken(name, request);
    expect(other.token).not.toBe(first.token);
  });

  test('by another caller of a service account gets the shared token', async () => {
    const { process } = makeWorld();
    const first = await process().getToken('shared/one');
    const other = await process().getToken('shared/two');
    expect(other).toMatchObject({ token: first.token, reused: true });
  });

  test('mints every time where the rule does not reuse', async () => {
    const { issuer, process, clock } = makeWorld({ grant: () => ({ reuse: null }) });
    const answers = await clock.drive(Promise.all([1, 2, 3].map(() => process().getToken('ann'))));
    expect(new Set(answers.map(({ token }) => token)).size).toBe(3);
    expect(issuer.calls.mint).toBe(3);
  });

  test('that wants a fresh token gets one reserved since it asked', async () => {
    const { clock, process } = makeWorld();
    const first = await process().getToken('ann');
    await clock.advance(1);
    const fresh = await process().getToken('ann', { fresh: true });
    expect(fresh.token).not.toBe(first.token);
    await clock.advance(1);
    expect(await process().getToken('ann')).toMatchObject({ token: fresh.token, reused: true });
  });

  test('that replaces a lease gets one newer than it, and many that replace the same one make one mint', async () => {
    const { clock, issuer, process } = makeWorld();
    const first = await process().getToken('ann');
    const replace = first.lease.leaseId;
    const asks = Array.from({ length: 8 }, () => process().getToken('ann', { replace }));
    const answers = await clock.drive(Promise.all(asks));
    expect(new Set(answers.map(({ token }) => token)).size).toBe(1);
    expect(answers[0]?.token).not.toBe(first.token);
    expect(await process().getToken('ann', { replace })).toMatchObject({ token: answers[0]?.token, reused: true });
    expect(issuer.calls.mint).toBe(2);
  });

  test("is not served a token that would outlive the caller's own", async () => {
    let notAfter = Infinity;
    const { clock, process } = makeWorld({ grant: () => ({ notAfter }) });
    const first = await process().getToken('ann');
    notAfter = clock.now() + 200_000;
    await clock.advance(50_000);
    const second = await process().getToken('ann');
    expect(second.token).not.toBe(first.token);
    expect(second.expiresAt).toBe(notAfter);
    expect(await process().getToken('ann')).toMatchObject({ token: second.token });
  });

  test("with the caller's own token ended mints nothing", async () => {
    const { clock, process, issuer } = makeWorld({ grant: () => ({ notAfter: 1 }) });
    await clock.advance(1);
    expect(await codeOf(process().getToken('ann'))).toBe('not-entitled');
    expect(issuer.calls.mint).toBe(0);
  });
});

describe('the mint limit', () => {
  test('refuses the sixth mint of a grant within a minute, and says when the next may be', async () => {
    const { clock, process, issuer } = makeWorld({ grant: () => ({ reuse: null }) });
    for (let n = 0; n < 5; n += 1) {
      await process().getToken('ann');
      await clock.advance(1_000);
    }
    await expect(process().getToken('ann')).rejects.toMatchObject({ code: 'mint-limit', retryAfterMs: 55_000 });
    expect(await process().getToken('bob')).toMatchObject({ reused: false });
    await clock.advance(54_999);
    expect(await codeOf(process().getToken('ann'))).toBe('mint-limit');
    await clock.advance(1);
    await process().getToken('ann');
    expect(issuer.calls.mint).toBe(7);
  });

  test('is exact however many ask at once', async () => {
    const { clock, process, issuer } = makeWorld({ grant: () => ({ reuse: null }) });
    const codes = Array.from({ length: 20 }, () => codeOf(process().getToken('ann')));
    const outcomes = await clock.drive(Promise.all(codes));
    expect(outcomes.filter((outcome) => outcome === 'mint-limit')).toHaveLength(15);
    expect(issuer.calls.mint).toBe(5);
  });
});

describe('a mint without a token', () => {
  test.each([
    ['refused', 'upstream-refused', 'failed', 0],
    ['lost', 'upstream-timeout', 'orphaned', 1],
    ['throws', 'internal-error', 'orphaned', 1],
  ] as const)('that is %s is reported as %s, its row is %s', async (fault, expected, state, orphans) => {
    const { issuer, process, rows, signals } = makeWorld();
    issuer.mintFault = () => fault;
    expect(await codeOf(process().getToken('ann'))).toBe(expected);
    expect(await rows()).toMatchObject([{ state }]);
    expect(signals.get('orphan-seen') ?? 0).toBe(orphans);
    expect(issuer.calls.mint).toBe(1);
  });

  test('keeps its own failure when its outcome cannot be written', async () => {
    const { issuer, ledger, process, rows } = makeWorld();
    issuer.mintFault = () => 'lost';
    ledger.beforeCall = (call) => {
      if (call === 'transition') throw new Failure('ledger-unavailable');
    };
    expect(await codeOf(process().getToken('ann'))).toBe('upstream-timeout');
    expect(await rows()).toMatchObject([{ state: 'reserved' }]);
  });

  test('is not begun if the reservation cannot be written', async () => {
    const { issuer, ledger, process } = makeWorld();
    ledger.beforeCall = (call) => {
      if (call === 'reserve') throw new Failure('ledger-denied');
    };
    expect(await codeOf(process().getToken('ann'))).toBe('ledger-denied');
    expect(issuer.calls.mint).toBe(0);
  });

  test('is not begun with too little time left to finish it', async () => {
    const { clock, issuer, process } = makeWorld();
    expect(await codeOf(process().getToken('ann', {}, clock.now() + 4_400))).toBe('mint-in-progress');
    expect(issuer.calls.mint).toBe(0);
  });

  test('leaves no work behind when it is revoked before ThoughtSpot refuses', async () => {
    const { clock, issuer, process, rows } = makeWorld();
    issuer.mintMs = 1_000;
    issuer.mintFault = () => 'refused';
    const minting = codeOf(process().getToken('ann'));
    await clock.advance(500);
    await process().revoke('ann');
    expect(await clock.drive(minting)).toBe('upstream-refused');
    expect(await rows()).toMatchObject([{ state: 'revoked' }]);
  });
});

describe('a reply for something else', () => {
  const wrong: [string, Partial<MintedToken>][] = [
    ['another user', { userName: 'bob' }],
    ['another org', { orgId: 7 }],
    ['another kind', { kind: 'custom' }],
    ['no life', { lifetimeMs: 0 }],
    ['more life than asked', { lifetimeMs: 305_001 }],
  ];
  test.each(wrong)('(%s) is revoked and withheld', async (_, lie) => {
    const { issuer, process, rows, signals } = makeWorld();
    issuer.reply = (minted) => ({ ...minted, ...lie });
    expect(await codeOf(process().getToken('ann'))).toBe('upstream-mismatch');
    expect(issuer.live()).toEqual([]);
    expect(await rows()).toMatchObject([{ state: 'revoked' }]);
    expect(signals.get('upstream-mismatch')).toBe(1);
  });

  test('(no word of org and kind) is revoked and withheld, unless the environment says that replies have no scope', async () => {
    const unscoped = ({ orgId: _org, kind: _kind, ...minted }: MintedToken) => minted;
    const strict = makeWorld();
    strict.issuer.reply = unscoped;
    expect(await codeOf(strict.process().getToken('ann'))).toBe('upstream-mismatch');
    expect(strict.issuer.live()).toEqual([]);
    const lenient = makeWorld({ mint: { repliesWithoutScope: true } });
    lenient.issuer.reply = unscoped;
    expect(await lenient.process().getToken('ann')).toMatchObject({ reused: false });
  });

  test('(another object) is revoked and withheld', async () => {
    const { issuer, process } = makeWorld({ grant: () => ({ rights: { kind: 'object', objectId: 'A-1' } }) });
    issuer.reply = (minted) => ({ ...minted, objectId: 'b-2' });
    expect(await codeOf(process().getToken('ann'))).toBe('upstream-mismatch');
    issuer.reply = (minted) => ({ ...minted, objectId: 'a-1' });
    expect(await process().getToken('ann')).toMatchObject({ reused: false });
  });

  test('in the case that ThoughtSpot keeps the name in is the right one', async () => {
    const { issuer, process } = makeWorld();
    issuer.reply = (minted) => ({ ...minted, userName: 'ANN' });
    expect(await process().getToken('ann')).toMatchObject({ userName: 'ann' });
  });
});

describe('a revocation during a mint wins', () => {
  test.each([
    ['the caller', asCaller('ann'), { kind: 'mine' }],
    ['an operator', asOperator(), { kind: 'user', userNames: ['Ann'] }],
    ['a cut-off for the org', asOperator(), { kind: 'org', orgId: 1 }],
    ['a cut-off for all', EVENT, { kind: 'all' }],
  ] as const)('when %s revokes', async (_, revoker, selection) => {
    const { clock, issuer, process, rows, signals, audit } = makeWorld();
    issuer.mintMs = 1_000;
    const minting = codeOf(process().getToken('ann'));
    await clock.advance(500);
    await process().revoke(revoker, selection);
    expect(await clock.drive(minting)).toBe('superseded-by-revocation');
    expect(issuer.live()).toEqual([]);
    expect(await rows()).toMatchObject([{ state: 'revoked' }]);
    expect(signals.get('compensated')).toBe(1);
    expect(audit.at(-1)).toMatchObject({ action: 'compensate', code: 'superseded-by-revocation' });
  });

  test.each([
    ['the caller', asCaller('ann'), { kind: 'mine' }],
    ['an operator', asOperator(), { kind: 'user', userNames: ['ann'] }],
  ] as const)('also when %s revokes after the live write, ThoughtSpot being down', async (_, revoker, selection) => {
    const { clock, issuer, ledger, process, rows } = makeWorld();
    issuer.revokeFault = () => 'down';
    ledger.afterCall = async (call, [, change]) => {
      if (call !== 'transition' || (change as Change).to !== 'live') return;
      await process().revoke(revoker, selection);
    };
    expect(await clock.drive(codeOf(process().getToken('ann')))).toBe('superseded-by-revocation');
    expect(await rows()).toMatchObject([{ state: 'revoking' }]);
  });

  test.each([
    [250, true],
    [251, false],
  ])('also over a reuse whose token took %i ms to open: %p', async (openMs, reused) => {
    const { clock, issuer, ledger, process } = makeWorld();
    const first = await process().getToken('ann');
    issuer.revokeFault = () => 'down';
    let opens = 0;
    ledger.beforeCall = async (call) => {
      if (call !== 'token' || (opens += 1) > 1) return;
      await clock.sleep(openMs);
      await process().revoke('ann');
    };
    const served = await clock.drive(process().getToken('ann'));
    expect(served.token === first.token).toBe(reused);
  });

  test('a token that cannot be revoked then is sealed into the row, which is due at once', async () => {
    const { clock, issuer, ledger, process, rows } = makeWorld();
    issuer.mintMs = 1_000;
    issuer.revokeFault = () => 'down';
    const minting = codeOf(process().getToken('ann'));
    await clock.advance(500);
    await process().revoke('ann');
    await clock.drive(minting);
    const [row] = await rows();
    expect(row).toMatchObject({ state: 'revoking', sealed: true, dueAt: clock.now() });
    expect(row && issuer.isLive(ledger.tokenOf(row) ?? '')).toBe(true);
    issuer.revokeFault = undefined;
    await clock.advance(1_000);
    await clock.drive(process().sweep());
    expect(issuer.live()).toEqual([]);
  });

  test('a mint that begins after the cut-off is untouched, even by a clock that runs behind', async () => {
    const { clock, process } = makeWorld();
    await process().revoke(EVENT, { kind: 'all' }, clock.now() + 120_000);
    const issued = await process().getToken('ann');
    expect(issued.lease.reservedAt).toBeGreaterThan(clock.now());
    expect(await process().getToken('ann')).toMatchObject({ token: issued.token });
  });
});

test.each(['transition', 'recheck'] as const)('a failure of %s after the mint releases nothing', async (broken) => {
  const { issuer, ledger, process } = makeWorld();
  ledger.beforeCall = (call) => {
    if (call === broken && issuer.calls.mint > 0) throw new Failure('ledger-unavailable');
  };
  expect(await codeOf(process().getToken('ann'))).toBe('ledger-unavailable');
  expect(issuer.live()).toEqual([]);
});

test('a live row that is finished before its token is read is not served, nor looked at again', async () => {
  const { ledger, process } = makeWorld();
  await process().getToken('ann');
  const finished = { ...ledger, token: async () => undefined };
  expect(await process({ ledger: finished }).getToken('ann')).toMatchObject({
    reused: false,
    lease: { generation: 2 },
  });
});

test('a live row whose token cannot be opened fails closed with its own code', async () => {
  const { ledger, process } = makeWorld();
  await process().getToken('ann');
  ledger.beforeCall = (call) => {
    if (call === 'token') throw new Failure('key-unavailable');
  };
  expect(await codeOf(process().getToken('ann'))).toBe('key-unavailable');
});

test('callers of the world have fingerprints of their own', () => {
  const prints = ['ann', 'ann/phone', 'bob', 'gus'].map((name) => grantFor(caller(name)).fingerprint);
  expect(new Set(prints).size).toBe(4);
});
