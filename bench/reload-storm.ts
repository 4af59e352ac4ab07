/**
 * Everybody reloads at ThoughtSpot's rate limit: how many calls reach ThoughtSpot and how many requests fail, compared
 * with today's server.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { startSimulator, type Simulator } from '../local/thoughtspot/simulator.ts';
import { crowd } from '../test/support/crowd.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { quantile } from './measure.ts';
import { startPeer, startSetup, unheard } from './setup.ts';
import { useCasesOn } from './use-cases.ts';

const USERS = 500;
const RELOADS = 20;
/** Requests that the embed SDK sends while a page loads, of which it keeps no token with `disableTokenVerification`. */
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
  return report(context, count, reloads, { ours, today, calls, refused });
}

interface Found {
  readonly ours: Tally;
  readonly today: Tally;
  readonly calls: { readonly ours: number; readonly today: number };
  readonly refused: { readonly ours: number; readonly today: number };
}

function report(context: Context, count: number, reloads: number, { ours, today, calls, refused }: Found): Result {
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
        goal: 'no request fails, whether the user has a live token or not',
        measured: `${share(ours)}; ${ours.failedThoughLive} of them with a live token`,
        peer: `${share(today)}; ${today.failedThoughLive} of them with a live token`,
        met: ours.failed === 0,
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
      `${ASKS} requests at once, as the embed SDK does with \`disableTokenVerification\`, which also keeps it from using a token ` +
      `twice. Each server has its own simulator with ThoughtSpot's limit of 100 ` +
      `requests per second and a burst of 10. The broker (edge, domain and real adapters in one process) and today's server ` +
      `take turns, reload by reload, with ${BROWSERS} browsers at a time. 429 answers of ThoughtSpot: ${refused.ours} for the ` +
      `broker, which waits and retries, and ${refused.today} for today's server, which passes them on as failures. Answers, ` +
      `p50 / p99: ${times(ours)} and ${times(today)}; most of the broker's time is spent in the emulator of DynamoDB in the ` +
      `same process.`,
    samples: {
      'broker ms': thinned(ours.ms),
      "today's server ms": thinned(today.ms),
    },
    facts: { calls, refused, failed: { ours: ours.failed, today: today.failed } },
  };
}

/** About a thousand of the samples: thirty thousand say no more. */
function thinned(samples: readonly number[]): number[] {
  const step = Math.max(1, Math.floor(samples.length / 1_000));
  return samples.filter((_, index) => index % step === 0);
}

export const reloadStormBenchmark: Benchmark = { name: 'reload-storm', title: 'Reload storm', seconds: 130, run };
