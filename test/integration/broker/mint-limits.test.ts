/** Nobody uses up what others need: the limits of the policy, through the real bundles. */
import { randomUUID } from 'node:crypto';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';
import { crowd } from '../../support/crowd.ts';
import { demoPolicyWith } from '../../support/raised-limits.ts';

const { names, users, cluster } = crowd(16);
const everyone = [...names];
const somebody = () => everyone.pop() ?? '';
let broker: LocalBroker;
let seen: Witness;

async function start(limits: object): Promise<void> {
  const policy = demoPolicyWith(limits);
  broker = await startLocalBroker({
    sweepEveryMs: null,
    policy,
    users,
    simulator: { cluster },
    limits: { reservedConcurrency: 12 },
  });
  broker.simulator?.set({ rateLimit: false });
  seen = witness(broker);
}
afterEach(async () => {
  expect(await seen.unaccounted()).toEqual([]);
  await broker.close();
});

const asked = (user: string, body: object) => seen.ask(user, '/gettoken', { body });
const mintCalls = () =>
  Object.entries(broker.simulator?.state().calls ?? {})
    .filter(([name]) => name.includes('/auth/token/'))
    .reduce((sum, [, calls]) => sum + calls, 0);
const refusedWith = (reason: string) =>
  broker.output.lines().filter(({ text }) => text.includes('"action":"deny"') && text.includes(reason)).length;

/** The status of each answer, and how many of each there were. */
async function statusesOf(count: number, ask: (index: number) => Promise<{ readonly status: number }>) {
  const statuses: Record<number, number> = {};
  for (let index = 0; index < count; index += 1) {
    const { status } = await ask(index);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  return statuses;
}

test('one caller gets no more live tokens by asking for another validity each time', async () => {
  await start({});
  const user = somebody();
  const statuses = await statusesOf(120, (index) => asked(user, { validitySeconds: 300 + index }));
  expect(statuses).toEqual({ 200: 20, 429: 100 });
  expect(seen.liveTokens(user)).toHaveLength(20);
  expect(mintCalls()).toBe(20);
  expect(refusedWith('live lease limit of the caller')).toBe(100);
  const refused = await asked(user, { validitySeconds: 500 });
  expect(refused).toMatchObject({ status: 429, code: 'mint-limit' });
  // The earliest token has 300 s, and a little more may pass until it is certainly over.
  const wait = Number(refused.headers.get('retry-after'));
  expect(wait).toBeGreaterThan(200);
  expect(wait).toBeLessThanOrEqual(310);
  // Other callers notice nothing, nor does his own live token.
  expect((await asked(somebody(), {})).status).toBe(200);
  expect((await asked(user, { validitySeconds: 300 })).status).toBe(200);
  // What he revokes makes room at once.
  expect((await seen.ask(user, '/revoketoken', { body: {} })).status).toBe(200);
  expect((await asked(user, {})).status).toBe(200);
});

test('one caller sends ThoughtSpot no more mints by inventing object ids', async () => {
  await start({});
  const user = somebody();
  const statuses = await statusesOf(60, () => asked(user, { grant: 'liveboard', objectId: randomUUID() }));
  expect(statuses).toEqual({ 404: 30, 429: 30 });
  expect(mintCalls()).toBe(30);
  expect(refusedWith('mint limit of the caller')).toBe(30);
  const refused = await asked(user, {});
  expect(refused).toMatchObject({ status: 429, code: 'mint-limit' });
  const wait = Number(refused.headers.get('retry-after'));
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(60);
  seen.shiftClocks(wait * 1_000);
  broker.simulator?.set({ clockOffsetMs: wait * 1_000 });
  expect((await asked(user, {})).status).toBe(200);
});

test('an org as a whole mints no more than its limit, however many callers and sandboxes it has', async () => {
  await start({ org: { mintsPerMinute: 5 } });
  const statuses = await statusesOf(6, async () => {
    // Another sandbox each time: what one knew is gone.
    seen.shiftClocks(0);
    return asked(somebody(), {});
  });
  expect(statuses).toEqual({ 200: 5, 429: 1 });
  expect(mintCalls()).toBe(5);
  expect(refusedWith('mint limit of the org')).toBe(1);
});

test('twelve embeds of one caller are charged once, and a token that is served again never is', async () => {
  await start({ caller: { mintsPerMinute: 1, liveLeases: 1 } });
  const user = somebody();
  const answers = await Promise.all(Array.from({ length: 12 }, () => asked(user, {})));
  // On a busy machine a sandbox may start so late that its request has no time left to wait.
  const others = answers.filter(({ status }) => status !== 200).map(({ code }) => code);
  expect(others.filter((code) => code !== 'mint-in-progress')).toEqual([]);
  expect((await asked(user, {})).status).toBe(200);
  expect(mintCalls()).toBe(1);
});
