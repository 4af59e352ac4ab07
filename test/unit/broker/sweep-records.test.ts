/** What a run of the sweep reports: its tally, its signals and its log, each to the last field. */
import { Failure } from '../../../functions/broker/failure.ts';
import { EVENT } from '../../support/broker-world.ts';
import { worldWithLog } from '../../support/broker-records.ts';

const NOTHING = {
  due: 0,
  revoked: 0,
  expired: 0,
  retried: 0,
  stuck: 0,
  orphaned: 0,
  oldestDueAgeMs: 0,
  unfinished: false,
};

test('a run without work reports an age of zero and no other signal', async () => {
  const { process, signals, clock } = worldWithLog();
  expect(await clock.drive(process().sweep())).toEqual(NOTHING);
  expect([...signals]).toEqual([['oldest-due-age', 0]]);
});

test('a run counts what became of each row, and signals what is not zero', async () => {
  const { process, signals, clock, issuer } = worldWithLog();
  for (const name of ['ann', 'bob', 'cid']) await process().getToken(name);
  issuer.revokeFault = () => 'down';
  for (const name of ['ann', 'bob']) await clock.drive(process().revoke(name));
  issuer.revokeFault = (token) => (token.includes('ann') ? 'refused' : undefined);
  await clock.advance(2_000);
  signals.clear();
  const tally = await clock.drive(process().sweep());
  expect(tally.due).toBe(2);
  expect(tally.revoked + tally.retried).toBe(2);
  expect(tally).toMatchObject({ expired: 0, stuck: 0, orphaned: 0, oldestDueAgeMs: 0, unfinished: false });
  expect(signals.get('due')).toBe(2);
  expect(signals.get('revoked')).toBe(tally.revoked || undefined);
  expect(signals.get('retried')).toBe(tally.retried || undefined);
  expect([signals.has('expired'), signals.has('stuck'), signals.has('orphan-seen')]).toEqual([false, false, false]);
});

test('a revocation that has failed five times is stuck, and goes on', async () => {
  const { process, signals, clock, issuer } = worldWithLog();
  await process().getToken('ann', { validitySeconds: 3_000 });
  issuer.revokeFault = () => 'refused';
  await clock.drive(process().revoke('ann'));
  const stuck: number[] = [];
  for (let run = 0; run < 6; run += 1) {
    await clock.advance(300_000);
    stuck.push((await clock.drive(process().sweep())).stuck);
  }
  expect(stuck).toEqual([0, 0, 0, 1, 1, 1]);
  expect(signals.get('stuck')).toBe(3);
});

test('what is left counts with its age, in ms in the tally and in seconds as a signal', async () => {
  const { process, signals, clock, issuer } = worldWithLog();
  for (let n = 0; n < 30; n += 1) await process().getToken(`user${n}`, { validitySeconds: 3_000 });
  issuer.revokeFault = () => 'down';
  for (let n = 0; n < 30; n += 1) await clock.drive(process().revoke(`user${n}`));
  await clock.advance(600_000);
  signals.clear();
  const { oldestDueAgeMs, unfinished, retried, due } = await clock.drive(process().sweep());
  expect([unfinished, due > retried]).toEqual([true, true]);
  expect(oldestDueAgeMs).toBeGreaterThan(590_000);
  expect(oldestDueAgeMs).toBeLessThanOrEqual(600_000);
  expect(signals.get('oldest-due-age')).toBe(Math.round(oldestDueAgeMs / 1_000));
});

test('a shard that fails is reported with how many there are, and the run is not finished', async () => {
  const { process, clock, ledger, lines } = worldWithLog({ shards: 4 });
  const failing = {
    ...ledger,
    due: (...args: Parameters<typeof ledger.due>) =>
      args[0] === 2 ? Promise.reject(new Failure('ledger-unavailable')) : ledger.due(...args),
  };
  expect(await clock.drive(process({ ledger: failing }).sweep())).toEqual({ ...NOTHING, unfinished: true });
  expect(lines).toEqual([
    ['error', 'shards of the ledger could not be worked', { failed: 1, of: 4, error: expect.any(Failure) as unknown }],
  ]);
});

test('cut-offs that cannot be worked off are reported, and the due rows are worked all the same', async () => {
  const { process, clock, ledger, lines } = worldWithLog();
  const failing = { ...ledger, widestBlocks: () => Promise.reject(new Failure('ledger-denied')) };
  expect(await clock.drive(process({ ledger: failing }).sweep())).toEqual({ ...NOTHING, unfinished: true });
  expect(lines).toEqual([['warn', 'cut-offs could not be worked off', { error: expect.any(Failure) as unknown }]]);
});

test('cut-offs have half of the time, so that due rows have the other', async () => {
  const { process, clock, ledger } = worldWithLog({ shards: 2, sweep: { pageSize: 1, stopBeforeMs: 2_000 } });
  for (let n = 0; n < 40; n += 1) await process().getToken(`user${n}`);
  await clock.advance(2_000);
  await process().revoke(EVENT, { kind: 'all' });
  ledger.afterCall = (call) => (call === 'due' ? clock.sleep(1_000) : undefined);
  const startedAt = clock.now();
  const advanced: number[] = [];
  ledger.beforeCall = (call) => void (call === 'advanceBlock' && advanced.push(clock.now() - startedAt));
  await clock.drive(process().sweep(startedAt + 22_000));
  expect(Math.max(...advanced)).toBeGreaterThanOrEqual(9_000);
  expect(Math.max(...advanced)).toBeLessThanOrEqual(11_000);
});
