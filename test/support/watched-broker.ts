/** A local broker whose lines, answers and invocations go to a CloudWatch with the alarms of production. */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FunctionName } from '../../functions/contract/functions.ts';
import type { Access } from '../../local/gateway/gateway.ts';
import { startLocalBroker, type LocalBroker, type LocalBrokerOptions } from '../../local/local-broker.ts';
import { witness, type Witness } from './broker-witness.ts';
import { makeCloudWatch, type CloudWatch } from './cloudwatch.ts';
import { resources, synthesizedEnvironments, type Synthesized } from './synthesized.ts';

export const PROBER_SECRET = 'thoughtspot-broker/local/prober';
export const PROBER_CLIENT_SECRET = 'the client secret of the prober in this test';
const CLIENTS: Readonly<Record<string, string>> = { prober: 'bob', stranger: 'mallory' };

export interface WatchedBroker {
  readonly broker: LocalBroker;
  readonly seen: Witness;
  readonly watch: CloudWatch;
  readonly synthesized: Synthesized;
  /** Every line of the access log, as the deployed format writes it. */
  readonly accessLines: readonly string[];
  /** The time of CloudWatch, epoch ms: that of the functions, and what `wait` has added. */
  now(): number;
  /** Time goes on for CloudWatch alone: nothing happens meanwhile. */
  wait(ms: number): void;
  /** Time goes on for the functions, ThoughtSpot and CloudWatch alike. */
  later(ms: number): void;
  /** How far the functions are ahead, ms. */
  ahead(): number;
  /** Stores the secret of the prober again, as it should be. */
  proberSecret(): void;
  /** What Lambda itself counts, since the last time. */
  countInvocations(): void;
  probe(): Promise<unknown>;
  close(): Promise<void>;
}

export async function startWatchedBroker(options: LocalBrokerOptions): Promise<WatchedBroker> {
  const synthesized = synthesizedEnvironments().find(({ name }) => name === 'prod');
  if (synthesized === undefined) throw new Error('There is no prod.');
  const watch = makeCloudWatch(synthesized);
  const accessLines: string[] = [];
  const format = accessFormat(synthesized);
  let [ahead, waited] = [0, 0];
  const now = () => Date.now() + ahead + waited;
  const broker = await startLocalBroker({
    sweepEveryMs: null,
    ...options,
    onAnswer: (access) => {
      const line = accessLine(format, access);
      accessLines.push(line);
      watch.takeAccess(line, now());
      countAnswer(watch, access, now());
      options.onAnswer?.(access);
    },
  });
  broker.output.listen(({ stream, text }) => stream === 'stdout' && watch.takeLine(text, now()));
  const seen = witness(broker, () => ahead);
  const counts = new Map<FunctionName, { invocations: number; failures: number; throttles: number }>();
  const issuer = await startClients(broker);
  const folder = mkdtempSync(join(tmpdir(), 'clock-'));
  const clock = join(folder, 'ahead');
  writeFileSync(clock, '0');
  for (const local of broker.functions.values())
    local.replace({
      clockOffsetMs: () => ahead,
      variables: { ...local.variables, NODE_OPTIONS: movableClock(clock) },
    });

  function proberSecret(): void {
    const tokenUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`;
    const client = (clientId: string) => ({ clientId, clientSecret: PROBER_CLIENT_SECRET });
    const secret = { tokenUrl, ...client('prober'), unentitled: client('stranger') };
    broker.aws.secrets.put(PROBER_SECRET, JSON.stringify(secret));
  }
  proberSecret();

  return {
    broker,
    seen,
    watch,
    synthesized,
    accessLines,
    now,
    wait: (ms) => void (waited += ms),
    later(ms) {
      ahead += ms;
      broker.simulator?.set({ clockOffsetMs: ahead });
      writeFileSync(clock, String(ahead));
    },
    ahead: () => ahead,
    proberSecret,
    countInvocations() {
      for (const [name, local] of broker.functions) {
        const before = counts.get(name) ?? { invocations: 0, failures: 0, throttles: 0 };
        const { invocations, failures, throttles } = local.statistics();
        counts.set(name, { invocations, failures, throttles });
        const FunctionName = `thoughtspot-broker-${watch.environment}-${name}`;
        for (const dimensions of [{ FunctionName }, { FunctionName, Resource: `${FunctionName}:live` }])
          for (const [metric, value] of [
            ['Invocations', invocations - before.invocations],
            ['Errors', failures - before.failures],
            ['Throttles', throttles - before.throttles],
          ] as const)
            if (value > 0) watch.put({ namespace: 'AWS/Lambda', name: metric, dimensions, value, at: now() });
      }
    },
    probe: () => broker.invoke('prober', { source: 'schedule', name: 'prober' }),
    async close() {
      issuer.closeAllConnections();
      issuer.close();
      await broker.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Claims of an access token that counts through all the hours that go by in a test. */
export const lasting = () => ({ nbf: undefined, exp: Math.floor(Date.now() / 1_000) + 12 * 3_600 });

/** Node's option for a clock that is ahead by what a file says at the time: sandboxes stay warm while an hour goes by. */
function movableClock(file: string): string {
  const program = `import { readFileSync } from 'node:fs'; const now = Date.now;
    Date.now = () => now() + Number(readFileSync(${JSON.stringify(file)}, 'utf8'));`;
  return `--import=data:text/javascript,${encodeURIComponent(program)}`;
}

/** The prober's clients at the issuer: one that the policy grants a token, and one that it does not know. */
async function startClients(broker: LocalBroker): Promise<Server> {
  const issuer = createServer((request, response) => {
    const basic = Buffer.from(request.headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString();
    void broker.issuer
      .accessToken(CLIENTS[basic.split(':')[0] ?? ''] ?? '', lasting())
      .then((token) => response.end(JSON.stringify({ access_token: token })));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => issuer.once('listening', resolve));
  return issuer;
}

function accessFormat(synthesized: Synthesized): string {
  const [[, stage] = []] = resources(synthesized, 'AWS::ApiGatewayV2::Stage');
  return (stage?.['AccessLogSettings'] as { Format: string }).Format;
}

/** What API Gateway makes of the format: every variable is put in as it is, or as `-` where there is none. */
function accessLine(format: string, { method, path, status, durationMs, own }: Access): string {
  const latency = String(Math.round(durationMs));
  const known: Readonly<Record<string, string>> = {
    routeKey: `${method} ${path}`,
    status: String(status),
    responseLatency: latency,
    integrationLatency: own ? '-' : latency,
    'identity.sourceIp': '127.0.0.1',
    requestTime: new Date().toISOString(),
    'authorizer.error': own && status === 401 ? 'invalid_token' : '-',
  };
  return format.replace(/\$context\.([\w.]+)/g, (_, name: string) => known[name] ?? '-');
}

/** The metrics that API Gateway itself has, of all routes together. */
function countAnswer(watch: CloudWatch, { status }: Access, at: number): void {
  const [api] = resources(watch.synthesized, 'AWS::ApiGatewayV2::Api')[0] ?? [];
  const dimensions = { ApiId: watch.resolve({ Ref: api }) };
  const value = status >= 400 && status < 500 ? 1 : 0;
  watch.put({ namespace: 'AWS/ApiGateway', name: '4xx', dimensions, value, at });
}
