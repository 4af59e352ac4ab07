/** How fast the sweep revokes at a given budget, and how much time and memory a row costs, however many rows are due. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startLocalBroker, type LocalBroker } from '../local/local-broker.ts';
import { EVENT, makeWorld, type World } from '../test/support/broker-world.ts';
import { crowd, unfinishedRows } from '../test/support/crowd.ts';
import { demoPolicyWith, HIGHEST_LIMITS } from '../test/support/raised-limits.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { holdTokens } from './held-tokens.ts';
import { longestPause, perSecondOf } from './measure.ts';
import { operatorEvent } from '../local/operator/operator-event.ts';

const BUDGETS = [50, 95] as const;
const PACE_GOAL = 0.95;
const FLAT_MB = 48;
const SIZES = { quick: [1_000, 5_000], usual: [1_000, 10_000, 100_000, 1_000_000] } as const;
/** More runs than it can take. */
const MOST_RUNS = 20;
const REVOKE_PATH = 'POST /api/rest/2.0/auth/token/revoke';

export interface Pace {
  readonly budget: number;
  /** Revocations per second, from the first call to the last. */
  readonly perSecond: number;
  /** Longest time without a revocation, ms. */
  readonly pauseMs: number;
  readonly limited: number;
  /** How often the sweep had to run. */
  readonly runs: number;
  /** Tokens that are left, each with a row that is due again. */
  readonly left: number;
}

/** Makes tokens impossible to revoke before the sweep comes; how many. */
type Spoil = (broker: LocalBroker) => Promise<number>;

/** The deployed bundle, in its sandbox and over DynamoDB's protocol, revokes `rows` live tokens within the budget. */
export async function paceAt(budget: number, rows: number, spoil: Spoil = async () => 0): Promise<Pace> {
  const { names, users, cluster } = crowd(rows);
  const broker = await startLocalBroker({
    sweepEveryMs: null,
    policy: demoPolicyWith(HIGHEST_LIMITS),
    users,
    simulator: { cluster },
    variables: { SWEEP_RATE: String(budget) },
    limits: { reservedConcurrency: 3 },
  });
  try {
    await holdTokens(broker, names);
    const spoiled = await spoil(broker);
    await broker.invoke('operator', operatorEvent('POST', '/leases/revoke', { all: true }));
    const calls: number[] = [];
    const stop = broker.simulator?.onCall(({ endpoint, phase }) => {
      if (endpoint === REVOKE_PATH && phase === 'arrived') calls.push(performance.now());
    });
    let runs = 0;
    for (; (broker.simulator?.tokens().length ?? 0) > spoiled && runs < MOST_RUNS; runs += 1) await broker.sweep();
    stop?.();
    const limited = broker.simulator?.state().refused[REVOKE_PATH]?.['429'] ?? 0;
    const left = (await unfinishedRows(broker)).filter(({ state }) => state === 'revoking').length;
    return { budget, perSecond: perSecondOf(calls), pauseMs: longestPause(calls), limited, runs, left };
  } finally {
    await broker.close();
  }
}

interface Cost {
  readonly rows: number;
  /** Largest growth of the heap during the run, MB. */
  readonly peakMb: number;
  /** Processor time of this process per revoked row. */
  readonly msPerRow: number;
  readonly revoked: number;
}

const MEGABYTE = 2 ** 20;

/** One run, over this many due rows in memory, for a minute of a simulated clock: its memory, and what a row costs. */
async function costOf(rows: number, progress: (share: number) => void): Promise<Cost> {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const world = await worldWithDue(rows, progress);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  let peak = 0;
  let pages = 0;
  world.ledger.afterCall = (call) => {
    if (call !== 'due' || (pages += 1) % Math.max(1, Math.floor(rows / 2_000)) !== 0) return;
    collectGarbage();
    peak = Math.max(peak, process.memoryUsage().heapUsed - before);
  };
  const startedAt = process.cpuUsage();
  const { revoked } = await world.clock.drive(world.process().sweep(world.clock.now() + 60_000));
  const { user, system } = process.cpuUsage(startedAt);
  return { rows, revoked, peakMb: peak / MEGABYTE, msPerRow: (user + system) / 1_000 / Math.max(1, revoked) };
}

/** So many live tokens in memory, that of row 7 being `user7`'s, all of which a cut-off has just revoked. */
export async function worldWithDue(rows: number, progress: (share: number) => void = () => undefined): Promise<World> {
  const world = makeWorld({ shards: 16, sweep: { ratePerSecond: 95 } });
  await fill(world, rows, progress);
  await world.clock.advance(2_000);
  await world.clock.drive(world.process().revoke(EVENT, { kind: 'all' }));
  return world;
}

async function fill({ ledger, clock, issuer }: World, rows: number, progress: (share: number) => void): Promise<void> {
  const now = clock.now();
  const times = { reservedAt: now, mintDeadlineAt: now + 14_000, latestEndAt: now + 3_700_000 };
  const about = { shared: false, orgId: 1, kind: 'full', rule: 'r', grant: 'g', policyVersion: 'v' } as const;
  for (let row = 0; row < rows; row += 1) {
    const key = { user: `user${row}`, fingerprint: 'print', generation: 1 };
    await ledger.reserve({ ...key, ...about, ...times, caller: { issuer: 'i', subject: key.user } }, Infinity);
    const endsAt = now + 3_600_000;
    await ledger.transition(key, { to: 'live', dueAt: endsAt, endsAt, expiresAt: endsAt, token: `t${row}` }, Infinity);
    if (row % 10_000 === 0) progress(row / rows);
  }
  issuer.revokeMs = 200;
}

async function run(context: Context): Promise<Result> {
  const rows = context.quick ? 60 : 1_500;
  const paces: Pace[] = [];
  for (const [index, budget] of BUDGETS.entries()) {
    context.progress(index * 0.25, `${rows} rows at ${budget}/s`);
    paces.push(await paceAt(budget, rows));
  }
  const sizes = context.quick ? SIZES.quick : SIZES.usual;
  const costs: Cost[] = [];
  for (const [index, size] of sizes.entries()) {
    const onShare = (share: number) =>
      context.progress(0.5 + (0.5 * (index + share)) / sizes.length, `${size} rows due`);
    onShare(0);
    costs.push(await costOf(size, onShare));
  }
  return report(paces, costs, rows);
}

function report(paces: readonly Pace[], costs: readonly Cost[], rows: number): Result {
  const peak = Math.max(...costs.map(({ peakMb }) => peakMb));
  const table = costs.map(
    ({ rows: due, revoked, peakMb, msPerRow }) =>
      `| ${due.toLocaleString('en')} | ${revoked.toLocaleString('en')} | ${peakMb.toFixed(1)} | ${msPerRow.toFixed(2)} |`,
  );
  return {
    goals: [
      ...paces.map(({ budget, perSecond, limited }) => ({
        goal: `at a budget of ${budget}/s the sweep revokes at ${PACE_GOAL * 100} % of the budget or more, and ThoughtSpot answers no 429`,
        measured: `${perSecond.toFixed(1)}/s, ${((perSecond / budget) * 100).toFixed(1)} %; ${limited} x 429`,
        met: perSecond >= budget * PACE_GOAL && limited === 0,
      })),
      {
        goal: `a run uses less than ${FLAT_MB} MB more memory than before it, however many rows are due`,
        measured: `${peak.toFixed(1)} MB at most, up to ${costs.at(-1)?.rows.toLocaleString('en')} rows`,
        met: peak < FLAT_MB,
      },
    ],
    charts: [
      {
        kind: 'lines',
        file: 'sweep-memory',
        title: 'Memory that a run of the sweep adds, by rows due',
        xLabel: 'rows due',
        yLabel: 'MB',
        logX: true,
        lines: [{ label: 'peak', tone: 'ours', points: costs.map(({ rows: due, peakMb }) => [due, peakMb] as const) }],
      },
    ],
    method:
      `Pace: the deployed bundle runs in a sandbox over DynamoDB's protocol, and ${rows.toLocaleString('en')} live tokens are ` +
      `revoked by a cut-off, against the simulator's limit of 100 requests per second. The time is measured from the first ` +
      `revocation to the last, as the simulator sees them. Memory and cost: the same use case runs over the in-memory ledger ` +
      `for one minute of a simulated clock, with garbage collected before every reading. A run ends on time and leaves the ` +
      `rest due. The processor time of a row includes the time for rows that a cut-off covers and that the run only changes ` +
      `to \`revoking\`, so a run that mostly does that costs more.\n\n` +
      `| rows due | revoked in the run | peak MB | processor ms per revoked row |\n| --- | --- | --- | --- |\n${table.join('\n')}`,
    samples: {
      'revocations per second': paces.map(({ perSecond }) => perSecond),
      'peak MB': costs.map(({ peakMb }) => peakMb),
      'ms per row': costs.map(({ msPerRow }) => msPerRow),
    },
    facts: { paces, costs },
  };
}

export const sweepBenchmark: Benchmark = { name: 'sweep', title: 'Sweep', seconds: 150, run };
