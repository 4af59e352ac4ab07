/** How much memory and processor time each function needs, and which memory size follows from that. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName } from '../functions/contract/functions.ts';
import { startLocalBroker, type LocalBroker } from '../local/local-broker.ts';
import { crowd } from '../test/support/crowd.ts';
import { demoPolicyWith, HIGHEST_LIMITS } from '../test/support/raised-limits.ts';
import { postLogout } from '../test/support/demo-logout.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { choice, durationMs, objections, RULE, SIZES_MB, type Need, type Waiting } from './memory-rule.ts';
import { processorMs } from './processor-time.ts';
import { operatorEvent } from '../local/operator/operator-event.ts';

const PROBER_SECRET = 'thoughtspot-broker/local/prober';

type Call = () => Promise<boolean>;

/** Runs calls one after the other in one sandbox of a function, and measures what the process has used. */
async function observe(broker: LocalBroker, name: FunctionName, calls: readonly Call[]) {
  const local = broker.functions.get(name);
  const used = () => processorMs(local?.pids()[0] ?? 0);
  const peak = () => local?.peakMemoryMb() ?? Number.NaN;
  let worked = true;
  let cold = 0;
  for (const [index, call] of calls.entries()) {
    worked = (await call()) && worked;
    if (index === 0) cold = used();
  }
  return { worked, cold, warm: (used() - cold) / Math.max(1, calls.length - 1), peakMb: peak() };
}

interface Bench {
  readonly broker: LocalBroker;
  readonly people: readonly string[];
  /** Calls per function, and rows for the sweep to finish. */
  readonly calls: number;
  readonly rows: number;
}

function callsOf({ broker, people, calls }: Bench) {
  const ask = async (person: string, method: string, path: string, body?: object) => {
    const authorization = `Bearer ${await broker.issuer.accessToken(person)}`;
    const response = await fetch(broker.url + path, {
      method,
      headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    await response.arrayBuffer();
    return response.status === 200;
  };
  const invoke = async (name: FunctionName, event: object) => (await broker.invoke(name, event)).status === 'answered';
  const some = people.slice(0, calls);
  return {
    mint:
      (person: string): Call =>
      () =>
        ask(person, 'POST', '/gettoken', { validitySeconds: 3_600 }),
    sessioninfo: some.map(
      (person): Call =>
        () =>
          ask(person, 'GET', '/sessioninfo'),
    ),
    operator: some.map((): Call => () => invoke('operator', operatorEvent('GET', '/leases', { limit: 200 }))),
    revoketoken: some.map(
      (person): Call =>
        () =>
          ask(person, 'POST', '/revoketoken'),
    ),
    prober: some.slice(0, 5).map((): Call => () => invoke('prober', { source: 'schedule', name: 'prober' })),
    backchannellogout: some.map(
      (person): Call =>
        async () =>
          (await postLogout(broker, person)).ok,
    ),
    revokeAll: (): Call => () =>
      invoke('operator', operatorEvent('POST', '/leases/revoke', { all: true, keepSignIn: true })),
    sweep: (): Call => async () => (await broker.sweep()).status === 'answered',
  };
}

/** A browser waits for the routes of callers. So does an issuer for a logout, which must count within a second. */
function waitingOf(name: FunctionName): Waiting {
  return FUNCTIONS[name].triggers.some(
    ({ kind, ...trigger }) => kind === 'logout' || ('scope' in trigger && trigger.scope === 'token'),
  )
    ? 'caller'
    : 'others';
}

/** Measures every function at one size. The sweep first runs without rows, then finishes `rows` of them. */
async function needsAt(bench: Bench, sizeMb: number): Promise<Record<FunctionName, Need>> {
  const { broker, people, calls, rows } = bench;
  const use = callsOf(bench);
  for (const local of broker.functions.values()) local.replace({ memoryMb: sizeMb });
  const gettoken = await observe(
    broker,
    'gettoken',
    [...people.slice(0, calls), ...people.slice(0, calls)].map((person) => use.mint(person)),
  );
  const sessioninfo = await observe(broker, 'sessioninfo', use.sessioninfo);
  const operator = await observe(broker, 'operator', use.operator);
  const revoketoken = await observe(broker, 'revoketoken', use.revoketoken);
  const prober = await observe(broker, 'prober', use.prober);
  const backchannellogout = await observe(broker, 'backchannellogout', use.backchannellogout);

  const idle = await observe(
    broker,
    'sweep',
    Array.from({ length: 4 }, () => use.sweep()),
  );
  for (let at = 0; at < rows; at += 1) await use.mint(people[at % people.length] ?? '')();
  await use.revokeAll()();
  const local = broker.functions.get('sweep');
  const before = processorMs(local?.pids()[0] ?? 0);
  const revokesBefore = broker.simulator?.state().revokes ?? 0;
  const ended = () => (broker.simulator?.state().revokes ?? 0) - revokesBefore;
  let worked = idle.worked;
  for (let run = 0; run < 20 && (broker.simulator?.tokens().length ?? 0) > 0; run += 1) {
    worked = (await use.sweep()()) && worked;
  }
  const sweep = {
    ...idle,
    worked: worked && broker.simulator?.tokens().length === 0,
    perRow: (processorMs(local?.pids()[0] ?? 0) - before) / Math.max(1, ended()),
    peakMb: local?.peakMemoryMb() ?? Number.NaN,
  };
  const seen = { gettoken, revoketoken, sessioninfo, operator, backchannellogout, sweep, prober };
  const needs = FUNCTION_NAMES.map((name) => [name, { sizeMb, waiting: waitingOf(name), ...seen[name] }] as const);
  return Object.fromEntries(needs) as Record<FunctionName, Need>;
}

/** An issuer for the prober's two clients, which are demo users here. */
async function startProberIssuer(broker: LocalBroker): Promise<() => void> {
  const users: Readonly<Record<string, string>> = { prober: 'bob', stranger: 'mallory' };
  const server = createServer((request, response) => {
    const basic = Buffer.from(request.headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString();
    void broker.issuer
      .accessToken(users[basic.split(':')[0] ?? ''] ?? '')
      .then((token) => response.end(JSON.stringify({ access_token: token })));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const client = (clientId: string) => ({ clientId, clientSecret: 'of the benchmark' });
  const secret = { tokenUrl, ...client('prober'), unentitled: client('stranger') };
  broker.aws.secrets.put(PROBER_SECRET, JSON.stringify(secret));
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

async function run(context: Context): Promise<Result> {
  const { quick } = context;
  const rows = quick ? 20 : 800;
  const { names: people, users, cluster } = crowd(rows);
  const broker = await startLocalBroker({
    sweepEveryMs: null,
    policy: demoPolicyWith(HIGHEST_LIMITS),
    users,
    simulator: { cluster },
    variables: { SWEEP_RATE: String(RULE.rowsPerSecond) },
    limits: { reservedConcurrency: 1 },
  });
  const stopIssuer = await startProberIssuer(broker);
  const needs: Record<FunctionName, Need>[] = [];
  try {
    broker.simulator?.set({ rateLimit: false });
    for (const [index, sizeMb] of SIZES_MB.entries()) {
      context.progress(index / SIZES_MB.length, `${sizeMb} MB`);
      needs.push(await needsAt({ broker, people, calls: quick ? 5 : 40, rows }, sizeMb));
    }
  } finally {
    stopIssuer();
    await broker.close();
  }
  return report(needs, rows);
}

function report(needs: readonly Record<FunctionName, Need>[], rows: number): Result {
  const of = (name: FunctionName) => needs.map((need) => need[name]);
  const sizeOf = (sizeMb: number | undefined) => (sizeMb === undefined ? 'none' : `${sizeMb} MB`);
  const table = FUNCTION_NAMES.flatMap((name) =>
    of(name).map((need) => {
      const ms = (processor: number) => `${processor.toFixed(1)} (${durationMs(processor, need.sizeMb).toFixed(0)})`;
      const row = need.perRow === undefined ? '' : need.perRow.toFixed(2);
      const against = objections(need).join(', ') || 'none';
      return `| ${name} | ${need.sizeMb} | ${need.peakMb} | ${ms(need.cold)} | ${ms(need.warm)} | ${row} | ${against} |`;
    }),
  );
  return {
    goals: FUNCTION_NAMES.map((name) => {
      const { memoryMb } = FUNCTIONS[name];
      const { smallest, safe, met } = choice(of(name), memoryMb);
      const given = of(name).find(({ sizeMb }) => sizeMb === memoryMb);
      const against = given === undefined ? ['not measured'] : objections(given);
      return {
        goal: `\`${name}\` has the smallest memory that satisfies the rule, or that still would if it needed a tenth more`,
        measured: `${sizeOf(smallest)} is enough, with a tenth more ${sizeOf(safe)}; it has ${memoryMb} MB`,
        met,
        ...(!met && {
          cause: against.length > 0 ? `at ${memoryMb} MB: ${against.join(', ')}` : 'less would be enough',
        }),
      };
    }),
    charts: [
      {
        kind: 'lines',
        file: 'memory',
        title: 'Processor time of a cold start and its first answer, as it would take by memory',
        xLabel: 'memory, MB',
        yLabel: 'ms',
        logX: true,
        lines: (['gettoken', 'sweep'] as const).map((name) => ({
          label: name,
          tone: name === 'gettoken' ? 'ours' : 'floor',
          points: of(name).map(({ cold, sizeMb }) => [sizeMb, durationMs(cold, sizeMb)] as const),
        })),
      },
    ],
    method:
      `Each bundle runs in a sandbox under the Runtime API with the heap limit of each memory size. What is measured is the ` +
      `peak memory of its process, and the processor time that it used, which does not depend on how busy the machine is. ` +
      `Lambda allocates a share of a processor in proportion to memory (1,769 MB give a whole one). The ms in brackets are ` +
      `how long that processor time would take there, without waiting. The rule: at least ${RULE.spare * 100} % of the ` +
      `memory is free, at most ${RULE.coldMs} ms for a cold start with its first answer, ${RULE.warmMs.caller} ms for a warm ` +
      `answer that a caller waits for and ${RULE.warmMs.others} ms for others, and for the sweep, which finishes ${rows} ` +
      `rows here, at most ${RULE.busy * 100} % of its processor share at ${RULE.rowsPerSecond} rows per second.\n\n` +
      `| function | MB | peak MB | cold: ms used (taken) | warm | per row | objections |\n` +
      `| --- | --- | --- | --- | --- | --- | --- |\n${table.join('\n')}`,
    samples: Object.fromEntries(
      FUNCTION_NAMES.flatMap((name) => [
        [`${name} peak MB`, of(name).map(({ peakMb }) => peakMb)],
        [`${name} cold ms`, of(name).map(({ cold }) => cold)],
        [`${name} warm ms`, of(name).map(({ warm }) => warm)],
      ]),
    ),
    facts: { sizesMb: SIZES_MB, needs },
  };
}

export const memoryBenchmark: Benchmark = { name: 'memory', title: 'Memory', seconds: 100, run };
