/* Limits per caller and org: who is charged, when, and what frees a place (docs/adr/0016). */
import type { Limits } from '../../../functions/broker/mint-counts.ts';
import { type Process, caller, makeWorld } from '../../support/broker-world.ts';

const limits = (mintsPerMinute: number, liveLeases: number, org = 6_000): Limits => ({
  caller: { mintsPerMinute, liveLeases },
  org: { mintsPerMinute: org },
});
/** Another fingerprint each time. */
const ask = (process: Process, nth: number, who = 'ann') => process.getToken(who, { validitySeconds: 300 + nth });
const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'token',
    (error: { code?: string }) => error.code ?? 'crash',
  );

test('the caller may mint again when the oldest mint has left the minute, to the millisecond', async () => {
  const { clock, process, issuer } = makeWorld({ limits: limits(3, 200) });
  for (let n = 0; n < 3; n += 1) {
    await ask(process(), n);
    await clock.advance(1_000);
  }
  await expect(ask(process(), 3)).rejects.toMatchObject({ code: 'mint-limit', retryAfterMs: 57_000 });
  await clock.advance(56_999);
  expect(await codeOf(ask(process(), 3))).toBe('mint-limit');
  await clock.advance(1);
  await ask(process(), 3);
  expect(issuer.calls.mint).toBe(4);
});

test('a refusal writes nothing, sends nothing and is said in audit and metric; other callers notice nothing', async () => {
  const { ledger, process, issuer, audit, signals, rows } = makeWorld({ limits: limits(2, 200) });
  for (let n = 0; n < 2; n += 1) await ask(process(), n);
  const calls: string[] = [];
  ledger.beforeCall = (call) => void calls.push(call);
  expect(await codeOf(ask(process(), 2))).toBe('mint-limit');
  expect(calls.sort()).toEqual(['newest', 'standing']);
  expect([issuer.calls.mint, (await rows()).length, signals.get('mint-limited')]).toEqual([2, 2, 1]);
  expect(audit.at(-1)).toMatchObject({
    action: 'deny',
    code: 'mint-limit',
    caller: { subject: 'sub-ann' },
    reasons: ['mint limit of the caller'],
  });
  ledger.beforeCall = undefined;
  await ask(process(), 0, 'bob');
});

test('a mint reads twice before it and writes three times: row, ring, row', async () => {
  const { ledger, process } = makeWorld({ limits: limits(30, 20, 600) });
  for (let n = 0; n < 5; n += 1) {
    const calls: string[] = [];
    ledger.beforeCall = (call) => void calls.push(call);
    await ask(process(), n);
    expect(calls).toEqual(['newest', 'standing', 'reserve', 'addMark', 'transition', 'recheck']);
  }
});

test('what was revoked frees its place at once, and what has ended when it certainly has', async () => {
  const { clock, process } = makeWorld({ limits: limits(600, 2) });
  for (let n = 0; n < 2; n += 1) await ask(process(), n);
  const first = await ask(process(), 2).catch((error: unknown) => error);
  expect(first).toMatchObject({ code: 'mint-limit', reason: 'live lease limit of the caller' });
  const { retryAfterMs } = first as { retryAfterMs: number };
  expect(retryAfterMs).toBeGreaterThanOrEqual(300_000);
  await clock.drive(process().revoke('ann'));
  for (let n = 2; n < 4; n += 1) await ask(process(), n);
  const { retryAfterMs: wait } = (await ask(process(), 4).catch((error: unknown) => error)) as { retryAfterMs: number };
  await clock.advance(wait - 1);
  expect(await codeOf(ask(process(), 5))).toBe('mint-limit');
  await clock.advance(1);
  await ask(process(), 5);
});

test.each([1, 2, 3, 7])(
  'of twelve different grants at once, %i are minted and the others send nothing',
  async (most) => {
    for (const allowed of [limits(most, 200), limits(600, most)]) {
      const { clock, process, issuer, rows } = makeWorld({ limits: allowed });
      const asked = Array.from({ length: 12 }, (_, n) => codeOf(ask(process(), n)));
      const codes = await clock.drive(Promise.all(asked));
      expect(codes.filter((code) => code === 'token')).toHaveLength(most);
      expect(codes.filter((code) => code === 'mint-limit')).toHaveLength(12 - most);
      expect(issuer.calls.mint).toBe(most);
      // Nobody waits for a reservation that was refused.
      expect((await rows()).filter(({ state }) => state === 'reserved')).toEqual([]);
    }
  },
);

test('twelve requests for one token are charged once', async () => {
  const { clock, process, issuer } = makeWorld({ limits: limits(1, 1) });
  const codes = await clock.drive(Promise.all(Array.from({ length: 12 }, () => codeOf(process().getToken('ann')))));
  expect(codes).toEqual(Array<string>(12).fill('token'));
  expect(issuer.calls.mint).toBe(1);
});

test('a live token near its end is served where its successor is refused', async () => {
  const { clock, process } = makeWorld({ limits: limits(600, 1) });
  const { token } = await process().getToken('ann');
  await clock.advance(250_000);
  expect(await process().getToken('ann')).toMatchObject({ token, reused: true });
});

test('a crash between ring and send locks the caller out for no longer than the certain end of the row', async () => {
  const { clock, ledger, issuer, process, rows } = makeWorld({ limits: limits(600, 1) });
  ledger.afterCall = (call) => {
    if (call === 'addMark') throw new Error('crash');
  };
  ledger.beforeCall = (call) => {
    if (call === 'transition') throw new Error('crash');
  };
  expect(await codeOf(ask(process(), 0))).toBe('crash');
  ledger.afterCall = ledger.beforeCall = undefined;
  expect(issuer.calls.mint).toBe(0);
  const [row] = await rows();
  expect(await codeOf(ask(process(), 1))).toBe('mint-limit');
  await clock.advance((row?.latestEndAt ?? 0) - clock.now());
  await ask(process(), 1);
});

test('a mark whose answer was lost is not added twice, and the mint goes on', async () => {
  const { ledger, process, issuer } = makeWorld({ limits: limits(1, 1) });
  const losing = {
    ...ledger,
    addMark: async (...args: Parameters<typeof ledger.addMark>) => {
      await ledger.addMark(...args);
      return false;
    },
  };
  await ask(process({ ledger: losing }), 0);
  expect(issuer.calls.mint).toBe(1);
});

test.each([-4_000, 4_000])(
  'a sandbox whose clock is %i ms off neither forgets a mint nor locks anybody out',
  async (off) => {
    const { clock, process, ledger } = makeWorld({ limits: limits(3, 200) });
    const skewed = { ...clock, now: () => clock.now() + off };
    for (let n = 0; n < 3; n += 1) await ask(process(n % 2 === 0 ? {} : { clock: skewed }), n);
    expect(await codeOf(ask(process({ clock: skewed }), 3))).toBe('mint-limit');
    await clock.advance(60_000 + Math.abs(off));
    await ask(process(), 4);
    await ask(process({ clock: skewed }), 5);
    const { marks } = (await ledger.standing({ caller: caller('ann'), orgId: 1 }, Infinity)).ring;
    expect(marks).toHaveLength(5);
  },
);

test('a ring of marks that no longer count is written anew, by the same single write', async () => {
  const { clock, process, ledger } = makeWorld({ limits: limits(600, 200) });
  for (let n = 0; n < 16; n += 1) await ask(process(), n);
  await clock.advance(600_000);
  const calls: string[] = [];
  ledger.beforeCall = (call) => void calls.push(call);
  await ask(process(), 16);
  expect(calls).toEqual(['newest', 'standing', 'reserve', 'replaceMarks', 'transition', 'recheck']);
  ledger.beforeCall = undefined;
  const { ring } = await ledger.standing({ caller: caller('ann'), orgId: 1 }, Infinity);
  expect(ring.marks).toHaveLength(1);
});

test('sandboxes report the mints of an org in batches, and all of them know soon enough', async () => {
  const { clock, process, issuer, ledger } = makeWorld({ limits: limits(600, 200, 600) });
  let reports = 0;
  ledger.beforeCall = (call) => void (call === 'countOrgMints' && (reports += 1));
  const sandboxes = Array.from({ length: 8 }, () => process());
  const codes: string[] = [];
  for (let n = 0; n < 700; n += 1) codes.push(await codeOf(sandboxes[n % 8]!.getToken(`person${n}`)));
  expect(codes.slice(0, 600)).toEqual(Array<string>(600).fill('token'));
  // Each sandbox keeps less than a batch to itself.
  expect(issuer.calls.mint).toBeLessThanOrEqual(600 + 8 * 10);
  expect(codes.at(-1)).toBe('mint-limit');
  expect(reports).toBeLessThan(200);
  const refused = await sandboxes[0]!.getToken('late').catch((error: unknown) => error);
  expect(refused).toMatchObject({ reason: 'mint limit of the org' });
  const { retryAfterMs } = refused as { retryAfterMs: number };
  expect(retryAfterMs).toBeLessThanOrEqual(65_000);
  await clock.advance(retryAfterMs);
  await sandboxes[0]!.getToken('late');
  // Another org has its own.
  await sandboxes[1]!.getToken('greta');
});

test('an org with a limit of its own has that one, and the others theirs', async () => {
  const orgs = { 2: { mintsPerMinute: 3 } };
  const { process } = makeWorld({ limits: { ...limits(600, 200, 1), orgs } });
  const one = process();
  const codes: string[] = [];
  for (const who of ['ann', 'bob', 'greta', 'gus', 'gina', 'gill']) codes.push(await codeOf(one.getToken(who)));
  expect(codes).toEqual(['token', 'mint-limit', 'token', 'token', 'token', 'mint-limit']);
});
