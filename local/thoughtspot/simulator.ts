import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Answer, Call, Endpoint } from './call.ts';
import { readCluster, type AccountStatus, type Cluster } from './cluster.ts';
import { answerControl, CONTROL_PATH, controls, isLoopback } from './control.ts';
import { CALLOSUM_ENDPOINTS } from './endpoints/callosum.ts';
import { embedEndpoints } from './endpoints/embed.ts';
import { MINT_ENDPOINTS } from './endpoints/mint.ts';
import { REVOKE_ENDPOINT } from './endpoints/revoke.ts';
import { SESSION_V2_ENDPOINTS } from './endpoints/session-v2.ts';
import { SESSION_ENDPOINTS } from './endpoints/session.ts';
import {
  answerOf,
  corsHeaders,
  PLAIN,
  PREFLIGHT_HEADERS,
  readCall,
  refusalAnswer,
  wait,
  write,
  type BodyForm,
} from './exchange.ts';
import { inFaultScope, takeFault, takeLostReply } from './faults.ts';
import type { CallEvent, RecordedMint } from './journal.ts';
import { RateLimit } from './rate-limit.ts';
import { Refusal } from './refusal.ts';
import { RunningCluster, type ClusterState } from './running-cluster.ts';
import type { Switches } from './switches.ts';

export type { CallEvent, ClusterState, Cluster, RecordedMint, Switches };

export interface SimulatorOptions {
  /** 0, the default, takes a free one. */
  port?: number;
  /** The demo cluster of cluster.json if left out. */
  cluster?: Cluster;
  /** Origins that may call it from a browser and frame its page. */
  allowedOrigins?: readonly string[];
  /** Switches to start with and to go back to on reset. */
  switches?: Partial<Switches>;
  /** The machine's clock in epoch ms, from which the cluster's differs by the switch clockOffsetMs. */
  clock?: () => number;
  /** Serves https with this key and certificate (PEM). */
  tls?: { readonly key: string; readonly cert: string };
  /** A monotonic clock in ms for the rate limit. */
  rateClock?: () => number;
}

/** A running simulator. What /__simulator/ does over HTTP, it does in-process. */
export type Simulator = Awaited<ReturnType<typeof startSimulator>>;

/**
 * Starts a simulated ThoughtSpot cluster on 127.0.0.1. Rejects if the port is taken (EADDRINUSE) or the switches are
 * wrong (TypeError).
 */
export async function startSimulator(options: SimulatorOptions = {}) {
  const { allowedOrigins = [], rateClock = () => performance.now() } = options;
  const cluster = new RunningCluster(options.cluster ?? readCluster(), options.clock ?? Date.now, options.switches);
  const rateLimit = new RateLimit(rateClock);
  const closing = new AbortController();
  const held: { gate: Promise<void> | undefined } = { gate: undefined };
  const endpoints = [
    ...MINT_ENDPOINTS,
    REVOKE_ENDPOINT,
    ...SESSION_ENDPOINTS,
    ...SESSION_V2_ENDPOINTS,
    ...CALLOSUM_ENDPOINTS,
    ...embedEndpoints(allowedOrigins),
  ];
  const refusal: { afterAnswerForMs: number | undefined } = { afterAnswerForMs: undefined };
  const controlTable = controls((ms) => (refusal.afterAnswerForMs = ms));

  function refuseOverRate(address: string): Refusal | undefined {
    const { rateLimit: on, rateLimitPerSecond: perSecond, rateLimitBurst: burst, retryAfterSeconds } = cluster.switches;
    if (!on || rateLimit.take(address, { perSecond, burst })) return undefined;
    const headers = retryAfterSeconds === null ? undefined : { 'retry-after': String(retryAfterSeconds) };
    return new Refusal(429, 10000, 'Too many requests.', headers);
  }

  /** The answer of an endpoint, or undefined if the connection is to be destroyed. */
  async function serve(endpoint: Endpoint, call: Call, address: string): Promise<Answer | undefined> {
    const overRate = endpoint.scope === 'page' ? undefined : refuseOverRate(address);
    if (overRate) return refusalAnswer(overRate, endpoint, cluster.switches.errorShape);
    const fault = takeFault(cluster, endpoint);
    const answer = fault
      ? fault.reset
        ? undefined
        : fault.answer
      : answerOf(endpoint, cluster.switches.errorShape, () => endpoint.answer(cluster, call));
    if (answer?.pending) {
      await wait(answer.pending.ms, closing.signal);
      answer.pending.end();
    }
    const lost = !fault && answer !== undefined && takeLostReply(cluster, endpoint, answer);
    // The work comes first: a client that gives up on a slow answer has lost the reply of something that happened.
    if (inFaultScope(cluster.switches, endpoint.scope)) await wait(cluster.switches.latencyMs, closing.signal);
    await held.gate;
    return lost ? undefined : answer;
  }

  function recordMint(endpoint: Endpoint, call: Call, status: number): void {
    if (endpoint.scope !== 'mint') return;
    let body: unknown = null;
    try {
      if (call.body.length > 0) body = JSON.parse(call.body.toString('utf8'));
    } catch {
      body = 'not JSON';
    }
    cluster.journal.recordMint({ at: cluster.now(), endpoint: `${call.method} ${endpoint.path}`, status, body });
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const address = request.socket.remoteAddress ?? '';
    const call = await readCall(request);
    const reply = (answer: Answer, how: BodyForm = PLAIN): Promise<void> =>
      write(response, answer, {
        ...how,
        headers: corsHeaders(request.headers, allowedOrigins),
        closed: closing.signal,
      });
    if (!call) {
      if (!response.destroyed) await reply({ status: 413, headers: { connection: 'close' } });
      return;
    }
    if (call.method === 'OPTIONS') return reply({ status: 204, headers: PREFLIGHT_HEADERS });
    if (call.path.startsWith(CONTROL_PATH)) {
      if (!isLoopback(address)) return reply({ status: 403, json: { error: 'only from this machine' } });
      await reply(answerControl(controlTable, cluster, call));
      return refuseIfAsked(response);
    }
    const endpoint = endpoints.find((known) => known.path === call.path && known.method === call.method);
    if (!endpoint) {
      const elsewhere = endpoints.some((known) => known.path === call.path);
      return reply({ status: elsewhere ? 405 : 404, json: { error: { message: { debug: 'No such endpoint.' } } } });
    }
    const name = `${call.method} ${endpoint.path}`;
    cluster.journal.arrived(name);
    const answer = await serve(endpoint, call, address);
    recordMint(endpoint, call, answer?.status ?? 0);
    if (!answer) request.socket.destroy();
    else await reply(answer, inFaultScope(cluster.switches, endpoint.scope) ? cluster.switches : PLAIN);
    cluster.journal.answered(name, answer?.status ?? 0);
  }

  /** Refuses connections for a time, once the answer to the call that asked for it is out. */
  async function refuseIfAsked(response: ServerResponse): Promise<void> {
    const ms = refusal.afterAnswerForMs;
    if (ms === undefined) return;
    refusal.afterAnswerForMs = undefined;
    if (!response.writableFinished) await once(response, 'close');
    await stopListening();
    await wait(ms, closing.signal);
    await startListening();
  }

  const listener = (request: IncomingMessage, response: ServerResponse) => void handle(request, response);
  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(options.port ?? 0);
  const { port } = server.address() as AddressInfo;

  const stopListening = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const startListening = async (): Promise<void> => {
    if (!server.listening && !closing.signal.aborted) await listen(port);
  };
  return {
    /** Without a slash at its end. */
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    /** Stops listening and destroys open connections. */
    async close() {
      closing.abort();
      await stopListening();
    },
    switches: (): Switches => ({ ...cluster.switches }),
    /** Merges switches. Throws a TypeError that names each fault, and then changes nothing. */
    set: (patch: Partial<Switches>) => cluster.set(patch),
    reset() {
      cluster.reset();
      rateLimit.clear();
    },
    /** Replaces the key of the cluster or of one Org; the old one is dead at once. Answers the new one. */
    rotateKey: (org?: number) => cluster.rotateKey(org ?? null),
    /** The current key of the cluster or of one Org. Throws if the Org has none. */
    secretKey(org?: number): string {
      const key = cluster.keys.of(org ?? null);
      if (key === undefined) throw new Error(`Org ${org} has no secret key of its own`);
      return key;
    },
    setUserStatus: (name: string, status: AccountStatus) => cluster.setUserStatus(name, status),
    state: () => cluster.state(),
    requests: () => structuredClone(cluster.journal.mints),
    /** The live tokens in full, oldest first; there is no such thing over HTTP. */
    tokens: () => cluster.aliveTokens().map((token) => token.text),
    /** Every token in full that was ever issued, dead ones too, oldest first: what a search for leaks looks for. */
    issued: () => cluster.tokens.texts(),
    /** Calls `listener` as each call arrives and as it is answered, until the function that it returns is called. */
    onCall: (listener: (event: CallEvent) => void) => cluster.journal.onCall(listener),
    /** Holds answers back, the work being done, until the function that it returns is called. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.gate = promise;
      closing.signal.addEventListener('abort', () => resolve(), { once: true });
      return () => {
        if (held.gate === promise) held.gate = undefined;
        resolve();
      };
    },
    /** Stops listening, so that new connections are refused, and destroys open ones. */
    refuseConnections: stopListening,
    acceptConnections: startListening,
  };
}
