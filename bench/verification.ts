/** What it costs that the function verifies the access token itself: bytes, loading, the first request, the others. */
import { execFile } from 'node:child_process';
import { verify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { jwtVerify } from 'jose';
import { BUNDLE_FILE } from '../functions/contract/bundle.ts';
import { makeIdentity } from '../functions/identity/identity.ts';
import { parseIssuers } from '../functions/identity/issuers.ts';
import { clock } from '../functions/wiring/system.ts';
import { bundleFiles, bundleFunctions } from '../infra/bundles.ts';
import { buildBootstrap } from '../local/function-set.ts';
import { closeServer, listen } from '../local/network.ts';
import { makeSigningKeys } from '../test/support/signing.ts';
import type { Benchmark, Context, Result } from './benchmark.ts';
import { firstAnswers, LATENCY_MS, readyMs, setLatency, type Yard } from './cold-start.ts';
import { interleave, median, millisecondsOf, ratios } from './measure.ts';
import { quietTelemetry, startSetup, type Setup } from './setup.ts';

const LOAD_GOAL = 1.15;
/** What the local gateway verifies with, and many servers do. */
const TOKEN_GOAL = 1;
const TOKENS_PER_SAMPLE = 50;

const ISSUER = 'https://issuer.example';
const keys = makeSigningKeys('k1');
const jwks = JSON.stringify({ keys: [keys.jwk] });
const issuers = [
  {
    url: ISSUER,
    audiences: ['broker'],
    scopes: { token: 'broker:token', revoke: 'broker:revoke' },
    algorithms: ['RS256' as const],
    jwksUri: `${ISSUER}/keys`,
  },
];
const iat = Math.floor(Date.now() / 1_000);
const token = keys.sign({ iss: ISSUER, sub: 'a', aud: 'broker', iat, exp: iat + 43_200, scope: 'broker:token' });

/** The keys of the setup's issuer, after a delay that can be set. */
async function startKeyServer(setup: Setup) {
  const [issuer] = parseIssuers(setup.variables('gettoken')['ISSUERS'] ?? '') ?? [];
  const answer = await (await fetch(`${issuer?.url}/jwks`)).text();
  let delayMs = 0;
  let reads = 0;
  const server = createServer((_, response: ServerResponse) => {
    reads += 1;
    setTimeout(() => response.end(answer), delayMs);
  });
  const url = await listen(server, 0, 'the keys of the issuer');
  return {
    variables: { ISSUERS: JSON.stringify([{ ...issuer, jwksUri: `${url}/jwks` }]) },
    delay: (ms: number) => void (delayMs = ms),
    reads: () => reads,
    close: () => closeServer(server),
  };
}

/** First and second verification in a new process, ms. */
async function firstTokens(folder: string): Promise<number[]> {
  const script =
    'require(process.argv[1]).verify(JSON.parse(process.argv[2]), process.argv[3], process.argv[4])' +
    '.then((ms) => process.stdout.write(JSON.stringify(ms)))';
  const file = join(folder, 'verifying', BUNDLE_FILE);
  const { stdout } = await promisify(execFile)(process.execPath, [
    '-e',
    script,
    file,
    JSON.stringify(issuers),
    jwks,
    token,
  ]);
  return JSON.parse(stdout) as number[];
}

/** Microseconds per token in a warm process, by jose, and of the bare check of the signature. */
async function warmTokens(rounds: number) {
  const readJson = () => Promise.resolve(JSON.parse(jwks) as null);
  const identity = makeIdentity({ ...quietTelemetry('gettoken'), clock, issuers, readJson });
  await identity.warm();
  const [header = '', payload = '', signature = ''] = token.split('.');
  const parts = [Buffer.from(`${header}.${payload}`), Buffer.from(signature, 'base64url')] as const;
  const each = async (work: () => unknown) =>
    (await millisecondsOf(async () => {
      for (let turn = 0; turn < TOKENS_PER_SAMPLE; turn += 1) await work();
    })) *
    (1_000 / TOKENS_PER_SAMPLE);
  return interleave(
    {
      ours: () => each(() => identity.identify(token, undefined)),
      jose: () =>
        each(() => jwtVerify(token, keys.publicKey, { issuer: ISSUER, audience: 'broker', algorithms: ['RS256'] })),
      bare: () => each(() => verify('RSA-SHA256', parts[0], keys.publicKey, parts[1])),
    },
    { rounds, warmUp: 20 },
  );
}

async function measure(context: Context, setup: Setup, folder: string): Promise<Result> {
  const [rounds, answerRounds] = context.quick ? [1, 1] : [15, 8];
  await bundleFunctions(folder, setup.policy);
  const { outputs } = await bundleFiles(
    { gettoken: 'functions/gettoken.ts', issuing: 'bench/floors/issuing.ts', verifying: 'bench/floors/verifying.ts' },
    join(folder, 'sizes'),
  );
  const gettoken = Object.values(outputs).find(({ entryPoint }) => entryPoint === 'functions/gettoken.ts');
  const bytesOf = (part: string) =>
    Object.entries(gettoken?.inputs ?? {})
      .filter(([file]) => file.includes(part))
      .reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0);
  const server = await startKeyServer(setup);
  const yard: Yard = { setup, folder, bootstrap: await buildBootstrap(folder), variables: server.variables };
  const sizes: Yard = { ...yard, folder: join(folder, 'sizes') };
  const loads = await interleave(
    {
      with: async () => (await readyMs(sizes, 'verifying'))[0],
      without: async () => (await readyMs(sizes, 'issuing'))[0],
    },
    { rounds },
  );
  context.progress(0.3, 'loading');
  const first: number[] = [];
  for (let round = 0; round < rounds; round += 1) first.push((await firstTokens(sizes.folder))[0] ?? Number.NaN);
  const warm = await warmTokens(context.quick ? 2 : 100);
  context.progress(0.5, 'tokens');

  let person = 0;
  const next = () => setup.people[person++ % setup.people.length] ?? '';
  const answers = { near: [] as number[], far: [] as number[], warmNear: [] as number[], warmFar: [] as number[] };
  let warmReads = 0;
  try {
    setLatency(setup, LATENCY_MS);
    await firstAnswers(yard, next);
    for (let round = 0; round < answerRounds; round += 1) {
      const before = server.reads();
      server.delay(0);
      const near = await firstAnswers(yard, next);
      server.delay(LATENCY_MS);
      const far = await firstAnswers(yard, next);
      // Two sandboxes with two requests each.
      warmReads += server.reads() - before - 2;
      answers.near.push(near.cold);
      answers.far.push(far.cold);
      answers.warmNear.push(near.warm);
      answers.warmFar.push(far.warm);
      context.progress(0.5 + (0.5 * round) / answerRounds, 'first answers');
    }
  } finally {
    await server.close();
  }
  const trips = (far: readonly number[], near: readonly number[]) => (median(far) - median(near)) / LATENCY_MS;
  const [cold, later] = [trips(answers.far, answers.near), trips(answers.warmFar, answers.warmNear)];
  const load = median(ratios(loads.with, loads.without));
  const perToken = median(ratios(warm.ours, warm.jose));
  const us = (samples: readonly number[]) => `${median(samples).toFixed(0)} µs`;
  return {
    goals: [
      {
        goal: `with verification the least that a function loads takes at most ${LOAD_GOAL}x as long`,
        measured: `${load.toFixed(2)}x (${(median(loads.with) - median(loads.without)).toFixed(1)} ms more)`,
        met: load <= LOAD_GOAL,
      },
      {
        goal: 'the keys of the issuer make the first token of a new sandbox wait for no round trip more',
        measured: `${cold.toFixed(1)} round trips`,
        met: Math.round(cold) <= 0,
      },
      {
        goal: 'a warm request makes no round trip for it',
        measured: `${later.toFixed(1)} round trips, ${warmReads} reads of keys`,
        met: Math.round(later) <= 0 && warmReads === 0,
      },
      {
        goal: `a warm token takes at most ${TOKEN_GOAL}x what it takes with jose`,
        measured: `${perToken.toFixed(2)}x (${us(warm.ours)}; the first of a process ${median(first).toFixed(1)} ms)`,
        peer: us(warm.jose),
        met: perToken <= TOKEN_GOAL,
      },
    ],
    charts: [],
    method:
      `\`aws-jwt-verify\` adds ${(bytesOf('aws-jwt-verify') / 1_024).toFixed(1)} KiB to the bundle of gettoken, and functions/identity ` +
      `${(bytesOf('functions/identity') / 1_024).toFixed(1)} KiB. Loading: the floor of the cold start with and without it, in new ` +
      `processes, in turn. Tokens: RS256 with 2,048 bits, ${TOKENS_PER_SAMPLE} at a time, in turn with jose and with Node's own check of the signature alone, ${us(warm.bare)}. ` +
      `Round trips: all answers of AWS and ThoughtSpot take ${LATENCY_MS} ms; those of the issuer take none or ${LATENCY_MS} ms, in turn, and ` +
      `what that changes is divided by ${LATENCY_MS} ms. The environment names \`jwksUri\`; without it a sandbox asks for the discovery ` +
      `document first.`,
    samples: {
      'load with ms': loads.with,
      'load without ms': loads.without,
      'first token ms': first,
      'token us': warm.ours,
      'jose us': warm.jose,
      'bare signature us': warm.bare,
      ...Object.fromEntries(Object.entries(answers).map(([name, samples]) => [`answer ${name}`, samples])),
    },
    facts: { bytes: { library: bytesOf('aws-jwt-verify'), identity: bytesOf('functions/identity') } },
  };
}

async function run(context: Context): Promise<Result> {
  const setup = await startSetup(60, { rateLimit: false });
  const folder = await mkdtemp(join(tmpdir(), 'broker-bench-verification-'));
  try {
    return await measure(context, setup, folder);
  } finally {
    await setup.close();
    await rm(folder, { recursive: true, force: true });
  }
}

export const verificationBenchmark: Benchmark = {
  name: 'verification',
  title: 'Verification of access tokens',
  seconds: 70,
  run,
};
