/** What a cold start costs: each bundle compared with the least that it could load, and with today's server. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUNDLE_FILE, BUNDLE_HANDLER, POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName } from '../functions/contract/functions.ts';
import { bundleFunctions } from '../infra/bundles.ts';
import { buildBootstrap } from '../local/function-set.ts';
import { sandboxEnvironment } from '../local/lambda/environment.ts';
import { OutputLog } from '../local/lambda/output.ts';
import { Sandbox } from '../local/lambda/sandbox.ts';
import type { LocalBroker } from '../local/local-broker.ts';
import { operatorEvent } from '../local/operator/operator-event.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { buildFrozen } from './floors/options.ts';
import { interleave, median, millisecondsOf, quantile, ratios } from './measure.ts';
import { type Setup, startPeer, startSetup } from './setup.ts';
import { shareOf, throttle } from './throttle.ts';

/** Times the floor, until the function is ready for a request. */
const READY_GOAL: Readonly<Record<FunctionName, number>> = {
  gettoken: 1.3,
  revoketoken: 1.3,
  sessioninfo: 1.3,
  operator: 1.4,
  backchannellogout: 1.3,
  sweep: 1.2,
  prober: 1.4,
};
/** Times the first answer of the same code as it was loaded and bundled before. */
const ANSWER_GOAL = 0.6;
const LOG_GOAL_BYTES = 1_200;
const MEMORY_MB = FUNCTIONS.gettoken.memoryMb;
/** A mint needs the secret first; the other six steps are those of a warm mint. */
const NECESSARY_TRIPS = 7;
/** What a cold mint waited for before functions verified access tokens: docs/performance.md of commit 679dd6d, 2026-11-25. */
const TRIPS_BEFORE_VERIFICATION = 6;
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
/** Prints wall and processor time, ms, from the start of loading until the function is ready: wired, not yet warmed up. */
const LOAD =
  'const used = process.cpuUsage(), at = performance.now(), { ready } = require(process.argv[1]);' +
  '(ready ? ready() : Promise.resolve()).then(() => { const { user, system } = process.cpuUsage(used);' +
  'process.stdout.write(`\\n${performance.now() - at} ${(user + system) / 1000}`); process.exit(0) })';

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

/** Until the bundle is ready in a new process, ms by the clock and of processor time: the floors are as soon as loaded. */
export async function readyMs(yard: Yard, name: string): Promise<readonly [wall: number, processor: number]> {
  const taskRoot = join(yard.folder, name);
  const identity = {
    functionName: name,
    handler: BUNDLE_HANDLER,
    memoryMb: MEMORY_MB,
    taskRoot,
    runtimeApi: '127.0.0.1:9',
    logStream: 'bench',
  };
  const env = sandboxEnvironment(identity, variablesOf(yard, name));
  const { stdout } = await run(process.execPath, ['-e', LOAD, join(taskRoot, BUNDLE_FILE)], { env, cwd: taskRoot });
  const [wall = NaN, processor = NaN] = (stdout.split('\n').at(-1) ?? '').split(' ').map(Number);
  return [wall, processor];
}

export function sandbox(
  yard: Yard,
  name: string,
  handler: string = BUNDLE_HANDLER,
  output = new OutputLog(100),
): Sandbox {
  return new Sandbox({
    functionName: name,
    taskRoot: join(yard.folder, name),
    handler,
    variables: variablesOf(yard, name),
    memoryMb: MEMORY_MB,
    bootstrap: yard.bootstrap,
    freeze: true,
    output,
  });
}

/** Throws unless the function has done what it was asked for. */
export async function ask(one: Sandbox, event: object): Promise<void> {
  const outcome = await one.invoke(randomUUID(), JSON.stringify(event), 20_000);
  const { statusCode = 500 } =
    outcome.kind === 'answer' ? (JSON.parse(outcome.payload) as { statusCode?: number }) : {};
  if (statusCode >= 400) throw new Error(`it was not done: ${JSON.stringify(outcome)}`);
}

/** Of a cold sandbox: the init phase at full speed, and its first answer at the share of a processor that 512 MB give. */
async function coldAnswer(
  yard: Yard,
  name: string,
  handler: string,
  event: object,
): Promise<{ init: number; answer: number }> {
  const one = sandbox(yard, name, handler);
  try {
    const init = await millisecondsOf(() => one.start(10_000));
    const release = throttle(one.pid ?? 0, shareOf(MEMORY_MB));
    const answer = await millisecondsOf(() => ask(one, event));
    await release();
    return { init, answer };
  } finally {
    await one.kill();
  }
}

/** The same of today's server, which mints for whoever asks. */
async function coldPeer({ setup }: Yard, file: string, person: string): Promise<{ init: number; answer: number }> {
  const peer = await startPeer([file], setup.simulator);
  try {
    const release = throttle(peer.pid, shareOf(MEMORY_MB));
    const answer = await millisecondsOf(async () => {
      const response = await fetch(`${peer.url}/gettoken/${person}`, { method: 'POST' });
      await response.text();
    });
    await release();
    return { init: peer.startMs, answer };
  } finally {
    await peer.stop();
  }
}

/** ms of a new sandbox with its first mint, and of a mint for another person in the warm sandbox. */
export async function firstAnswers(yard: Yard, nextPerson: () => string): Promise<{ cold: number; warm: number }> {
  const one = sandbox(yard, 'gettoken');
  try {
    const cold = await millisecondsOf(async () => {
      await one.start(10_000);
      await ask(one, yard.setup.requestOf(nextPerson()));
    });
    return { cold, warm: await millisecondsOf(() => ask(one, yard.setup.requestOf(nextPerson()))) };
  } finally {
    await one.kill();
  }
}

/** Bytes that gettoken writes into its log for a mint and for serving the same token again, in a warm sandbox. */
async function logBytes(yard: Yard, person: string): Promise<{ mint: number; reuse: number }> {
  const output = new OutputLog(1_000);
  const one = sandbox(yard, 'gettoken', BUNDLE_HANDLER, output);
  let requests = 0;
  const during = async (who: string): Promise<number> => {
    const before = Buffer.byteLength(output.text());
    requests += 1;
    await ask(one, yard.setup.requestOf(who));
    // The line that ends an invocation may come after its answer.
    const all = () => output.text().split('"message":"request"').length > requests;
    if (!all()) await output.waitFor(all);
    return Buffer.byteLength(output.text()) - before;
  };
  try {
    await one.start(10_000);
    await during('carol');
    return { mint: await during(person), reuse: await during(person) };
  } finally {
    await one.kill();
  }
}

/** Sets the same latency for everything that the sandboxes call. */
export function setLatency({ aws, simulator }: Pick<LocalBroker, 'aws' | 'simulator'>, ms: number): void {
  simulator?.set({ latencyMs: ms });
  for (const { faults } of [aws.secrets, aws.kms, aws.dynamodb]) {
    faults.clear();
    if (ms > 0) faults.inject(() => ({ kind: 'latency', ms }));
  }
}

type Cold = Record<'init' | 'answer', number[]>;

/** First requests by function: whoever waits for them. The sweep and the prober have nobody who does. */
const HTTP = ['gettoken', 'sessioninfo', 'revoketoken', 'operator'] as const;

async function measure(context: Context, yard: Yard): Promise<Result> {
  const { setup, folder } = yard;
  const rounds = context.quick ? 1 : 15;
  const warmUp = context.quick ? 0 : 1;
  const bundles = [...FUNCTION_NAMES, ...FLOOR_NAMES];
  const told = (from: number, share: number, of: number, what: string) => {
    let done = 0;
    return () => context.progress(from + (share * (done += 1)) / of, what);
  };

  const processor: Record<string, number[]> = {};
  const readying = bundles.map((name) => [
    name,
    async () => {
      const [wall, used] = await readyMs(yard, name);
      (processor[name] ??= []).push(used);
      return wall;
    },
  ]) as [string, () => Promise<number>][];
  const bare = () => millisecondsOf(() => run(process.execPath, ['-e', '0']));
  const ready = await interleave(Object.fromEntries([...readying, ['bare Node', bare]]), {
    rounds,
    warmUp,
    onRound: told(0, 0.3, rounds + warmUp, 'until ready'),
  });

  let people = 0;
  const nextPerson = () => setup.people[people++ % setup.people.length] ?? '';
  const eventOf = (name: (typeof HTTP)[number]): object => {
    if (name === 'operator') return operatorEvent('GET', '/leases', { limit: 10 });
    const routes = { gettoken: 'POST /gettoken', revoketoken: 'POST /revoketoken', sessioninfo: 'GET /sessioninfo' };
    // There is something to show and to revoke only for whom gettoken has just minted.
    if (name === 'gettoken') nextPerson();
    const person = setup.people[(people - 1) % setup.people.length] ?? '';
    return { ...setup.requestOf(person), routeKey: routes[name] };
  };
  const peerFile = join(folder, 'peer', BUNDLE_FILE);
  const subjects: Record<string, () => Promise<{ init: number; answer: number }>> = {
    ...Object.fromEntries(HTTP.map((name) => [name, () => coldAnswer(yard, name, BUNDLE_HANDLER, eventOf(name))])),
    before: () => coldAnswer(yard, 'before', 'main.handler', eventOf('gettoken')),
    peer: () => coldPeer(yard, peerFile, nextPerson()),
  };
  const cold: Record<string, Cold> = {};
  const step = told(0.3, 0.45, rounds + warmUp, 'first answers, throttled');
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const [name, once] of Object.entries(subjects)) {
      const { init, answer } = await once();
      const into = (cold[name] ??= { init: [], answer: [] });
      if (round < 0) continue;
      into.init.push(init);
      into.answer.push(answer);
    }
    step();
  }

  const trips = { near: [] as number[], far: [] as number[], warmNear: [] as number[], warmFar: [] as number[] };
  const tripRounds = context.quick ? 1 : 8;
  for (let round = 1; round <= tripRounds; round += 1) {
    const near = await firstAnswers(yard, nextPerson);
    setLatency(setup, LATENCY_MS);
    const far = await firstAnswers(yard, nextPerson);
    setLatency(setup, 0);
    trips.near.push(near.cold);
    trips.far.push(far.cold);
    trips.warmNear.push(near.warm);
    trips.warmFar.push(far.warm);
    context.progress(0.75 + (0.25 * round) / tripRounds, 'round trips');
  }
  const kib = async (name: string) => Math.round((await stat(join(folder, name, BUNDLE_FILE))).size / 1024);
  const sizes = await Promise.all([...bundles, 'before'].map(async (name) => [name, await kib(name)] as const));
  return report({
    ready,
    processor,
    cold,
    trips,
    log: await logBytes(yard, nextPerson()),
    kib: Object.fromEntries(sizes),
    rounds,
  });
}

interface Measured {
  readonly ready: Readonly<Record<string, readonly number[]>>;
  readonly processor: Readonly<Record<string, readonly number[]>>;
  readonly cold: Readonly<Record<string, Cold>>;
  readonly trips: Readonly<Record<'near' | 'far' | 'warmNear' | 'warmFar', readonly number[]>>;
  readonly log: { readonly mint: number; readonly reuse: number };
  readonly kib: Readonly<Record<string, number>>;
  readonly rounds: number;
}

function report({ ready, processor, cold, trips, log, kib, rounds }: Measured): Result {
  const counted = (far: readonly number[], near: readonly number[]) => (median(far) - median(near)) / LATENCY_MS;
  const coldTrips = counted(trips.far, trips.near);
  const asBefore = Math.round(coldTrips) <= TRIPS_BEFORE_VERIFICATION + 1;
  const ms = (samples: readonly number[] = []) => `${median(samples).toFixed(0)} ms`;
  const relative = (of: Measured['ready'], name: FunctionName) =>
    median(ratios(of[name] ?? [], of[FLOORS[name]] ?? []));
  const of = (name: string): Cold => cold[name] ?? { init: [], answer: [] };
  const whole = (name: string) => of(name).init.map((init, round) => init + (of(name).answer[round] ?? NaN));
  const against = (part: (name: string) => readonly number[]) => median(ratios(part('gettoken'), part('before')));
  const answer = against((name) => of(name).answer);
  const bar = (label: string, samples: readonly number[] = [], tone: 'ours' | 'peer' | 'floor') => ({
    label,
    value: median(samples),
    spread: (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2,
    tone,
  });
  const readyGoals = FUNCTION_NAMES.map((name) => {
    const ratio = relative(processor, name);
    const met = ratio <= READY_GOAL[name];
    return {
      goal: `\`${name}\` is ready after at most ${READY_GOAL[name]}x the processor time of its floor (median of the rounds' ratios)`,
      measured: `${ratio.toFixed(2)}x (${ms(processor[name])}; by the clock ${relative(ready, name).toFixed(2)}x, ${ms(ready[name])})`,
      peer: `floor ${ms(processor[FLOORS[name]])}`,
      met,
      ...(!met && { cause: 'zod and the broker itself, which the floor leaves out' }),
    };
  });
  return {
    goals: [
      ...readyGoals,
      {
        goal: `the first answer of a cold \`gettoken\` at ${MEMORY_MB} MB takes at most ${ANSWER_GOAL}x of what it took before`,
        measured: `${answer.toFixed(2)}x (${ms(of('gettoken').answer)}); with the init phase ${against(whole).toFixed(2)}x (${ms(whole('gettoken'))})`,
        peer: `before: ${ms(of('before').answer)}, ${ms(whole('before'))}; today's server: ${ms(of('peer').answer)}, ${ms(whole('peer'))}`,
        met: answer <= ANSWER_GOAL,
      },
      {
        goal: `a mint after a cold start waits for at most one round trip more than the ${NECESSARY_TRIPS} necessary ones`,
        measured: `${coldTrips.toFixed(1)} (a warm mint: ${counted(trips.warmFar, trips.warmNear).toFixed(1)})`,
        peer: '1: it records nothing',
        met: Math.round(coldTrips) <= NECESSARY_TRIPS + 1,
      },
      {
        goal: `a mint after a cold start waits for at most one round trip more than before functions verified access tokens`,
        measured: `${coldTrips.toFixed(1)}`,
        peer: `before: ${TRIPS_BEFORE_VERIFICATION}`,
        met: asBefore,
        ...(!asBefore && {
          cause:
            'a warm mint has since come to count itself, and the init phase reads the row of the data key before it asks KMS, both ' +
            'waited for so that nothing is under way in a sandbox that is frozen then; verification itself adds none (below)',
        }),
      },
      {
        goal: `a request writes at most ${LOG_GOAL_BYTES.toLocaleString('en')} bytes of log`,
        measured: `${log.mint} for a mint, ${log.reuse} for serving again`,
        met: Math.max(log.mint, log.reuse) <= LOG_GOAL_BYTES,
      },
    ],
    charts: [
      {
        kind: 'bars',
        file: 'cold-start-load',
        title: 'Processor time until ready, against the least that could be loaded',
        unit: 'ms',
        bars: [
          ...FUNCTION_NAMES.map((name) => bar(name, processor[name], 'ours')),
          ...FLOOR_NAMES.map((name) => bar(`floor: ${name}`, processor[name], 'floor')),
        ],
      },
      {
        kind: 'bars',
        file: 'cold-start',
        title: `Process start until the first answer, which has the processor of ${MEMORY_MB} MB`,
        unit: 'ms',
        bars: [
          ...HTTP.map((name) => bar(name, whole(name), 'ours')),
          bar('gettoken, as before', whole('before'), 'floor'),
          bar("today's server", whole('peer'), 'peer'),
        ],
      },
    ],
    method:
      `**Ready**: from the start of loading a bundle in a new process until policy, clients and configuration are there, compared ` +
      `with a floor, one per kind of function. A floor only imports and constructs the AWS clients, calls and HTTP pool that the ` +
      `function uses. It is built with the options that bundles had on 2026-11-25 (bench/floors/options.ts), whatever they are ` +
      `now. Processor time (user and system, all threads) is judged, since it grows less than the clock's where others use the ` +
      `machine; ${rounds} rounds, taking turns. A bare Node process takes ${ms(ready['bare Node'])}.\n\n` +
      `**First answer**: sandboxes under the local Runtime API. The init phase has all of a processor, as Lambda's has; ` +
      `from then on the process is stopped and continued by signals, every 20 ms, so that it runs for ` +
      `${(shareOf(MEMORY_MB) * 100).toFixed(0)} % of the time. Today's server is throttled alike once it listens. "Before" is the same ` +
      `code, built with the options of 2026-11-25 and loaded as CommonJS, without waiting for anything.\n\n` +
      `| | init phase | first answer | both |\n| --- | --- | --- | --- |\n` +
      [...HTTP, 'before', 'peer']
        .map((name) => `| ${name} | ${ms(of(name).init)} | ${ms(of(name).answer)} | ${ms(whole(name))} |`)
        .join('\n') +
      `\n\n**Round trips** are counted by latency: every answer of AWS and ThoughtSpot is delayed by ${LATENCY_MS} ms, and the ` +
      `resulting delay of the first token of a new sandbox is divided by ${LATENCY_MS} ms. The data key of the hour is already in the ` +
      `table, as for every sandbox except the first of an hour. The necessary round trips are: reading the secret; reading leases, ` +
      `blocks and limits; reserving; counting and, at the same time, holding the user; minting; recording;` +
      ` reading the blocks again. The one more is the data key, whose row is read before KMS is asked. Connection ` +
      `setup takes no time on loopback and is not counted.`,
    samples: {
      ...Object.fromEntries(Object.entries(ready).map(([name, samples]) => [`ready ${name}`, samples])),
      ...Object.fromEntries(Object.entries(processor).map(([name, samples]) => [`ready, processor ${name}`, samples])),
      ...Object.fromEntries(
        Object.keys(cold).flatMap((name) => [
          [`init ${name}`, of(name).init],
          [`answer ${name}`, of(name).answer],
        ]),
      ),
      ...Object.fromEntries(Object.entries(trips).map(([name, samples]) => [`round trips ${name}`, samples])),
    },
    facts: { bundleKiB: kib, log },
  };
}

async function runAll(context: Context): Promise<Result> {
  const setup = await startSetup(100, { rateLimit: false });
  const folder = await mkdtemp(join(tmpdir(), 'broker-bench-'));
  try {
    const source = (path: string) => join(import.meta.dirname, path);
    const bootstrap = await buildBootstrap(folder);
    const { folders } = await bundleFunctions(folder, setup.policy);
    const floors = FLOOR_NAMES.map((name) => [name, source(`floors/${name}.ts`)] as const);
    const others = { peer: source('peers/token-server.ts'), before: FUNCTIONS.gettoken.entry };
    await buildFrozen({ ...Object.fromEntries(floors), ...others }, folder);
    await copyFile(join(folders.gettoken, POLICY_FILE_NAME), join(folder, 'before', POLICY_FILE_NAME));
    return await measure(context, { setup, folder, bootstrap });
  } finally {
    await setup.close();
    await rm(folder, { recursive: true, force: true });
  }
}

export const coldStartBenchmark: Benchmark = {
  name: 'cold-start',
  title: 'Cold start',
  seconds: 150,
  run: runAll,
};
