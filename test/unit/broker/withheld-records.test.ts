/** What is done with a token that must not be released, and what is written down of it, each to the last field. */
import { Failure } from '../../../functions/broker/failure.ts';
import type { MintedToken } from '../../../functions/broker/ports.ts';
import { DIGEST, FACTS, failureOf, HANDLE, worldWithLog } from '../../support/broker-records.ts';
import { asOperator, makeWorld } from '../../support/broker-world.ts';

describe('a token that is withheld', () => {
  const LIE: Partial<MintedToken> = { userName: 'eve', lifetimeMs: 0 };
  const REASON = "ThoughtSpot's token is not the one asked for: it is for another user, it has no life left";

  test('because it is another one is reported with what is wrong, in the log too', async () => {
    const { issuer, lines, process, signals } = worldWithLog();
    issuer.reply = (minted) => ({ ...minted, ...LIE });
    const failure = await failureOf(process().getToken('ann'));
    expect(failure).toMatchObject({ code: 'upstream-mismatch', reason: REASON });
    expect(lines).toEqual([['error', 'mint withheld', { rule: 'rule', grant: 'default', reason: REASON }]]);
    expect(signals.get('minted')).toBeUndefined();
  });

  test.each([
    [20_000, 5_000],
    [14_000, 5_000],
    [5_500, 4_500],
  ])('with %i ms left is revoked within %i ms', async (left, within) => {
    const { clock, issuer, process } = makeWorld();
    issuer.reply = (minted) => ({ ...minted, ...LIE });
    const asked: unknown[][] = [];
    const watched = {
      ...issuer,
      revoke: (...args: Parameters<typeof issuer.revoke>) => (asked.push(args), issuer.revoke(...args)),
    };
    await failureOf(process({ issuer: watched }).getToken('ann', {}, clock.now() + left));
    expect(asked).toEqual([[issuer.tokens[0]?.token, 'ann', clock.now() + within]]);
  });

  test.each<[answered: string, takes: string | undefined, tried: unknown[]]>([
    ['eve', 'ann', ['ann']],
    ['eve', 'eve', ['ann', 'eve']],
    ['eve', undefined, ['ann', 'eve', undefined]],
    ['', 'ann', ['ann']],
    ['', undefined, ['ann', undefined]],
  ])('and was answered for %p is revoked in the name that ThoughtSpot takes: %p', async (userName, takes, tried) => {
    const { issuer, process, rows } = makeWorld();
    issuer.reply = (minted) => ({ ...minted, userName });
    issuer.revocationNames = () => [takes];
    const names: unknown[] = [];
    const watched = {
      ...issuer,
      revoke: (...args: Parameters<typeof issuer.revoke>) => (names.push(args[1]), issuer.revoke(...args)),
    };
    await failureOf(process({ issuer: watched }).getToken('ann'));
    expect([names, issuer.live(), await rows()]).toEqual([tried, [], [expect.objectContaining({ state: 'revoked' })]]);
  });

  test.each<[answered: string, takes: string | undefined]>([
    ['eve', 'ann'],
    ['eve', 'eve'],
    ['eve', undefined],
    ['', 'ann'],
    ['', undefined],
  ])('during an outage, answered for %p, is presented by turns until ThoughtSpot takes %p', async (userName, takes) => {
    const { issuer, process, rows, clock } = makeWorld();
    issuer.reply = (minted) => ({ ...minted, userName });
    issuer.revocationNames = () => [takes];
    issuer.revokeFault = () => 'down';
    await failureOf(process().getToken('ann'));
    await clock.drive(process().sweep());
    issuer.revokeFault = undefined;
    for (let run = 0; run < 3; run += 1) {
      await clock.advance(10_000);
      await clock.drive(process().sweep());
    }
    expect([issuer.live(), await rows()]).toEqual([[], [expect.objectContaining({ state: 'revoked' })]]);
  });

  test.each([
    ['takes as long as it may', false],
    ['takes as long as it may, and is written all the same', true],
  ])('because the live write %s is revoked in time', async (_, written) => {
    const { issuer, ledger, process, rows, clock } = makeWorld();
    const slow = {
      ...ledger,
      transition: async (...[key, change, deadline]: Parameters<typeof ledger.transition>) => {
        if (change.to !== 'live') return ledger.transition(key, change, deadline);
        if (written) await ledger.transition(key, change, deadline);
        await clock.sleep(deadline - clock.now());
        throw new Failure('ledger-unavailable');
      },
    };
    const deadline = clock.now() + 20_000;
    const failure = await clock.drive(failureOf(process({ ledger: slow }).getToken('ann', {}, deadline)));
    expect(failure.code).toBe('ledger-unavailable');
    expect(clock.now()).toBe(deadline - 2_000);
    expect([issuer.calls.revoke.length, issuer.live()]).toEqual([1, []]);
    expect(await rows()).toMatchObject([{ state: 'revoked' }]);
  });

  test('is revoked even if ThoughtSpot’s reply came after the deadline', async () => {
    const { issuer, process, rows, clock } = makeWorld();
    issuer.mintMs = 30_000;
    const failure = await clock.drive(failureOf(process().getToken('ann')));
    expect([failure.code, issuer.calls.revoke.length, issuer.live()]).toEqual(['ledger-unavailable', 1, []]);
    expect(await rows()).toMatchObject([{ state: 'revoked' }]);
  });

  test.each([
    ['another user’s', LIE, { userName: 'ann', answeredUser: 'eve' }],
    ['the user’s own', { lifetimeMs: 0 }, { userName: 'ann' }],
  ])('and not confirmed dead is sealed into its row as %s', async (_, lie, names) => {
    const { audit, clock, issuer, process, rows } = makeWorld();
    issuer.reply = (minted) => ({ ...minted, ...lie });
    issuer.revokeFault = () => 'down';
    await failureOf(process().getToken('ann'));
    expect(await rows()).toMatchObject([
      { state: 'revoking', sealed: true, ...names, dueAt: clock.now(), endsAt: clock.now() + 300_000 },
    ]);
    const lease = { ...HANDLE, ...DIGEST, state: 'revoking' };
    expect(audit.at(-1)).toEqual({ ...FACTS, action: 'compensate', lease, code: 'upstream-mismatch' });
  });

  test('by a bug is reported so, and the bug is thrown', async () => {
    const { audit, ledger, process } = makeWorld();
    ledger.beforeCall = (call) => {
      if (call === 'recheck') throw new RangeError('a bug');
    };
    await expect(process().getToken('ann')).rejects.toThrow(RangeError);
    expect(audit.at(-1)).toMatchObject({ action: 'compensate', code: 'internal-error', lease: { state: 'revoked' } });
  });

  test.each([
    [true, 'the row of a withheld token is finished already'],
    [false, 'a withheld token is not in the ledger'],
  ])('and has no row any more (%p) is in audit and log', async (finished, message) => {
    const { audit, issuer, ledger, lines, process } = worldWithLog();
    const error = new Failure('ledger-unavailable');
    const broken = {
      ...ledger,
      transition: async () => (finished ? undefined : Promise.reject(error)),
    };
    const failure = await failureOf(process({ ledger: broken }).getToken('ann'));
    const code = finished ? 'superseded-by-revocation' : 'ledger-unavailable';
    expect(failure.code).toBe(code);
    expect(lines).toEqual([['error', message, { code, confirmed: true, ...(finished ? {} : { error }) }]]);
    expect(audit.at(-1)).toEqual({ action: 'compensate', user: 'ann', rule: 'rule', code });
    expect(issuer.live()).toEqual([]);
  });

  test('and that ThoughtSpot’s client cannot revoke is not confirmed', async () => {
    const { issuer, ledger, lines, process } = worldWithLog();
    const throwing = { ...issuer, revoke: async () => Promise.reject(new Error('a bug')) };
    const broken = { ...ledger, transition: async () => undefined };
    await failureOf(process({ issuer: throwing, ledger: broken }).getToken('ann'));
    expect(lines[0]?.[2]).toMatchObject({ confirmed: false });
  });

  test.each([
    ['taken from its minter', 'the reservation was taken away while minting', false],
    ['covered by a cut-off', 'a revocation came meanwhile', true],
  ])('because it was %s is reported with the reason', async (_, reason, byCutOff) => {
    const { clock, issuer, process } = makeWorld();
    issuer.mintMs = 1_000;
    const minting = failureOf(process().getToken('ann'));
    await clock.advance(500);
    await process().revoke(asOperator(), byCutOff ? { kind: 'all' } : { kind: 'user', userNames: ['ann'] });
    expect(await clock.drive(minting)).toMatchObject({ code: 'superseded-by-revocation', reason });
  });
});
