/** What a cold start costs: each bundle compared with the least that it could load, and with today's server. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUNDLE_FILE, BUNDLE_HANDLER } from '../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName } from '../functions/contract/functions.ts';
import { bundleFiles, bundleFunctions } from '../infra/bundles.ts';
import { buildBootstrap } from '../local/function-set.ts';
import { sandboxEnvironment } from '../local/lambda/environment.ts';
import { OutputLog } from '../local/lambda/output.ts';
import { Sandbox } from '../local/lambda/sandbox.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { interleave, median, millisecondsOf, quantile, ratios } from './measure.ts';
import { type Setup, startPeer, startSetup } from './setup.ts';

const LOAD_GOAL = 1.5;
/** A mint needs the secret first; the other five steps are those of a warm mint. */
const NECESSARY_TRIPS = 6;
/** Much longer than any computation here, so that waits can be counted. */
export const LATENCY_MS = 150;

const FLOORS = {
  gettoken: 'issuing',
  revoketoken: 'issuing',
  sessioninfo: 'issuing',
  sweep: 'issuing',
  operator: 'issuing',
  backchannellogout: 'issuing',
  prober: 'probing',
} as const satisfies Record<FunctionName, string>;
const FLOOR_NAMES = [...new Set(Object.values(FLOORS))];

const run = promisify(execFile);
const LOAD =
  'const at = performance.now(); require(process.argv[1]);' +
  'process.stdout.write("\\n" + (performance.now() - at)); process.exit(0)';

export interface Yard {
  readonly setup: Setup;
  readonly folder: string;
  readonly bootstrap: string;
  /** Environment variables that differ. */
  readonly variables?: Readonly<Record<string, string>>;
}

const variablesOf = ({ setup, variables }: Yard, name: string) => ({
  ...setup.variables(FUNCTION_NAMES.find((known) => known === name) ?? 'gettoken'),
  ...variables,
});

/** Milliseconds that `require` of the bundle takes in a new process: reading, compiling and running its top level. */
export async function loadMs(yard: Yard, name: string): Promise<number> {
  const taskRoot = join(yard.folder, name);
  const identity = {
    functionName: name,
    handler: BUNDLE_HANDLER,
    memoryMb: 512,
    taskRoot,
    runtimeApi: '127.0.0.1:9',
    logStream: 'bench',
  };
  const env = sandboxEnvironment(identity, variablesOf(yard, name));
  const { stdout } = await run(process.execPath, ['-e', LOAD, join(taskRoot, BUNDLE_FILE)], { env, cwd: taskRoot });
  return Number(stdout.split('\n').at(-1));
}

function sandbox(yard: Yard, name: string): Sandbox {
  return new Sandbox({
    functionName: name,
    taskRoot: join(yard.folder, name),
    handler: BUNDLE_HANDLER,
    variables: variablesOf(yard, name),
    memoryMb: FUNCTIONS.gettoken.memoryMb,
    bootstrap: yard.bootstrap,
    freeze: true,
    output: new OutputLog(100),
  });
}

/** Milliseconds from the start of the process to its first call of `invocation/next`. */
async function startMs(yard: Yard, name: string): Promise<number> {
  const one = sandbox(yard, name);
  try {
    return await millisecondsOf(() => one.start(10_000));
  } finally {
    await one.kill();
  }
}

async function ask(one: Sandbox, { setup }: Yard, person: string): Promise<void> {
  const outcome = await one.invoke(randomUUID(), JSON.stringify(setup.requestOf(person)), 20_000);
  if (outcome.kind !== 'answer' || (JSON.parse(outcome.payload) as { statusCode: number }).statusCode !== 200) {
    throw new Error(`gettoken did not answer with a token: ${JSON.stringify(outcome)}`);
  }
}

/** ms of a new sandbox with its first mint, and of a mint for another person in the warm sandbox. */
export async function firstAnswers(yard: Yard, nextPerson: () => string): Promise<{ cold: number; warm: number }> {
  const one = sandbox(yard, 'gettoken');
  try {
    const cold = await millisecondsOf(async () => {
      await one.start(10_000);
      await ask(one, yard, nextPerson());
    });
    return { cold, warm: await millisecondsOf(() => ask(one, yard, nextPerson())) };
  } finally {
    await one.kill();
  }
}

/** Sets the same latency for everything that the sandboxes call. */
export function setLatency({ aws, simulator }: Setup, ms: number): void {
  simulator.set({ latencyMs: ms });
  for (const { faults } of [aws.secrets, aws.kms, aws.dynamodb]) {
    faults.clear();
    if (ms > 0) faults.inject(() => ({ kind: 'latency', ms }));
  }
}

async function measure(context: Context, yard: Yard): Promise<Result> {
  const { setup, folder } = yard;
  const rounds = context.quick ? 1 : 12;
  const warmUp = context.quick ? 0 : 1;
  const bundles = [...FUNCTION_NAMES, ...FLOOR_NAMES];
  let done = 0;
  const tell = (share: number, of: number, from: number, what: string) => () =>
    context.progress(from + (share * (done += 1)) / of, what);

  const loads = await interleave(Object.fromEntries(bundles.map((name) => [name, () => loadMs(yard, name)])), {
    rounds,
    warmUp,
    onRound: tell(0.35, rounds + warmUp, 0, 'loading'),
  });
  done = 0;
  const peerFile = join(folder, 'peer', BUNDLE_FILE);
  const starting: Record<string, () => Promise<number>> = {
    ...Object.fromEntries(bundles.map((name) => [name, () => startMs(yard, name)])),
    peer: async () => {
      const peer = await startPeer([peerFile], setup.simulator);
      await peer.stop();
      return peer.startMs;
    },
  };
  const starts = await interleave(starting, { rounds, warmUp, onRound: tell(0.4, rounds + warmUp, 0.35, 'starting') });

  let person = 0;
  const nextPerson = () => setup.people[person++ % setup.people.length] ?? '';
  const answers = { near: [] as number[], far: [] as number[], warmNear: [] as number[], warmFar: [] as number[] };
  await firstAnswers(yard, nextPerson);
  const answerRounds = context.quick ? 1 : 8;
  for (let round = 1; round <= answerRounds; round += 1) {
    setLatency(setup, 0);
    const near = await firstAnswers(yard, nextPerson);
    setLatency(setup, LATENCY_MS);
    const far = await firstAnswers(yard, nextPerson);
    setLatency(setup, 0);
    answers.near.push(near.cold);
    answers.far.push(far.cold);
    answers.warmNear.push(near.warm);
    answers.warmFar.push(far.warm);
    context.progress(0.75 + (0.25 * round) / answerRounds, 'first answers');
  }

  const trips = (far: readonly number[], near: readonly number[]) => (median(far) - median(near)) / LATENCY_MS;
  const coldTrips = trips(answers.far, answers.near);
  const warmTrips = trips(answers.warmFar, answers.warmNear);
  const relative = (name: FunctionName) => median(ratios(loads[name] ?? [], loads[FLOORS[name]] ?? []));
  const worst = FUNCTION_NAMES.reduce((one, other) => (relative(other) > relative(one) ? other : one));
  const kib = async (name: string) => Math.round((await stat(join(folder, name, BUNDLE_FILE))).size / 1024);
  const ms = (samples: readonly number[] | undefined) => `${median(samples ?? []).toFixed(0)} ms`;
  const bar = (name: string, samples: readonly number[] | undefined, tone: 'ours' | 'peer' | 'floor') => ({
    label: name,
    value: median(samples ?? []),
    spread: (quantile(samples ?? [], 0.75) - quantile(samples ?? [], 0.25)) / 2,
    tone,
  });
  return {
    goals: [
      ...FUNCTION_NAMES.map((name) => ({
        goal: `\`${name}\` loads in at most ${LOAD_GOAL}x its floor (median of the rounds' ratios)`,
        measured: `${relative(name).toFixed(2)}x (${ms(loads[name])})`,
        peer: `floor ${ms(loads[FLOORS[name]])}`,
        met: relative(name) <= LOAD_GOAL,
        ...(relative(name) > LOAD_GOAL && {
          cause: 'what the floor leaves out: zod, the Powertools logger and metrics, and the broker itself',
        }),
      })),
      {
        goal: "`gettoken` is ready for its first request no later than today's server, bundled with the same options, listens",
        measured: ms(starts['gettoken']),
        peer: ms(starts['peer']),
        met: median(starts['gettoken'] ?? []) <= median(starts['peer'] ?? []),
      },
      {
        goal: `a mint after a cold start waits for at most one round trip more than the ${NECESSARY_TRIPS} necessary ones`,
        measured: `${coldTrips.toFixed(1)} (a warm mint: ${warmTrips.toFixed(1)})`,
        peer: '1: it records nothing',
        met: Math.round(coldTrips) <= NECESSARY_TRIPS + 1,
      },
    ],
    charts: [
      {
        kind: 'bars',
        file: 'cold-start-load',
        title: 'Loading a bundle, against the least that it could load',
        unit: 'ms',
        bars: [
          ...FUNCTION_NAMES.map((name) => bar(name, loads[name], 'ours')),
          ...FLOOR_NAMES.map((name) => bar(`floor: ${name}`, loads[name], 'floor')),
        ],
      },
      {
        kind: 'bars',
        file: 'cold-start',
        title: 'Process start until ready for the first request',
        unit: 'ms',
        bars: [
          ...FUNCTION_NAMES.map((name) => bar(name, starts[name], 'ours')),
          bar("today's server", starts['peer'], 'peer'),
        ],
      },
    ],
    method:
      `Each deployed bundle is compared with a floor, one per kind of function. A floor is a bundle, built with the same ` +
      `options, that only imports and constructs the AWS clients, calls and HTTP pool that the function uses. ` +
      `\`require\` is timed in new processes, readiness in sandboxes under the local Runtime API; ${rounds} rounds, ` +
      `taking turns. Round trips are counted by latency: every answer of AWS and ThoughtSpot is delayed by ` +
      `${LATENCY_MS} ms, and the resulting delay of the first token of a new sandbox is divided by ${LATENCY_MS} ms. The ` +
      `data key of the hour is already in the table, as for every sandbox except the first of an hour. The necessary ` +
      `round trips are: reading the secret; reading leases and cut-offs; reserving; minting; recording; reading the ` +
      `cut-offs again. Connection setup takes no time on loopback and is not counted. ` +
      `Highest ratio: \`${worst}\`.`,
    samples: {
      ...Object.fromEntries(Object.entries(loads).map(([name, samples]) => [`load ${name}`, samples])),
      ...Object.fromEntries(Object.entries(starts).map(([name, samples]) => [`start ${name}`, samples])),
      ...Object.fromEntries(Object.entries(answers).map(([name, samples]) => [`first answer ${name}`, samples])),
    },
    facts: {
      bundleKiB: Object.fromEntries(await Promise.all(bundles.map(async (name) => [name, await kib(name)] as const))),
    },
  };
}

async function runAll(context: Context): Promise<Result> {
  const setup = await startSetup(100, { rateLimit: false });
  const folder = await mkdtemp(join(tmpdir(), 'broker-bench-'));
  try {
    const source = (path: string) => join(import.meta.dirname, path);
    const bootstrap = await buildBootstrap(folder);
    await bundleFunctions(folder, setup.policy);
    await bundleFiles(
      {
        ...Object.fromEntries(FLOOR_NAMES.map((name) => [name, source(`floors/${name}.ts`)])),
        peer: source('peers/token-server.ts'),
      },
      folder,
    );
    return await measure(context, { setup, folder, bootstrap });
  } finally {
    await setup.close();
    await rm(folder, { recursive: true, force: true });
  }
}

export const coldStartBenchmark: Benchmark = {
  name: 'cold-start',
  title: 'Cold start',
  seconds: 90,
  run: runAll,
};
