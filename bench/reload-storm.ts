/**
 * Everybody reloads at ThoughtSpot's rate limit: how many calls reach ThoughtSpot and how many requests fail, compared
 * with today's server.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { startSimulator, type Simulator } from '../local/thoughtspot/simulator.ts';
import { crowd } from '../test/support/crowd.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { millisecondsOf, quantile } from './measure.ts';
import { startPeer, startSetup, unheard } from './setup.ts';
import { useCasesOn } from './use-cases.ts';

const USERS = 500;
const RELOADS = 20;
/** Requests that the embed SDK sends while a page loads. */
const ASKS = 3;
/** All reloads together take at least this long, ms: 500 requests per second. */
const STORM_MS = 60_000;
/** Browsers that are served at the same time. */
const BROWSERS = 24;
const FEWER_CALLS_GOAL = 20;

/** Resolves with true if the answer was a token. */
type Ask = (user: string) => Promise<boolean>;

interface Tally {
  asks: number;
  failed: number;
  /** For users who got a token before that is still alive. */
  failedThoughLive: number;
  readonly ms: number[];
  readonly served: Set<string>;
}
const newTally = (): Tally => ({ asks: 0, failed: 0, failedThoughLive: 0, ms: [], served: new Set() });

/** One reload of every user; each sends three requests at once. */
async function reload(users: readonly string[], ask: Ask, tally: Tally, leastMs: number): Promise<void> {
  const over = sleep(leastMs);
  const queue = [...users];
  const once = async (user: string) => {
    const startedAt = performance.now();
    const came = await ask(user);
    tally.ms.push(performance.now() - startedAt);
    tally.asks += 1;
    if (came) return tally.served.add(user);
    tally.failed += 1;
    if (tally.served.has(user)) tally.failedThoughLive += 1;
    return undefined;
  };
  const browser = async () => {
    for (let user = queue.pop(); user !== undefined; user = queue.pop()) {
      const name = user;
      await Promise.all(Array.from({ length: ASKS }, () => once(name)));
    }
  };
  await Promise.all(Array.from({ length: BROWSERS }, browser));
  await over;
}

const mintCalls = (simulator: Simulator): number =>
  Object.entries(simulator.state().calls)
    .filter(([name]) => name.includes('/auth/token/'))
    .reduce((sum, [, count]) => sum + count, 0);
const limited = (simulator: Simulator): number =>
  Object.values(simulator.state().refused).reduce((sum, statuses) => sum + (statuses['429'] ?? 0), 0);

async function run(context: Context): Promise<Result> {
  const [count, reloads] = context.quick ? [20, 2] : [USERS, RELOADS];
  const setup = await startSetup(count, {});
  const theirs = await startSimulator({ cluster: crowd(count).cluster });
  const peer = await startPeer([`${import.meta.dirname}/peers/token-server.ts`], theirs);
  const pool = new Pool(peer.url, { connections: BROWSERS * ASKS });
  const [ours, today] = [newTally(), newTally()];
  try {
    const { ask } = await useCasesOn(setup);
    const askOurs: Ask = async (user) => (await ask(setup.requestOf(user))).status === 200;
    const askPeer: Ask = async (user) => {
      const { statusCode, body } = await pool.request({ path: `/gettoken/${user}`, method: 'GET' });
      await body.text();
      return statusCode === 200;
    };
    const leastMs = context.quick ? 0 : STORM_MS / RELOADS;
    await unheard(async () => {
      for (let round = 0; round < reloads; round += 1) {
        await reload(setup.people, askOurs, ours, leastMs);
        context.progress((round + 0.6) / reloads, 'the broker');
        await reload(setup.people, askPeer, today, leastMs);
        context.progress((round + 1) / reloads, "today's server");
      }
    });
  } finally {
    await Promise.all([pool.close(), peer.stop()]);
  }
  const calls = { ours: mintCalls(setup.simulator), today: mintCalls(theirs) };
  const refused = { ours: limited(setup.simulator), today: limited(theirs) };
  await Promise.all([setup.close(), theirs.close()]);
  const tenants = await twoTenants(context);
  return report(context, count, reloads, { ours, today, calls, refused, tenants });
}

/** Asks per second of the tenant that storms, each for another token, and of the quiet one. */
const STORM_PER_SECOND = 25;
const QUIET_PER_SECOND = 10;
/** The quiet tenant alone and beside the storm take turns: slices of this length, ms. */
const SLICE_MS = 2_500;
const TENANT_GOAL = 1.2;

interface Tenants {
  readonly alone: number[];
  readonly beside: number[];
  readonly stormed: number;
  readonly refused: number;
}

/** One tenant storms with a new kind of token at every ask, up to the limits of a policy that sets none; another goes on. */
async function twoTenants(context: Context): Promise<Tenants> {
  const setup = await startSetup(40, {}, {});
  const [alone, beside]: [number[], number[]] = [[], []];
  const statuses: number[] = [];
  try {
    const { ask } = await useCasesOn(setup);
    let asked = 0;
    const storm = async () => {
      const person = setup.people[(asked += 1) % setup.people.length] ?? '';
      statuses.push((await ask(setup.requestOf(person, { validitySeconds: 60 + (asked % 800) }))).status);
    };
    const quiet = async (ms: number[]) => {
      const took = await millisecondsOf(() => ask(setup.requestOf('carol')));
      ms.push(took);
    };
    const every = (perSecond: number, work: () => Promise<void>, under: Promise<void>[]) =>
      setInterval(() => under.push(work()), 1_000 / perSecond);
    const slice = async (ms: number[], storms: boolean) => {
      const under: Promise<void>[] = [];
      const timers = [every(QUIET_PER_SECOND, () => quiet(ms), under)];
      if (storms) timers.push(every(STORM_PER_SECOND, storm, under));
      await sleep(context.quick ? SLICE_MS / 5 : SLICE_MS);
      for (const timer of timers) clearInterval(timer);
      await Promise.all(under);
    };
    await unheard(async () => {
      await slice([], true);
      for (let turn = 0; turn < (context.quick ? 2 : 20); turn += 1) {
        await slice(alone, false);
        await slice(beside, true);
      }
    });
  } finally {
    await setup.close();
  }
  return { alone, beside, stormed: statuses.length, refused: statuses.filter((status) => status === 429).length };
}

interface Found {
  readonly ours: Tally;
  readonly today: Tally;
  readonly calls: { readonly ours: number; readonly today: number };
  readonly refused: { readonly ours: number; readonly today: number };
  readonly tenants: Tenants;
}

function report(
  context: Context,
  count: number,
  reloads: number,
  { ours, today, calls, refused, tenants }: Found,
): Result {
  const p99 = { alone: quantile(tenants.alone, 0.99), beside: quantile(tenants.beside, 0.99) };
  const fewer = calls.today / calls.ours;
  const share = ({ failed, asks }: Tally) => `${failed} of ${asks} (${((failed / asks) * 100).toFixed(1)} %)`;
  const times = ({ ms }: Tally) => `${quantile(ms, 0.5).toFixed(0)} / ${quantile(ms, 0.99).toFixed(0)} ms`;
  const bar = (label: string, value: number, tone: 'ours' | 'peer') => ({ label, value, tone });
  return {
    goals: [
      {
        goal: `at least ${FEWER_CALLS_GOAL}x fewer mint requests to ThoughtSpot`,
        measured: `${calls.ours} calls, ${fewer.toFixed(1)}x fewer`,
        peer: `${calls.today} calls`,
        met: fewer >= FEWER_CALLS_GOAL,
      },
      {
        goal: 'no request fails for a user with a live token',
        measured: `${ours.failedThoughLive} failed; in all ${share(ours)}`,
        peer: `${today.failedThoughLive} failed; in all ${share(today)}`,
        met: ours.failedThoughLive === 0,
      },
      {
        goal: `p99 of a quiet tenant while another storms at most ${TENANT_GOAL}x of what it is alone`,
        measured: `${p99.beside.toFixed(1)} against ${p99.alone.toFixed(1)} ms, ${(p99.beside / p99.alone).toFixed(2)}x`,
        met: p99.beside <= TENANT_GOAL * p99.alone,
      },
    ],
    charts: [
      {
        kind: 'bars',
        file: 'reload-storm',
        title: `Mints asked of ThoughtSpot by ${count} people who reload ${reloads} times`,
        unit: 'calls',
        bars: [bar('the broker', calls.ours, 'ours'), bar("today's server", calls.today, 'peer')],
      },
    ],
    method:
      `${count} people reload ${reloads} times${context.quick ? '' : ' in a minute for each server'}, and each reload sends ` +
      `${ASKS} requests at once, as the embed SDK does. Each server has its own simulator with ThoughtSpot's limit of 100 ` +
      `requests per second and a burst of 10. The broker (edge, domain and real adapters in one process) and today's server ` +
      `take turns, reload by reload, with ${BROWSERS} browsers at a time. 429 answers of ThoughtSpot: ${refused.ours} for the ` +
      `broker, which waits and retries, and ${refused.today} for today's server, which passes them on as failures. Answers, ` +
      `p50 / p99: ${times(ours)} and ${times(today)}; most of the broker's time is spent in the emulator of DynamoDB in the ` +
      `same process. Two tenants: one asks ${STORM_PER_SECOND} times a second, each time for another kind of token (${tenants.refused} of ` +
      `${tenants.stormed} refused by the default limits); the other ${QUIET_PER_SECOND} times a second, alone and beside it in turn.`,
    samples: {
      'broker ms': thinned(ours.ms),
      "today's server ms": thinned(today.ms),
      'quiet alone ms': tenants.alone,
      'quiet beside ms': tenants.beside,
    },
    facts: { calls, refused, failed: { ours: ours.failed, today: today.failed } },
  };
}

/** About a thousand of the samples: thirty thousand say no more. */
function thinned(samples: readonly number[]): number[] {
  const step = Math.max(1, Math.floor(samples.length / 1_000));
  return samples.filter((_, index) => index % step === 0);
}

export const reloadStormBenchmark: Benchmark = { name: 'reload-storm', title: 'Reload storm', seconds: 240, run };
