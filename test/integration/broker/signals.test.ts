/** Every alarm of ours is tried: its trouble is made, its metric is seen, and it falls silent when the trouble is over. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SIGNAL_ALARMS } from '../../../functions/contract/alarms.ts';
import type { FunctionName } from '../../../functions/contract/functions.ts';
import { SECRET_ID } from '../../../local/function-variables.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { witness, type Witness } from '../../support/broker-witness.ts';
import { leaksIn } from '../../support/canaries.ts';
import { crowd } from '../../support/crowd.ts';
import { postLogout } from '../../support/demo-logout.ts';
import { withOneTeam } from '../../support/one-team.ts';

const PROBER_SECRET = 'thoughtspot-broker/local/prober';
const PROBER_CLIENT_SECRET = 'the client secret of the prober in this test';
const HOUR_MS = 3_600_000;
const { names, ...many } = crowd(70);
const { policy, users, cluster } = withOneTeam(many.users, many.cluster);
const people = [...names];
const somebody = () => people.pop() ?? '';
let broker: LocalBroker;
let seen: Witness;
let issuer: ReturnType<typeof createServer>;

beforeAll(async () => {
  broker = await startLocalBroker({
    sweepEveryMs: null,
    policy,
    users,
    simulator: { cluster },
    limits: { timeoutMs: 9_000 },
  });
  broker.simulator?.set({ rateLimit: false });
  seen = witness(broker);
  const clients: Readonly<Record<string, string>> = { prober: 'bob', stranger: 'mallory' };
  issuer = createServer((request, response) => {
    const basic = Buffer.from(request.headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString();
    void broker.issuer
      .accessToken(clients[basic.split(':')[0] ?? ''] ?? '')
      .then((token) => response.end(JSON.stringify({ access_token: token })));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => issuer.once('listening', resolve));
  proberSecret();
});
afterAll(async () => {
  issuer.closeAllConnections();
  issuer.close();
  await broker.close();
});

function proberSecret(): void {
  const tokenUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`;
  const client = (clientId: string) => ({ clientId, clientSecret: PROBER_CLIENT_SECRET });
  broker.aws.secrets.put(
    PROBER_SECRET,
    JSON.stringify({ tokenUrl, ...client('prober'), unentitled: client('stranger') }),
  );
}

/** Time goes on, for the functions and for ThoughtSpot alike. */
let ahead = 0;
function later(ms: number): void {
  ahead += ms;
  broker.simulator?.set({ clockOffsetMs: ahead });
  seen.shiftClocks(ahead);
}

/** Sum of a metric's values, as the function has written them in EMF since line `from`. */
function counted(name: FunctionName, signal: string, from: number): number {
  return broker.output
    .lines()
    .slice(from)
    .filter(({ source, text }) => source === name && text.startsWith('{"_aws"'))
    .map(({ text }) => JSON.parse(text) as Record<string, unknown>)
    .filter((metric) => metric['function'] === name && metric['environment'] === 'local')
    .flatMap((metric) => metric[signal] ?? [])
    .flat()
    .reduce<number>((sum, value) => sum + Number(value), 0);
}

/** One ordinary call of each function. */
const call: Record<FunctionName, () => Promise<unknown>> = {
  gettoken: () => seen.ask(somebody()),
  revoketoken: () => seen.ask(somebody(), '/revoketoken'),
  sessioninfo: () => seen.ask(somebody(), '/sessioninfo', { method: 'GET' }),
  operator: () => seen.ask('ops', '/leases', { method: 'GET' }),
  backchannellogout: () => postLogout(broker, somebody(), ahead),
  sweep: () => broker.sweep(),
  prober: () => broker.invoke('prober', { source: 'schedule', name: 'prober' }),
};
const afresh = (name: FunctionName) => broker.functions.get(name)?.replace({});
const LEDGER_FUNCTIONS = ['gettoken', 'revoketoken', 'sessioninfo', 'operator', 'backchannellogout', 'sweep'] as const;

interface Trial {
  readonly alarm: string;
  readonly make: () => Promise<void>;
  readonly mend?: () => void | Promise<void>;
  /** The least that the metric has to reach. */
  readonly atLeast?: number;
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
    else if (name === 'backchannellogout') await postLogout(broker, user, ahead);
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
    if (good === undefined) proberSecret();
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
    atLeast: 300,
    make: async () => {
      // So many that the sweep gives up on ThoughtSpot before it has come to all of them.
      const waiting = Array.from({ length: 8 }, somebody);
      for (const user of waiting) await seen.ask(user, '/gettoken', { body: { validitySeconds: 3_600 } });
      broker.simulator?.set({ outage: 'error', outageStatus: 503 });
      for (const user of waiting) await seen.ask(user, '/revoketoken');
      later(HOUR_MS / 4);
      await call.sweep();
      broker.simulator?.set({ outage: 'none' });
    },
    mend: async () => {
      later(HOUR_MS / 12);
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
  { alarm: 'sweep/sweep-failed', make: duringFault('sweep', 'dynamodb', 'AccessDeniedException') },
  {
    alarm: 'revoketoken/schedule-failed',
    make: async () => {
      await broker.invoke('revoketoken', { source: 'schedule', name: 'nightly', select: { everybody: true } });
    },
  },
  {
    alarm: 'prober/probe-failed',
    make: async () => {
      broker.simulator?.set({ outage: 'error', outageStatus: 503, faultScope: 'mint' });
      await call.prober();
      broker.simulator?.set({ outage: 'none', faultScope: 'all' });
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
];

test.each(TRIALS)(
  '$alarm rings, and falls silent when the trouble is over',
  async ({ alarm, make, mend, atLeast = 1 }) => {
    const [name, signal] = alarm.split('/') as [FunctionName, string];
    const before = broker.output.lines().length;
    await make();
    expect(counted(name, signal, before)).toBeGreaterThanOrEqual(atLeast);
    await mend?.();
    const mended = broker.output.lines().length;
    await call[name]();
    expect(counted(name, signal, mended)).toBe(0);
  },
  30_000,
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
