/** A mass revocation of a million tokens: many runs, each in its time and in little memory, none of them losing a row. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EVENT, makeWorld, type World } from '../support/broker-world.ts';

const ROWS = process.env.NIGHTLY === '1' ? 1_000_000 : 8_000;
const MEGABYTE = 2 ** 20;
/** Far more than a run needs, far less than it would need to hold every row. */
const MEMORY_LIMIT = 48 * MEGABYTE;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Live rows of as many users, each with an hour to live. */
async function fill({ ledger, clock, issuer }: World): Promise<void> {
  const now = clock.now();
  const times = { reservedAt: now, mintDeadlineAt: now + 14_000, latestEndAt: now + 3_700_000 };
  const about = { shared: false, orgId: 1, kind: 'full', rule: 'r', grant: 'g', policyVersion: 'v' } as const;
  const endsAt = now + 3_600_000;
  for (let n = 0; n < ROWS; n += 1) {
    const user = `user${n}`;
    const key = { user, fingerprint: 'print', generation: 1 };
    await ledger.reserve({ ...key, ...about, ...times, caller: { issuer: 'i', subject: user } }, Infinity);
    const token = `t${n}`;
    await ledger.transition(key, { to: 'live', dueAt: endsAt, endsAt, expiresAt: endsAt, token }, Infinity);
  }
  issuer.revokeMs = 200;
}

/** Runs the work and returns by how much the heap stood higher at its highest, looked at some twenty times per pass. */
async function peakOf({ ledger }: World, work: () => Promise<unknown>): Promise<number> {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  let peak = 0;
  let pages = 0;
  ledger.afterCall = (call) => {
    if (call !== 'due' || (pages += 1) % Math.max(10, ROWS / 2_000) !== 0) return;
    collectGarbage();
    peak = Math.max(peak, process.memoryUsage().heapUsed - before);
  };
  await work();
  ledger.afterCall = undefined;
  collectGarbage();
  return Math.max(peak, process.memoryUsage().heapUsed - before);
}

test(`${ROWS} rows: the cut-off is worked off by pages, revocation goes on at its rate, memory stays flat`, async () => {
  const world = makeWorld({ shards: 16 });
  const { clock, ledger, process: broker } = world;
  await fill(world);
  await clock.advance(2_000);
  await clock.drive(broker().revoke(EVENT, { kind: 'all' }));

  // A page takes a while, as it does in DynamoDB: no run gets through all of it.
  const slow = {
    ...ledger,
    due: async (...args: Parameters<typeof ledger.due>) => {
      await clock.sleep(ROWS / 20_000);
      return ledger.due(...args);
    },
  };
  let revoked = 0;
  const runs: number[] = [];
  const peak = await peakOf(world, async () => {
    for (let run = 0; run < 3; run += 1) {
      const startedAt = clock.now();
      const tally = await clock.drive(broker({ ledger: slow }).sweep(startedAt + 60_000));
      runs.push(clock.now() - startedAt);
      revoked += tally.revoked;
      expect(tally.unfinished).toBe(true);
      await clock.advance(60_000 - (clock.now() - startedAt));
    }
  });

  for (const took of runs) expect(took).toBeLessThanOrEqual(58_500);
  // The cut-off may take half of each run; in the other half, the few shards that it has reached so far give 40/s or more.
  expect(revoked).toBeGreaterThan(3 * 26 * 36);
  expect(revoked).toBeLessThan(3 * 53 * 50);
  expect(ledger.dueCount()).toBe(ROWS - revoked);
  expect(peak).toBeLessThan(MEMORY_LIMIT);
}, 1_800_000);

test(`${ROWS} rows past their end are closed without a call to ThoughtSpot`, async () => {
  const world = makeWorld({ shards: 16 });
  const { clock, ledger, issuer, process: broker } = world;
  await fill(world);
  await clock.advance(3_660_000);
  const peak = await peakOf(world, async () => {
    const tally = await clock.drive(broker().sweep());
    expect(tally).toMatchObject({ due: ROWS, expired: ROWS, unfinished: false, oldestDueAgeMs: 0 });
  });
  expect(ledger.dueCount()).toBe(0);
  expect(issuer.calls.revoke).toEqual([]);
  expect(peak).toBeLessThan(MEMORY_LIMIT);
}, 1_800_000);
