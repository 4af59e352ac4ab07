/**
 * The whole broker on this machine, in one call: AWS endpoints, issuer, ThoughtSpot simulator, the bundles in their
 * sandboxes, and the gateway in front. `npm start` is this with fixed ports; tests start it on free ones.
 */
import type { EnvironmentVariable } from '../functions/contract/environment.ts';
import {
  CORS_HEADERS,
  FUNCTIONS,
  OWN_THROTTLE,
  pathFor,
  type FunctionName,
  type Trigger,
} from '../functions/contract/functions.ts';
import { secretDocument, startLocalAws, type LocalAws } from './aws/local-aws.ts';
import { buildFunctionSet, type FunctionLimits, type PolicyOf } from './function-set.ts';
import {
  functionVariables,
  scopesOf,
  SECRET_ID,
  TABLE_NAME,
  type Backing,
  type NamedIssuer,
} from './function-variables.ts';
import { makeAuthorizer } from './gateway/authorizer.ts';
import { makeIamAuthorizer, makePrincipal, type Principal } from './gateway/iam.ts';
import { bindGateway, type Access, type LocalPages, type Route, type ThrottleSettings } from './gateway/gateway.ts';
import { makeLocalRoutes } from './gateway/local-routes.ts';
import { makeDemoPages } from './gateway/pages.ts';
import { DEMO_CLIENT, readDemoUsers, startIssuer, type DemoUsers, type Issuer } from './issuer.ts';
import type { Invocation, LocalFunction } from './lambda/local-function.ts';
import { OutputLog } from './lambda/output.ts';
import { claimPort } from './network.ts';
import { defaultPolicy, policyForEach, type ThoughtSpotChoice } from './settings.ts';
import { readCluster } from './thoughtspot/cluster.ts';
import { startSimulator, type Simulator, type SimulatorOptions } from './thoughtspot/simulator.ts';

export interface LocalBrokerOptions {
  /** First of six ports in a row, of seven with `partner`; left out: any free ones. */
  readonly basePort?: number;
  /** Left out: the simulator with dialect auth-2.0. */
  readonly thoughtspot?: ThoughtSpotChoice;
  /** The simulator's cluster, clock and switches. */
  readonly simulator?: Omit<SimulatorOptions, 'port' | 'allowedOrigins'>;
  readonly users?: DemoUsers;
  /** Users of a second issuer, whose callers have their routes at `/i/partner/...`. */
  readonly partner?: DemoUsers;
  /** Of the first issuer, as in an environment. */
  readonly sessionClaim?: string;
  /** Stands before DynamoDB: a store that lags, or one that is watched. */
  readonly beforeDynamoDb?: Parameters<typeof startLocalAws>[2];
  /** More issuers, which run elsewhere. */
  readonly issuers?: readonly (NamedIssuer & { readonly name: string })[];
  /** As of a FunctionSet. Left out: that of `npm start`, with its rules once for each issuer. */
  readonly policy?: string | object | PolicyOf;
  /** Origins that may call the broker from a browser, in addition to its own. */
  readonly allowOrigins?: readonly string[];
  readonly logLevel?: string;
  /** The sweep's interval, ms; null: only when asked for. Left out: the stack's minute. */
  readonly sweepEveryMs?: number | null;
  readonly throttle?: ThrottleSettings;
  /** Of each route for logout tokens; left out: that of the stack. */
  readonly logoutThrottle?: ThrottleSettings;
  /** The gateway's clock, epoch ms. */
  readonly now?: () => number;
  /** Environment variables of the functions that differ from the usual. */
  readonly variables?: Partial<Record<EnvironmentVariable, string>>;
  /** Limits of the functions that differ from the contract's. */
  readonly limits?: FunctionLimits;
  readonly integrationTimeoutMs?: number;
  readonly onAnswer?: (access: Access) => void;
}

export interface LocalBroker {
  readonly url: string;
  readonly issuer: Issuer;
  /** The second issuer; absent if there is none. */
  readonly partner: Issuer | undefined;
  readonly aws: LocalAws;
  /** Absent where the broker talks to a real cluster. */
  readonly simulator: Simulator | undefined;
  /** Everything the functions and the platform have printed. */
  readonly output: OutputLog;
  readonly functions: ReadonlyMap<FunctionName, LocalFunction>;
  /** AWS credentials: of an operator, and of somebody whom IAM allows nothing here. */
  readonly principals: { readonly operator: Principal; readonly stranger: Principal };
  /** Origins of the pages that may call the broker. */
  readonly allowOrigins: readonly string[];
  /** What listens where, for people. */
  addresses(): Readonly<Record<string, string>>;
  /** Runs a function with an event of its own shape, as AWS would. Throws if there is no such function. */
  invoke(name: FunctionName, event: unknown): Promise<Invocation>;
  sweep(): Promise<Invocation>;
  /** Bundles again and replaces the sandboxes; with an error in the sources the old ones go on. Throws BuildFailure. */
  rebuild(): Promise<void>;
  close(): Promise<void>;
}

/** Resolves once it serves. Throws `PortTaken`, esbuild's BuildFailure, or what a part says; nothing runs on then. */
export async function startLocalBroker(options: LocalBrokerOptions = {}): Promise<LocalBroker> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const step of closers.splice(0).reverse()) await step();
  };
  try {
    return await start(options, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: LocalBrokerOptions,
  closers: (() => unknown)[],
  close: () => Promise<void>,
): Promise<LocalBroker> {
  const { basePort, thoughtspot = { kind: 'simulator', dialect: 'auth-2.0' }, now = Date.now, sessionClaim } = options;
  const port = (offset: number) => (basePort === undefined ? 0 : basePort + offset);
  const keep = <T extends { close(): unknown }>(part: T): T => {
    closers.push(() => part.close());
    return part;
  };

  const gateway = keep(await bindGateway(port(0)));
  const allowOrigins = [gateway.url, gateway.url.replace('127.0.0.1', 'localhost'), ...(options.allowOrigins ?? [])];
  const cluster = options.simulator?.cluster ?? readCluster();
  const simulator =
    thoughtspot.kind === 'cluster'
      ? undefined
      : keep(
          await claimPort(port(1), 'the ThoughtSpot simulator', () =>
            startSimulator({ ...options.simulator, cluster, port: port(1), allowedOrigins: allowOrigins }),
          ),
        );
  const issuer = keep(await startIssuer(options.users ?? readDemoUsers(), port(2)));
  const partner = options.partner && keep(await startIssuer(options.partner, port(6)));
  const issuers: readonly NamedIssuer[] = [
    { issuer, logoutClients: [DEMO_CLIENT], ...(sessionClaim !== undefined && { sessionClaim }) },
    ...(partner ? [{ name: 'partner', issuer: partner }] : []),
    ...(options.issuers ?? []),
  ];
  const awsPorts = { secrets: port(3), kms: port(4), dynamodb: port(5) };
  const aws = keep(await startLocalAws(awsPorts, TABLE_NAME, options.beforeDynamoDb));
  aws.secrets.put(SECRET_ID, JSON.stringify(secretDocument(thoughtspot, cluster)));

  const { dialect } = thoughtspot;
  const usual = issuers.length > 1 ? (urls: readonly string[]) => policyForEach(urls, dialect) : defaultPolicy(dialect);
  const output = new OutputLog();
  const backing: Backing = {
    brokerUrl: gateway.url,
    thoughtspotHost: thoughtspot.kind === 'cluster' ? thoughtspot.host : (simulator?.url ?? ''),
    dialect,
    keyId: aws.keyId,
    issuers,
    logLevel: options.logLevel ?? 'INFO',
    endpoints: { SECRETS_MANAGER: aws.secrets.url, KMS: aws.kms.url, DYNAMODB: aws.dynamodb.url },
  };
  const functionSet = keep(
    await buildFunctionSet({
      policy: options.policy ?? usual,
      issuers: issuers.map(({ issuer: { url } }) => url),
      variables: (name) => functionVariables(name, backing, options.variables),
      output,
      ...(options.limits && { limits: options.limits }),
    }),
  );
  const { functions, invoke } = functionSet;
  // The event of the stack's schedule. Like the real scheduler, the timer does not wait for the last run to end.
  const sweep = () => invoke('sweep', { source: 'schedule', name: 'sweep', scheduledTime: new Date().toISOString() });
  const { sweepEveryMs = 60_000 } = options;
  if (sweepEveryMs !== null) {
    const timer = setInterval(() => void sweep(), sweepEveryMs);
    closers.push(() => clearInterval(timer));
  }

  const addresses = () => ({
    broker: gateway.url,
    thoughtspot: backing.thoughtspotHost,
    ...(simulator && { simulator: simulator.url }),
    issuer: issuer.url,
    ...(partner && { partner: partner.url }),
    secretsManager: aws.secrets.url,
    kms: aws.kms.url,
    dynamodb: aws.dynamodb.url,
  });
  const demo = makeDemoPages();
  const routes = makeLocalRoutes({ issuer, partner, functions, output, addresses, invoke, sweep });
  const pages: LocalPages = async (request, response) =>
    (await routes(request, response)) || (await demo.pages(request, response));

  const principals = {
    operator: makePrincipal('broker-operator', 'olga'),
    stranger: makePrincipal('auditor', 'sam', false),
  };
  gateway.open({
    routes: issuers.flatMap((of) =>
      [...functions].flatMap(([name, local]) => [
        ...routesOf(name, local, of, now),
        ...logoutRoutesOf(name, local, of, options),
      ]),
    ),
    authorizer: authorizerOf({ issuer }, now),
    iam: makeIamAuthorizer(Object.values(principals), Date.now),
    now,
    cors: {
      allowOrigins,
      allowHeaders: CORS_HEADERS.sent,
      allowMethods: ['GET', 'POST'],
      exposeHeaders: CORS_HEADERS.read,
      maxAgeSeconds: 3600,
    },
    pages,
    onRefusal: (reason) => output.append('gateway', 'platform', `Unauthorized ${reason}`),
    ...(options.throttle && { throttle: options.throttle }),
    ...(options.integrationTimeoutMs !== undefined && { integrationTimeoutMs: options.integrationTimeoutMs }),
    ...(options.onAnswer && { onAnswer: options.onAnswer }),
  });

  return {
    url: gateway.url,
    issuer,
    partner,
    aws,
    simulator,
    output,
    functions,
    principals,
    allowOrigins,
    addresses,
    invoke,
    sweep,
    async rebuild() {
      await functionSet.rebuild();
      demo.refresh();
    },
    close,
  };
}

const authorizerOf = ({ issuer: { url, audience } }: NamedIssuer, now: () => number) =>
  makeAuthorizer({ issuer: url, audience: [audience], now });

/** One route per http trigger for the callers of an issuer, as in the stack. */
function routesOf(name: FunctionName, local: LocalFunction, issuer: NamedIssuer, now: () => number): readonly Route[] {
  const triggers: readonly Trigger[] = FUNCTIONS[name].triggers;
  const authorizer = authorizerOf(issuer, now);
  return triggers.flatMap((trigger) => {
    if (trigger.kind !== 'http') return [];
    const { method, scope, iam = false } = trigger;
    const { token, revoke } = scopesOf(issuer);
    if (iam ? issuer.name !== undefined : scope === 'revoke' && revoke === undefined) return [];
    const path = iam ? trigger.path : pathFor(trigger.path, issuer.name);
    const scopes = scope === 'token' ? [token] : [token, revoke ?? ''];
    return [{ method, path, scopes, iam, authorizer, invoke: (event) => local.invoke(event) }];
  });
}

/** Where an issuer posts its logout tokens: a throttle of its own keeps a flood there from everybody else. */
function logoutRoutesOf(
  name: FunctionName,
  local: LocalFunction,
  issuer: NamedIssuer,
  { logoutThrottle: throttle = OWN_THROTTLE }: LocalBrokerOptions,
): readonly Route[] {
  const triggers: readonly Trigger[] = FUNCTIONS[name].triggers;
  if (issuer.logoutClients === undefined) return [];
  return triggers.flatMap((trigger) => {
    if (trigger.kind !== 'logout') return [];
    const path = pathFor(trigger.path, issuer.name);
    return [{ method: trigger.method, path, scopes: [], open: true, throttle, invoke: (event) => local.invoke(event) }];
  });
}
