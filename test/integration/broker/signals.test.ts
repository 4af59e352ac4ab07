/** Every alarm of ours is tried: its trouble is made, its metric is seen, and it falls silent when the trouble is over. */
import type { FunctionName } from '../../../functions/contract/functions.ts';
import { SIGNAL_ALARMS } from '../../../infra/constructs/alarm-list.ts';
import { SECRET_ID } from '../../../local/function-variables.ts';
import type { LocalBroker } from '../../../local/local-broker.ts';
import type { Witness } from '../../support/broker-witness.ts';
import { leaksIn } from '../../support/canaries.ts';
import { crowd } from '../../support/crowd.ts';
import { postLogout } from '../../support/demo-logout.ts';
import { hideFromDue } from '../../support/ledger-rows.ts';
import { withOneTeam } from '../../support/one-team.ts';
import {
  PROBER_CLIENT_SECRET,
  PROBER_SECRET,
  startWatchedBroker,
  type WatchedBroker,
} from '../../support/watched-broker.ts';

const MINUTE_MS = 60_000;
const { names, ...many } = crowd(110);
const { policy, users, cluster } = withOneTeam(many.users, many.cluster);
const people = [...names];
const somebody = () => people.pop() ?? '';
let world: WatchedBroker;
let broker: LocalBroker;
let seen: Witness;

beforeAll(async () => {
  world = await startWatchedBroker({
    policy,
    users,
    simulator: { cluster },
    limits: { timeoutMs: 9_000 },
  });
  ({ broker, seen } = world);
  broker.simulator?.set({ rateLimit: false });
}, 120_000);
afterAll(() => world.close());

const later = (ms: number) => world.later(ms);

/** One ordinary call of each function. */
const call: Record<FunctionName, () => Promise<unknown>> = {
  gettoken: () => seen.ask(somebody()),
  revoketoken: () => seen.ask(somebody(), '/revoketoken'),
  sessioninfo: () => seen.ask(somebody(), '/sessioninfo', { method: 'GET' }),
  operator: () => seen.ask('ops', '/leases', { method: 'GET' }),
  backchannellogout: () => postLogout(broker, somebody(), world.ahead()),
  sweep: () => broker.sweep(),
  prober: () => world.probe(),
};
const afresh = (name: FunctionName) => broker.functions.get(name)?.replace({});
const LEDGER_FUNCTIONS = ['gettoken', 'revoketoken', 'sessioninfo', 'operator', 'backchannellogout', 'sweep'] as const;

interface Trial {
  readonly alarm: string;
  readonly make: () => Promise<void>;
  readonly mend?: () => void | Promise<void>;
  /** In how many minutes, one after the other, it is made: so long it has to last. */
  readonly minutes?: number;
}

/** A fault of an AWS service during one call of a function in a new sandbox. */
const duringFault =
  (name: FunctionName, service: 'dynamodb' | 'kms' | 'secrets', type: string): Trial['make'] =>
  async () => {
    broker.aws[service].faults.inject(() => ({ kind: 'error', type }));
    afresh(name);
    await call[name]();
    broker.aws[service].faults.clear();
    afresh(name);
  };

/** ThoughtSpot answers every call so. */
async function duringOutage(outageStatus: 429 | 503, work: () => Promise<void>): Promise<void> {
  broker.simulator?.set({ outage: 'error', outageStatus });
  await work();
  broker.simulator?.set({ outage: 'none' });
}

/** Revocations that ThoughtSpot does not confirm meanwhile. */
async function withRevoked(count: number, status: 429 | 503, work: () => Promise<void>): Promise<void> {
  const users = Array.from({ length: count }, somebody);
  for (const user of users) await seen.ask(user, '/gettoken', { body: { validitySeconds: 3_600 } });
  await duringOutage(status, async () => {
    for (const user of users) await seen.ask(user, '/revoketoken');
    await work();
  });
}

/** KMS is away while a new sandbox has a token of somebody to open. */
const duringLostKey = (
  name: 'revoketoken' | 'operator' | 'backchannellogout' | 'sweep',
): Pick<Trial, 'make' | 'mend'> => ({
  make: async () => {
    const user = somebody();
    await seen.ask(user);
    broker.aws.kms.faults.inject(() => ({ kind: 'error', type: 'KMSInternalException' }));
    for (const used of ['revoketoken', 'operator', 'backchannellogout'] as const) afresh(used);
    if (name === 'operator') await seen.ask('ops', '/leases/revoke', { body: { userName: user } });
    else if (name === 'backchannellogout') await postLogout(broker, user, world.ahead());
    else await seen.ask(user, '/revoketoken');
    if (name === 'sweep') {
      afresh('sweep');
      later(60_000);
      await call.sweep();
    }
    broker.aws.kms.faults.clear();
    for (const used of ['revoketoken', 'operator', 'backchannellogout', 'sweep'] as const) afresh(used);
  },
  mend: async () => {
    later(60_000);
    await seen.sweepToRest();
  },
});

const secretNow = () => broker.aws.secrets.values(SECRET_ID).at(-1) ?? '';
const duringBadSecret =
  (name: FunctionName): Trial['make'] =>
  async () => {
    const [id, good] = name === 'prober' ? [PROBER_SECRET, undefined] : [SECRET_ID, secretNow()];
    broker.aws.secrets.put(id, '{"nothing":"of use"}');
    afresh(name);
    await call[name]();
    if (good === undefined) world.proberSecret();
    else broker.aws.secrets.put(id, good);
    afresh(name);
  };

/** A variable that its function cannot read; only gettoken and the prober have a secret that could be wrong. */
const duringBadVariable =
  (name: FunctionName): Trial['make'] =>
  async () => {
    const local = broker.functions.get(name);
    const variables = local?.variables ?? {};
    local?.replace({ variables: { ...variables, LEDGER_DUE_SHARDS: 'many' } });
    await call[name]();
    local?.replace({ variables });
  };

const TRIALS: readonly Trial[] = [
  {
    alarm: 'gettoken/upstream-credential-refused',
    make: async () => {
      const key = broker.simulator?.rotateKey();
      await call.gettoken();
      broker.aws.secrets.put(SECRET_ID, JSON.stringify({ ...(JSON.parse(secretNow()) as object), secretKey: key }));
      afresh('gettoken');
    },
  },
  {
    alarm: 'gettoken/upstream-mismatch',
    make: async () => {
      broker.simulator?.set({ wrongUser: 'bob' });
      await call.gettoken();
      broker.simulator?.set({ wrongUser: null });
    },
  },
  {
    alarm: 'gettoken/entitlement-conflict',
    make: async () => {
      for (const name of ['mia', 'mona']) await seen.ask(name);
    },
  },
  {
    alarm: 'gettoken/mint-limited',
    make: async () => {
      const user = somebody();
      const body = { fresh: true };
      for (let ask = 0; ask < 5 + 20; ask += 1) await seen.ask(user, '/gettoken', { body });
    },
  },
  {
    alarm: 'gettoken/orphan-seen',
    make: async () => {
      broker.simulator?.set({ lostReplies: 1 });
      await call.gettoken();
    },
  },
  {
    alarm: 'sweep/orphan-seen',
    make: async () => {
      const release = broker.simulator?.hold();
      const { promise: minting, resolve } = Promise.withResolvers<void>();
      const stop = broker.simulator?.onCall(() => resolve());
      const asked = call.gettoken();
      await minting;
      stop?.();
      for (const pid of broker.functions.get('gettoken')?.pids() ?? []) process.kill(pid, 'SIGKILL');
      await asked;
      release?.();
      // A little later, when nobody can be minting any more, the sweep finds the row.
      later(60_000);
      await call.sweep();
    },
  },
  {
    alarm: 'sweep/oldest-due-age',
    make: async () => {
      // So many that the sweep gives up on ThoughtSpot before it has come to all of them.
      const waiting = Array.from({ length: 8 }, somebody);
      for (const user of waiting) await seen.ask(user, '/gettoken', { body: { validitySeconds: 3_600 } });
      broker.simulator?.set({ outage: 'error', outageStatus: 503 });
      for (const user of waiting) await seen.ask(user, '/revoketoken');
      later(15 * MINUTE_MS);
      await call.sweep();
      broker.simulator?.set({ outage: 'none' });
    },
    mend: async () => {
      later(5 * MINUTE_MS);
      await seen.sweepToRest();
    },
  },
  { alarm: 'gettoken/key-unavailable', make: duringFault('gettoken', 'kms', 'KMSInternalException') },
  { alarm: 'revoketoken/key-unavailable', ...duringLostKey('revoketoken') },
  { alarm: 'operator/key-unavailable', ...duringLostKey('operator') },
  { alarm: 'backchannellogout/key-unavailable', ...duringLostKey('backchannellogout') },
  {
    alarm: 'backchannellogout/logout-failed',
    make: duringFault('backchannellogout', 'dynamodb', 'InternalServerError'),
  },
  { alarm: 'sweep/key-unavailable', ...duringLostKey('sweep') },
  { alarm: 'sweep/sweep-failed', minutes: 3, make: duringFault('sweep', 'dynamodb', 'AccessDeniedException') },
  {
    alarm: 'revoketoken/schedule-failed',
    make: async () => {
      await broker.invoke('revoketoken', { source: 'schedule', name: 'nightly', select: { everybody: true } });
    },
  },
  {
    alarm: 'prober/probe-failed',
    // Two probes of three.
    minutes: 2,
    make: async () => {
      broker.simulator?.set({ outage: 'error', outageStatus: 503, faultScope: 'mint' });
      await call.prober();
      broker.simulator?.set({ outage: 'none', faultScope: 'all' });
    },
  },
  {
    alarm: 'gettoken/upstream-busy',
    make: () => duringOutage(429, async () => void (await Promise.all(Array.from({ length: 8 }, call.gettoken)))),
  },
  {
    alarm: 'sweep/upstream-busy',
    make: async () => {
      await withRevoked(10, 429, async () => {
        for (let run = 0; run < 3; run += 1) {
          later(MINUTE_MS);
          await call.sweep();
        }
      });
    },
    mend: () => seen.sweepToRest(),
  },
  {
    alarm: 'gettoken/upstream-unavailable',
    minutes: 5,
    make: () => duringOutage(503, async () => void (await call.gettoken())),
  },
  {
    alarm: 'gettoken/secret-stale',
    make: async () => {
      await call.gettoken();
      broker.aws.secrets.faults.inject(() => ({ kind: 'error', type: 'InternalServiceError' }));
      later(6 * MINUTE_MS);
      await call.gettoken();
      broker.aws.secrets.faults.clear();
      later(MINUTE_MS);
    },
  },
  {
    alarm: 'gettoken/issuer-unavailable',
    make: async () => {
      const local = broker.functions.get('gettoken');
      const variables = local?.variables ?? {};
      const ISSUERS = (variables['ISSUERS'] ?? '').replace('[{', '[{"jwksUri":"http://127.0.0.1:9/keys",');
      local?.replace({ variables: { ...variables, ISSUERS } });
      await call.gettoken();
      local?.replace({ variables });
    },
  },
  {
    alarm: 'sweep/stuck',
    make: () =>
      withRevoked(1, 503, async () => {
        for (let run = 0; run < 6; run += 1) {
          later(MINUTE_MS);
          await call.sweep();
        }
      }),
    mend: async () => {
      later(5 * MINUTE_MS);
      await seen.sweepToRest();
    },
  },
  ...LEDGER_FUNCTIONS.flatMap((name): Trial[] => [
    { alarm: `${name}/access-denied`, make: duringFault(name, 'dynamodb', 'AccessDeniedException') },
    {
      alarm: `${name}/misconfigured`,
      make: name === 'gettoken' ? duringBadSecret(name) : duringBadVariable(name),
    },
    { alarm: `${name}/internal-error`, make: duringFault(name, 'dynamodb', 'ValidationException') },
  ]),
  { alarm: 'prober/access-denied', make: duringFault('prober', 'secrets', 'AccessDeniedException') },
  { alarm: 'prober/misconfigured', make: duringBadSecret('prober') },
  {
    alarm: 'prober/internal-error',
    // Nothing from outside makes it stumble: a part of the runtime that it stands on is taken away.
    make: async () => {
      const prober = broker.functions.get('prober');
      const variables = prober?.variables ?? {};
      const crippled = '--import=data:text/javascript,globalThis.URLSearchParams=undefined';
      prober?.replace({ variables: { ...variables, NODE_OPTIONS: crippled } });
      await call.prober();
      prober?.replace({ variables });
    },
  },
  {
    // The last one: it signs everybody out.
    alarm: 'sweep/index-lag',
    make: async () => {
      const user = somebody();
      await seen.ask(user, '/gettoken', { body: { validitySeconds: 3_600 } });
      const show = await hideFromDue(broker, user);
      await seen.ask('ops', '/leases/revoke', { body: { all: true } });
      // The passes begin at 0, 2, 4 and 8 minutes.
      for (const minutes of [0, 2.1, 2]) {
        later(minutes * MINUTE_MS);
        await call.sweep();
      }
      await show();
      // The next is twice as long after the request as the last, whose time is not known to the second.
      later(6 * MINUTE_MS);
      await call.sweep();
    },
    mend: () => seen.sweepToRest(),
  },
];

test.each(TRIALS)(
  '$alarm rings, and falls silent when the trouble is over',
  async ({ alarm, make, mend, minutes = 1 }) => {
    const [name] = alarm.split('/') as [FunctionName];
    const ringing = () => world.watch.ringing(world.now() + 1).has(alarm);
    expect(ringing()).toBe(false);
    for (let minute = 1; minute <= minutes; minute += 1) {
      if (minute > 1) world.wait(MINUTE_MS);
      await make();
      // What has to last does not ring before.
      expect([minute, ringing()]).toEqual([minute, minute === minutes]);
    }
    await mend?.();
    // Longer than any of these alarms looks back.
    world.wait(20 * MINUTE_MS);
    await call[name]();
    expect(ringing()).toBe(false);
  },
  60_000,
);

test('every alarm of ours has been tried', () => {
  const alarms = Object.entries(SIGNAL_ALARMS).flatMap(([signal, functions]) =>
    functions.map((name: FunctionName) => `${name}/${signal}`),
  );
  expect(TRIALS.map(({ alarm }) => alarm).sort()).toEqual(alarms.sort());
});

test('no token is without its row after all of it, and nothing secret was printed', async () => {
  expect(await seen.unaccounted()).toEqual([]);
  expect(await seen.leaks()).toEqual([]);
  expect(leaksIn(broker.output.text(), { 'the client secret of the prober': PROBER_CLIENT_SECRET })).toEqual([]);
});
