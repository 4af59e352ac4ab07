import { Failure } from '../../../functions/broker/failure.ts';
import type { HoldRequest, UserHold } from '../../../functions/broker/ports.ts';
import { MANY, withMint } from '../../../functions/broker/user-hold.ts';
import { asOperator, makeWorld } from '../../support/broker-world.ts';

const hold: UserHold = { digest: 'emea', subject: 'ann', until: 1_000, write: 'w' };
const many: UserHold = { ...hold, subject: MANY };
const mixed: UserHold = { ...hold, mixedUntil: 700 };
const mint = (digest: string, subject: string, until = 900): HoldRequest => ({ digest, subject, until });

describe('a hold with one more mint', () => {
  test.each<[string, UserHold, HoldRequest, number, object | undefined]>([
    ['has ended: the mint has it', hold, mint('apac', 'bo', 2_000), 1_001, mint('apac', 'bo', 2_000)],
    ['has not quite ended', hold, mint('apac', 'bo'), 1_000, undefined],
    ['same digest, same caller: `until` is never lowered', hold, mint('emea', 'ann'), 500, hold],
    ['same digest, same caller, later', hold, mint('emea', 'ann', 2_000), 500, { ...hold, until: 2_000 }],
    ['same digest, another caller: of many', hold, mint('emea', 'bo'), 500, mint('emea', MANY, 1_000)],
    ['of many, same digest', many, mint('emea', 'cy'), 500, many],
    ['of many, another digest', many, mint('apac', 'ann'), 500, undefined],
    ['of many, another digest by many', many, mint('apac', MANY), 500, undefined],
    ['another digest, another caller', hold, mint('apac', 'bo'), 500, undefined],
    [
      'another digest of the caller who is alone: both may live until then',
      hold,
      mint('apac', 'ann', 1_500),
      500,
      { ...mint('apac', 'ann', 1_500), mixedUntil: 1_000 },
    ],
    ['a second caller, while another digest of the first may live', mixed, mint('emea', 'bo'), 700, undefined],
    ['a second caller, after that', mixed, mint('emea', 'bo'), 701, mint('emea', MANY, 1_000)],
    ['the first caller again, meanwhile', mixed, mint('emea', 'ann'), 500, mixed],
  ])('%s', (_, before, next, endedBefore, expected) => {
    expect(withMint(before, next, endedBefore)).toEqual(expected);
  });
});

/** Callers `team/ann` and `team/bo` share the ThoughtSpot user team; what is asked for says the digest. */
const team = () => makeWorld({ grant: (_, { grant = 'none' }) => ({ entitlements: grant, name: grant }) });
const EMEA = { grant: 'emea' };
const APAC = { grant: 'apac' };

describe('the guard of a mint', () => {
  test('costs one write, and none where the policy leaves nothing on users or a token is served again', async () => {
    const { ledger, process } = team();
    const calls: string[] = [];
    ledger.beforeCall = (call) => void calls.push(call);
    await process().getToken('team/ann', EMEA);
    await process().getToken('team/ann', EMEA);
    expect(calls.filter((call) => /[hH]old/.test(call))).toEqual(['holdUser']);
    const plain = makeWorld();
    plain.ledger.beforeCall = (call) => void calls.push(`plain ${call}`);
    await plain.process().getToken('ann');
    expect(calls.filter((call) => /plain .*[hH]old/.test(call))).toEqual([]);
  });

  test('sends nothing for a second caller with other entitlements, and rings', async () => {
    const { issuer, ledger, signals, audit, clock, process, rows } = team();
    const first = await process().getToken('team/ann', EMEA);
    const refused = await process()
      .getToken('team/bo', APAC)
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'entitlement-conflict' });
    const { retryAfterMs } = refused as { retryAfterMs: number };
    expect(clock.now() + retryAfterMs).toBeGreaterThanOrEqual(first.lease.endsAt ?? Infinity);
    expect(issuer.calls.mint).toBe(1);
    expect(signals.get('entitlement-conflict')).toBe(1);
    expect((await rows()).map(({ state }) => state)).toEqual(['live', 'failed']);
    expect(audit.at(-1)).toMatchObject({ action: 'mint', code: 'entitlement-conflict', user: 'team' });
    expect(ledger.dueCount()).toBe(1);
  });

  test.each([
    ['another caller with the same', 'team/bo', EMEA],
    ['the same caller with others', 'team/ann', APAC],
    ['another ThoughtSpot user', 'other/bo', APAC],
  ])('lets %s go on', async (_, who, request) => {
    const { process } = team();
    await process().getToken('team/ann', EMEA);
    await expect(process().getToken(who, request)).resolves.toMatchObject({ reused: false });
  });

  test('keeps a grant that leaves nothing apart too', async () => {
    const { process } = team();
    await process().getToken('team/ann', EMEA);
    await expect(process().getToken('team/bo')).rejects.toMatchObject({ code: 'entitlement-conflict' });
  });

  test('makes room when the tokens are revoked, by one strong look', async () => {
    const { process } = team();
    await process().getToken('team/ann', EMEA);
    await expect(process().getToken('team/bo', APAC)).rejects.toMatchObject({ code: 'entitlement-conflict' });
    await process().revoke(asOperator(), { kind: 'user', userNames: ['team'] });
    await expect(process().getToken('team/bo', APAC)).resolves.toMatchObject({ reused: false });
    await expect(process().getToken('team/ann', EMEA)).rejects.toMatchObject({ code: 'entitlement-conflict' });
  });

  test('does not make room while a lost mint may still be carried out', async () => {
    const { issuer, process, clock } = team();
    issuer.mintFault = () => 'lost';
    await expect(process().getToken('team/ann', EMEA)).rejects.toMatchObject({ code: 'upstream-timeout' });
    issuer.mintFault = undefined;
    await process().revoke(asOperator(), { kind: 'user', userNames: ['team'] });
    await expect(process().getToken('team/bo', APAC)).rejects.toMatchObject({ code: 'entitlement-conflict' });
    await clock.advance(500_000);
    await expect(process().getToken('team/bo', APAC)).resolves.toMatchObject({ reused: false });
  });

  test('takes a hold over as one of many, where others of the same digest live', async () => {
    const { process, ledger } = team();
    await process().getToken('team/ann', EMEA);
    const ann = await process().getToken('team/ann', APAC);
    // Of ann's digests only the older one lives: bo may have it too, and neither of them another one.
    await process().revoke(asOperator(), { kind: 'lease', leaseId: ann.lease.leaseId });
    await process().getToken('team/bo', EMEA);
    expect(await ledger.userHold({ userName: 'team', orgId: 1 }, Infinity)).toMatchObject({ subject: MANY });
    await expect(process().getToken('team/bo', APAC)).rejects.toMatchObject({ code: 'entitlement-conflict' });
  });

  test('lets only one of two callers through who meet at the same moment', async () => {
    const { process, issuer, clock } = team();
    issuer.mintMs = 300;
    const asked = [process().getToken('team/ann', EMEA), process().getToken('team/bo', APAC)];
    const outcomes = await clock.drive(Promise.allSettled(asked));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(issuer.calls.mint).toBe(1);
  });

  test('gives every caller of a service account its token, one write each', async () => {
    const { process, ledger, clock } = makeWorld({
      grant: () => ({ entitlements: 'emea', serviceAccount: true }),
    });
    const calls: string[] = [];
    ledger.beforeCall = (call) => void calls.push(call);
    const people = Array.from({ length: 50 }, (_, n) => process().getToken(`robot/${n}`));
    await clock.drive(Promise.all(people));
    expect(calls.filter((call) => /[hH]old/.test(call))).toHaveLength(50);
  });

  test('fails as the ledger fails, with nothing sent and the row closed', async () => {
    const { process, ledger, issuer, rows } = team();
    ledger.beforeCall = (call) => {
      if (call === 'holdUser') throw new Failure('ledger-unavailable');
    };
    await expect(process().getToken('team/ann', EMEA)).rejects.toMatchObject({ code: 'ledger-unavailable' });
    expect(issuer.calls.mint).toBe(0);
    expect((await rows()).map(({ state }) => state)).toEqual(['failed']);
  });
});
