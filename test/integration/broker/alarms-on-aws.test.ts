/**
 * The alarms on metrics that AWS makes of our access log and of our invocations: each is made to ring and to fall silent by
 * a local broker, whose access log is written in the deployed format. Those on CloudTrail are tried in test/infra.
 */
import type { FunctionName } from '../../../functions/contract/functions.ts';
import { PLATFORM_ALARMS } from '../../../infra/constructs/alarm-list.ts';
import type { LocalBroker } from '../../../local/local-broker.ts';
import type { LocalFunction } from '../../../local/lambda/local-function.ts';
import type { Witness } from '../../support/broker-witness.ts';
import { crowd } from '../../support/crowd.ts';
import { startWatchedBroker, type WatchedBroker } from '../../support/watched-broker.ts';

const MINUTE_MS = 60_000;
const { names, users, cluster } = crowd(60);
let world: WatchedBroker;
let broker: LocalBroker;
let seen: Witness;

beforeAll(async () => {
  world = await startWatchedBroker({ users, simulator: { cluster } });
  ({ broker, seen } = world);
  broker.simulator?.set({ rateLimit: false });
}, 120_000);
afterAll(() => world.close());

const ring = () => {
  world.countInvocations();
  return world.watch.ringing(world.now() + 1);
};
const times = async (count: number, ask: (at: number) => Promise<unknown>) => {
  for (let at = 0; at < count; at += 1) await ask(at);
};
const served = (count: number) => times(count, (at) => seen.ask(names[at % 30] ?? ''));
/** So many as a front end sends with an access token that has ended. */
const refused = (count: number) =>
  times(count, () => seen.ask('alice', '/gettoken', { authorization: 'Bearer expired' }));
const outage = (on: boolean) => broker.simulator?.set(on ? { outage: 'error', outageStatus: 503 } : { outage: 'none' });
const quiet = (minutes: number) => world.wait(minutes * MINUTE_MS);

interface Trial {
  readonly alarm: string;
  readonly make: () => Promise<void>;
  /** Until it has left the alarm's longest period, minutes. */
  readonly silentAfter?: number;
}

/** The other routes that callers and operators wait for. */
const ROUTES = [
  ['revoketoken', () => seen.ask('alice', '/revoketoken')],
  ['sessioninfo', () => seen.ask('alice', '/sessioninfo', { method: 'GET' })],
  ['operator', () => seen.ask('ops', '/leases', { method: 'GET' })],
] as const;

const TRIALS: readonly Trial[] = [
  {
    alarm: 'gettoken/refused-share',
    make: () =>
      times(3, async (period) => {
        if (period > 0) quiet(5);
        await served(20);
        await refused(20);
      }),
  },
  {
    // An issuer that renames a claim: whoever was served is not any more. The prober has a rule of its own.
    alarm: 'gettoken/nobody-served',
    silentAfter: 60,
    make: async () => {
      await served(240);
      quiet(20);
      await times(3, () => world.probe());
      await times(20, async () => {
        const renamed = { 'https://broker.example/tenant': undefined, 'https://broker.example/customer': 'acme' };
        const authorization = `Bearer ${await broker.issuer.accessToken('alice', renamed)}`;
        expect(await seen.ask('alice', '/gettoken', { authorization })).toMatchObject({ status: 403 });
      });
    },
  },
  {
    // Nobody comes at all, since nobody can sign in.
    alarm: 'gettoken/nobody-served',
    silentAfter: 60,
    make: async () => {
      await served(240);
      quiet(20);
    },
  },
  {
    alarm: 'gettoken/fast-burn',
    make: async () => {
      await served(40);
      outage(true);
      await times(12, (at) => seen.ask(names[30 + at] ?? '', '/gettoken', { body: { fresh: true } }));
      outage(false);
    },
  },
  {
    alarm: 'gettoken/slow-burn',
    silentAfter: 6 * 60,
    make: async () => {
      await served(190);
      quiet(120);
      outage(true);
      await times(13, (at) => seen.ask(names[30 + at] ?? '', '/gettoken', { body: { fresh: true } }));
      outage(false);
    },
  },
  {
    alarm: 'gettoken/5xx-rate',
    make: async () => {
      outage(true);
      await times(3, (at) => seen.ask(names[30 + at] ?? '', '/gettoken', { body: { fresh: true } }));
      outage(false);
    },
  },
  ...ROUTES.map(([name, ask]): Trial => ({
    alarm: `${name}/5xx-rate`,
    make: async () => {
      broker.aws.dynamodb.faults.inject(() => ({ kind: 'error', type: 'AccessDeniedException' }));
      await times(3, async () => expect((await ask()).status).toBe(503));
      broker.aws.dynamodb.faults.clear();
    },
  })),
  {
    // Three answers that wait for ThoughtSpot for five seconds, each in five minutes of its own.
    alarm: 'gettoken/p99-latency',
    make: async () => {
      const held = [];
      for (const at of [30, 31, 32]) held.push(await seen.heldMint(names[at] ?? '', { body: { fresh: true } }));
      await new Promise((resolve) => setTimeout(resolve, 5_100));
      for (const { asked, release } of held) {
        quiet(5);
        release();
        await asked;
      }
    },
  },
  ...PLATFORM_ALARMS.throttles.map((name): Trial => ({
    alarm: `${name}/throttles`,
    make: () => whileIs(name, { reservedConcurrency: 0 }),
  })),
  ...PLATFORM_ALARMS.crashes.map((name): Trial => ({
    alarm: `${name}/crashes`,
    make: () => whileIs(name, { variables: { NODE_OPTIONS: '--import=data:text/javascript,process.exit(1)' } }),
  })),
  {
    // A token whose revocation ThoughtSpot does not confirm for minutes, among a few that it does.
    alarm: 'sweep/fast-burn',
    make: () => revocations(50, 12),
  },
  { alarm: 'sweep/slow-burn', silentAfter: 6 * 60, make: () => revocations(200, 14) },
];

/** Times that so many revocations succeed at once, and so many not before the third attempt. */
async function revocations(confirmed: number, late: number): Promise<void> {
  const revoke = async (at: number) => {
    await seen.ask(names[at % 60] ?? '');
    await seen.ask(names[at % 60] ?? '', '/revoketoken');
  };
  await times(confirmed - late, revoke);
  const users = names.slice(0, late);
  for (const user of users) await seen.ask(user, '/gettoken', { body: { validitySeconds: 900 } });
  outage(true);
  for (const user of users) await seen.ask(user, '/revoketoken');
  // One run may give up on ThoughtSpot before it has come to all rows.
  for (let run = 0; run < 4; run += 1) {
    world.later(MINUTE_MS);
    await broker.sweep();
  }
  outage(false);
  world.later(MINUTE_MS);
  await seen.sweepToRest();
}

/** One call of a function whose settings are so. */
async function whileIs(name: FunctionName, settings: Parameters<LocalFunction['replace']>[0]): Promise<void> {
  const local = broker.functions.get(name);
  const { variables = {} } = local ?? {};
  local?.replace(settings);
  await local?.invoke({});
  local?.replace({ variables, reservedConcurrency: 10 });
}

test.each(TRIALS)(
  '$alarm rings, and falls silent when the trouble is over',
  async ({ alarm, make, silentAfter = 20 }) => {
    // Nothing of the trial before is looked back at.
    quiet(7 * 60);
    expect(ring()).not.toContain(alarm);
    await make();
    expect(ring()).toContain(alarm);
    quiet(silentAfter + 1);
    await served(30);
    expect(ring()).not.toContain(alarm);
  },
  120_000,
);

test.each([
  ['sweep', 2, () => broker.sweep()],
  ['prober', 15, () => world.probe()],
] as const)('%s/missed rings when it does not run, and falls silent when it does', async (name, minutes, run) => {
  const alarm = `${name}/missed`;
  for (let minute = 0; minute < minutes; minute += 1) {
    quiet(1);
    if (minute % (minutes / 2) === 0) await run();
  }
  expect(ring()).not.toContain(alarm);
  quiet(minutes + 1);
  expect(ring()).toContain(alarm);
  for (let minute = 0; minute < minutes; minute += 1) {
    quiet(1);
    if (minute % (minutes / 2) === 0) await run();
  }
  expect(ring()).not.toContain(alarm);
});

test('gettoken/api-throttled rings when the whole API has too much, and falls silent', async () => {
  const small = await startWatchedBroker({ throttle: { ratePerSecond: 1, burst: 5 } });
  const ringing = () => small.watch.ringing(small.now() + 1).has('gettoken/api-throttled');
  for (let at = 0; at < 60; at += 1) await small.seen.ask('alice', '/gettoken', { authorization: null });
  expect(ringing()).toBe(true);
  small.wait(6 * MINUTE_MS);
  expect(ringing()).toBe(false);
  await small.close();
});

test('revoketoken/dead-letters rings when an event has failed each time, and falls silent when it was replayed', async () => {
  const QueueName = `thoughtspot-broker-${world.watch.environment}-revoketoken-dead-letters`;
  const event = { source: 'schedule', name: 'nightly', scheduledTime: new Date().toISOString(), select: { all: true } };
  const run = async () => (await broker.invoke('revoketoken', event)).status;
  /** As SQS counts once a minute. */
  const count = (value: number) => {
    quiet(1);
    const metric = { namespace: 'AWS/SQS', name: 'ApproximateNumberOfMessagesVisible', dimensions: { QueueName } };
    world.watch.put({ ...metric, value, at: world.now() });
  };
  broker.aws.dynamodb.faults.inject(() => ({ kind: 'error', type: 'AccessDeniedException' }));
  // Lambda tries again twice; then it hands the event to the queue.
  const tries = [await run(), await run(), await run()];
  broker.aws.dynamodb.faults.clear();
  expect(tries).toEqual(['failed', 'failed', 'failed']);
  count(1);
  expect(ring()).toContain('revoketoken/dead-letters');
  expect(await run()).toBe('answered');
  count(0);
  quiet(2);
  expect(ring()).not.toContain('revoketoken/dead-letters');
});

test('every alarm on metrics of AWS is tried here, but for those on CloudTrail', () => {
  const elsewhere = /\/(dead-letters|secret-read-by-others|changed-by-hand|missed|api-throttled)$/;
  const platform = Object.entries(PLATFORM_ALARMS).flatMap(([alarm, functions]) =>
    functions.map((name: FunctionName) => `${name}/${alarm}`),
  );
  const here = platform.filter((alarm) => !elsewhere.test(alarm));
  expect([...new Set(TRIALS.map(({ alarm }) => alarm))].sort()).toEqual(here.sort());
});
