/** What the benchmarks measure against: AWS and ThoughtSpot on loopback, people who may ask, and today's server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from 'aws-lambda';
import type { FunctionName } from '../functions/contract/functions.ts';
import { httpEntry, type Served } from '../functions/http/http-entry.ts';
import { makeTelemetry, type Telemetry } from '../functions/telemetry/telemetry.ts';
import { readConfig, type Config } from '../functions/wiring/config.ts';
import { clock } from '../functions/wiring/system.ts';
import { checkPolicy, type CheckedPolicy } from '../infra/policy/check.ts';
import { secretDocument, startLocalAws, type LocalAws } from '../local/aws/local-aws.ts';
import { startIssuer } from '../local/issuer.ts';
import { functionVariables, SECRET_ID, TABLE_NAME } from '../local/function-variables.ts';
import { REGION } from '../local/lambda/environment.ts';
import { lineSplitter } from '../local/lambda/output.ts';
import { startSimulator, type Simulator, type Switches } from '../local/thoughtspot/simulator.ts';
import { crowd } from '../test/support/crowd.ts';
import { httpEvent } from '../test/support/http-event.ts';
import { demoPolicyWith, HIGHEST_LIMITS } from '../test/support/raised-limits.ts';

export interface Setup {
  readonly aws: LocalAws;
  readonly simulator: Simulator;
  /** Users whom issuer, policy and ThoughtSpot know, all alike. */
  readonly people: readonly string[];
  readonly policy: CheckedPolicy;
  /** Environment variables of a function that works against this setup. */
  variables(name: FunctionName): Record<string, string>;
  /** A request of a person, or of carol of another tenant, as the gateway hands it to gettoken. */
  requestOf(person: string, body?: object): ReturnType<typeof httpEvent>;
  /** Starts today's server against this setup. */
  peer(): Promise<Peer>;
  close(): Promise<void>;
}

/** A policy document, as far as a benchmark changes it. */
export interface DemoPolicy {
  readonly rules: readonly object[];
}

export interface Peer {
  readonly url: string;
  /** From the start of the process until it listens. */
  readonly startMs: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * Starts everything on free ports, and points the AWS clients of this process there. The policy's limits are as high as they
 * may be where they are not what is measured. `claimsOf`: claims of a person that differ from the crowd's; `policyFor`: the
 * policy where it differs from that of `npm start`, given that and the crowd.
 */
export async function startSetup(
  people: number,
  switches: Partial<Switches>,
  limits: object = HIGHEST_LIMITS,
  claimsOf: (name: string, index: number) => object = () => ({}),
  policyFor: (usual: DemoPolicy, people: readonly string[]) => object = (usual) => usual,
): Promise<Setup> {
  const { names, users, cluster } = crowd(people);
  const issuer = await startIssuer(users);
  const simulator = await startSimulator({ cluster, switches });
  const aws = await startLocalAws({ secrets: 0, kms: 0, dynamodb: 0 }, TABLE_NAME);
  aws.secrets.put(SECRET_ID, JSON.stringify(secretDocument({ kind: 'simulator', dialect: 'auth-2.0' }, cluster)));
  const backing = {
    brokerUrl: 'http://127.0.0.1:9',
    thoughtspotHost: simulator.url,
    dialect: 'auth-2.0',
    keyId: aws.keyId,
    issuers: [{ issuer }],
    logLevel: 'INFO',
    endpoints: { SECRETS_MANAGER: aws.secrets.url, KMS: aws.kms.url, DYNAMODB: aws.dynamodb.url },
  };
  const policy = checkPolicy(policyFor(demoPolicyWith(limits) as DemoPolicy, names));
  const folder = mkdtempSync(join(tmpdir(), 'broker-bench-policy-'));
  const POLICY_FILE = join(folder, 'policy.json');
  writeFileSync(POLICY_FILE, policy.text);
  const variables = (name: FunctionName) =>
    functionVariables(name, backing, { POLICY_FILE, POLICY_VERSION: policy.digest });
  const credentials = { AWS_REGION: REGION, AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };
  Object.assign(process.env, variables('gettoken'), credentials);
  // Longer than any benchmark, and shorter than an issuer's tokens may live.
  const exp = Math.floor(Date.now() / 1_000) + 12 * 3_600;
  const signed = [...names, 'carol'].map(
    async (name, index) => [name, await issuer.accessToken(name, { exp, ...claimsOf(name, index) })] as const,
  );
  const jwts = new Map(await Promise.all(signed));
  const peers: Peer[] = [];
  return {
    aws,
    simulator,
    people: names,
    policy,
    variables,
    requestOf: (person, body) =>
      httpEvent({ authorization: `Bearer ${jwts.get(person)}`, ...(body && { body: JSON.stringify(body) }) }),
    async peer() {
      const peer = await startPeer([join(import.meta.dirname, 'peers/token-server.ts')], simulator);
      peers.push(peer);
      return peer;
    },
    async close() {
      await Promise.all(peers.map((peer) => peer.stop()));
      await Promise.all([simulator.close(), aws.close(), issuer.close()]);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Runs today's server from its source or its bundle; resolves once it listens. */
export async function startPeer(nodeArguments: readonly string[], simulator: Simulator): Promise<Peer> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, nodeArguments, {
    env: {
      PATH: process.env['PATH'],
      THOUGHTSPOT_HOST: simulator.url,
      THOUGHTSPOT_SECRET_KEY: simulator.secretKey(),
      ORG_ID: '1',
      PORT: '0',
      NODE_ENV: 'production',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((resolve, reject) => {
    const split = lineSplitter((line) => {
      const found = /^listening on (\d+)$/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.stdout.setEncoding('utf8').on('data', split);
    child.on('exit', (code) => reject(new Error(`today's server ended with ${code} before it listened`)));
  });
  const startMs = performance.now() - startedAt;
  return {
    url: `http://127.0.0.1:${port}`,
    startMs,
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Runs work whose functions print as they do in Lambda, and drops what they print. */
export async function unheard<T>(work: () => Promise<T>): Promise<T> {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = () => true;
  try {
    return await work();
  } finally {
    process.stdout.write = write;
  }
}

/** Telemetry whose audit lines are built, redacted and dropped; its other lines go to stdout, see `unheard`. */
export function quietTelemetry(name: FunctionName): Telemetry {
  const write = () => undefined;
  return makeTelemetry({ level: 'INFO', environment: 'bench', function: name, now: Date.now, write });
}

/** What the function would read of its environment. */
export function configOf(setup: Setup): Config<'gettoken'> {
  return readConfig('gettoken', setup.variables('gettoken'));
}

export interface Asked {
  readonly status: number;
  readonly token: string | undefined;
}

/** The edge of gettoken over a route: asks it in this process, as a sandbox would be asked. */
export function askerOf(served: Served, telemetry: Telemetry) {
  const handler = httpEntry({ name: 'gettoken', telemetry, clock }, async () => served);
  return async (event: ReturnType<typeof httpEvent>): Promise<Asked> => {
    const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => 20_000 } as Context;
    const { statusCode = 0, body = '{}' } = await handler(event, context);
    return { status: statusCode, token: (JSON.parse(body) as { token?: string }).token };
  };
}
