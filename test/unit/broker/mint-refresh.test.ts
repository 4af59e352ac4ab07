/** Near the end of a token: who mints the next one, and what is served when that fails. */
import { makeWorld } from '../../support/broker-world.ts';
import { codeOf } from '../../support/failure-code.ts';

describe('near the end of a token', () => {
  test('one caller mints the next while the others are served', async () => {
    const { clock, issuer, process } = makeWorld();
    const first = await process().getToken('ann');
    await clock.advance(220_000);
    issuer.mintMs = 1_000;
    const answers = await clock.drive(Promise.all(Array.from({ length: 10 }, () => process().getToken('ann'))));
    expect(issuer.calls.mint).toBe(2);
    expect(answers.filter(({ token }) => token === first.token)).toHaveLength(9);
    expect(await process().getToken('ann')).toMatchObject({ lease: { generation: 2 } });
  });

  test('nobody is served within the hard margin', async () => {
    const { clock, issuer, process } = makeWorld();
    const first = await process().getToken('ann');
    await clock.advance(270_000);
    issuer.mintMs = 1_000;
    const answers = await clock.drive(Promise.all(Array.from({ length: 10 }, () => process().getToken('ann'))));
    expect(answers.filter(({ token }) => token === first.token)).toHaveLength(0);
    expect(issuer.calls.mint).toBe(2);
  });

  test.each(['refused', 'lost'] as const)(
    'a mint that is %s falls back on the old token, and is not repeated',
    async (fault) => {
      const { clock, issuer, process } = makeWorld();
      const first = await process().getToken('ann');
      await clock.advance(220_000);
      issuer.mintFault = () => fault;
      expect(await process().getToken('ann')).toMatchObject({ token: first.token, reused: true });
      expect(issuer.calls.mint).toBe(2);
      await clock.advance(50_000);
      expect(await codeOf(process().getToken('ann'))).toBe(fault === 'lost' ? 'upstream-timeout' : 'upstream-refused');
    },
  );
});

test.each(['refused', 'lost'] as const)(
  'a good token is served to its end margin through an outage in which a mint is %s, and refreshes back off',
  async (fault) => {
    const { clock, issuer, process } = makeWorld({
      grant: () => ({ validitySeconds: 900, reuse: { minLifeLeftSeconds: 600 } }),
    });
    const first = await process().getToken('ann');
    await clock.advance(301_000);
    issuer.mintFault = () => fault;
    for (let at = 302; at < 869; at += 1) {
      expect(await clock.drive(process().getToken('ann'))).toMatchObject({ token: first.token, reused: true });
      await clock.advance(1_000);
    }
    expect(issuer.calls.mint).toBeLessThanOrEqual(1 + 6);
    issuer.mintFault = undefined;
    await clock.advance(10_000);
    expect(await process().getToken('ann')).toMatchObject({ reused: false });
  },
);

test.each(['fresh', 'replace'] as const)(
  'a good token is found however many callers who ask for another one (%s) failed to mint it',
  async (how) => {
    const { clock, issuer, process, ledger } = makeWorld({ grant: () => ({ validitySeconds: 900 }) });
    const first = await process().getToken('ann');
    await clock.advance(1_000);
    issuer.mintFault = () => 'refused';
    const another = how === 'fresh' ? { fresh: true } : { replace: first.lease.leaseId };
    for (let minute = 0; minute < 6; minute += 1) {
      for (let n = 0; n < 12; n += 1) await codeOf(process().getToken('ann', another));
      const calls: string[] = [];
      ledger.beforeCall = (call) => void calls.push(call);
      expect(await process().getToken('ann')).toMatchObject({ token: first.token, reused: true });
      ledger.beforeCall = undefined;
      // One more read, and only where the token is out of sight.
      expect(calls).toEqual(['newest', 'standing', ...(minute === 0 ? [] : ['get']), 'token']);
      expect(await codeOf(process().getToken('ann', another))).toBe('mint-limit');
      await clock.advance(61_000);
    }
    expect((await process().getToken('ann')).lease.generation).toBe(1);
    issuer.mintFault = undefined;
    const next = await process().getToken('ann', another);
    expect(next.lease.generation).toBeGreaterThan(50);
    expect((await process().getToken('ann')).token).toBe(next.token);
  },
);

test('a refresh that is lost while the old token runs out is reported, and not tried again', async () => {
  const { clock, issuer, process } = makeWorld();
  await process().getToken('ann');
  await clock.advance(265_000);
  issuer.mintFault = () => 'lost';
  issuer.mintMs = 8_000;
  expect(await clock.drive(codeOf(process().getToken('ann')))).toBe('upstream-timeout');
  expect(issuer.calls.mint).toBe(2);
});
