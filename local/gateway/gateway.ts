/**
 * What API Gateway's HTTP API does in front of the functions, on loopback: limits, CORS, routes, throttle, JWT or
 * SigV4 check, payload format 2.0, and its own words where no function speaks. Observed behaviour, see docs/architecture.md.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Invocation } from '../lambda/local-function.ts';
import { closeServer, listen, readBody } from '../network.ts';
import { functionAnswer, gatewayAnswer, type Answer } from './answer.ts';
import type { Authorizer } from './authorizer.ts';
import { preflight, withCors, type CorsSettings } from './cors.ts';
import { buildEvent, joinHeaders, splitTarget } from './event.ts';
import type { IamAuthorizer } from './iam.ts';

export interface Route {
  readonly method: string;
  readonly path: string;
  /** Any one of them opens the route; none: any valid token does. */
  readonly scopes: readonly string[];
  /** That of its issuer; left out: that of the settings. */
  readonly authorizer?: Authorizer;
  /** Opened by AWS credentials instead. */
  readonly iam?: boolean;
  /** Opened by anybody. */
  readonly open?: boolean;
  /** Its own, instead of the stage's. */
  readonly throttle?: ThrottleSettings;
  invoke(event: object): Promise<Invocation>;
}

/** Serves what is local only; false: not mine. */
export type LocalPages = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

export interface ThrottleSettings {
  readonly ratePerSecond: number;
  readonly burst: number;
}

export interface GatewaySettings {
  readonly routes: readonly Route[];
  readonly authorizer: Authorizer;
  readonly iam: IamAuthorizer;
  readonly cors: CorsSettings;
  readonly throttle?: ThrottleSettings;
  readonly pages?: LocalPages;
  /** API Gateway's limit on an integration: 30 s. */
  readonly integrationTimeoutMs?: number;
  /** Epoch ms. */
  readonly now?: () => number;
  /** Gets the reason why a token was turned away; never the token. */
  readonly onRefusal?: (reason: string) => void;
  readonly onAnswer?: (access: Access) => void;
}

/** One line of the access log. */
export interface Access {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
  /** The gateway's own answer: no function was asked, or none answered. */
  readonly own: boolean;
}

export interface Gateway {
  readonly url: string;
  /** Starts to serve; until then every request is answered 503. */
  open(settings: GatewaySettings): void;
  close(): Promise<void>;
}

const HEADER_LIMIT_BYTES = 10_240;
const BODY_LIMIT_BYTES = 10 * 1024 * 1024;
const LOCAL_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Binds the gateway's port, so that its URL is known before it serves. Throws `PortTaken`. */
export async function bindGateway(port: number): Promise<Gateway> {
  let serve: Listener = (_request, response) => Promise.resolve(send(response, gatewayAnswer(503)));
  // Node ends an idle connection after 5 s, often just as a busy machine's client uses it again: a request without an answer.
  const server = createServer({ maxHeaderSize: 64 * 1024, keepAliveTimeout: 75_000 }, (request, response) => {
    serve(request, response).catch(() =>
      response.headersSent ? response.destroy() : send(response, gatewayAnswer(500)),
    );
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });
  return {
    url: await listen(server, port, 'the broker (gateway and demo page)'),
    open(settings) {
      serve = makeListener(settings);
    },
    close: () => closeServer(server),
  };
}

type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

function makeListener(settings: GatewaySettings): Listener {
  const answer = makeAnswerer(settings);
  return async (request, response) => {
    // A web page elsewhere must not reach us under a name that it made resolve to loopback.
    if (!isLocalHost(request.headers.host)) return send(response, gatewayAnswer(403));
    if (headerBytes(request) > HEADER_LIMIT_BYTES) return send(response, gatewayAnswer(431));
    if (await settings.pages?.(request, response)) return;
    const requestId = randomUUID();
    const started = performance.now();
    const [path] = splitTarget(request.url ?? '/');
    const reply =
      preflight(request, settings.cors) ?? withCors(await answer(request, path, requestId), request, settings.cors);
    response.setHeader('apigw-requestid', requestId);
    send(response, reply);
    const durationMs = performance.now() - started;
    const own = reply.headers['x-correlation-id'] === undefined;
    settings.onAnswer?.({ method: request.method ?? '', path, status: reply.status, durationMs, own });
  };
}

function makeAnswerer(settings: GatewaySettings) {
  const now = settings.now ?? Date.now;
  const throttleOf = (limits?: ThrottleSettings) => (limits === undefined ? () => true : makeThrottle(limits, now));
  const stage = throttleOf(settings.throttle);
  const mayPass = new Map(settings.routes.map((one) => [one, one.throttle ? throttleOf(one.throttle) : stage]));

  return async (request: IncomingMessage, path: string, requestId: string): Promise<Answer> => {
    const route = settings.routes.find((one) => one.path === path && one.method === request.method);
    if (route === undefined) return gatewayAnswer(404);
    if (mayPass.get(route)?.() === false) return gatewayAnswer(429);
    const routeKey = `${route.method} ${route.path}`;
    const invoke = (body: Buffer, authorizer?: object) =>
      integrate(
        route.invoke(buildEvent({ request, body, routeKey, requestId, now: now(), authorizer })),
        settings.integrationTimeoutMs ?? 30_000,
      );
    if (route.iam === true) {
      const body = await readBody(request, BODY_LIMIT_BYTES);
      if (body === undefined) return gatewayAnswer(413);
      const iam = await settings.iam(request, body);
      return iam === undefined ? gatewayAnswer(403) : invoke(body, { iam });
    }
    if (route.open === true) {
      const body = await readBody(request, BODY_LIMIT_BYTES);
      return body === undefined ? gatewayAnswer(413) : invoke(body);
    }
    const { authorizer = settings.authorizer } = route;
    const verdict = await authorizer(joinHeaders(request.rawHeaders)['authorization'], route.scopes);
    if (verdict.kind === 'unauthorized') {
      settings.onRefusal?.(`${route.path}: ${verdict.reason}`);
      return gatewayAnswer(401, { 'www-authenticate': verdict.challenge });
    }
    if (verdict.kind === 'forbidden') return gatewayAnswer(403);
    const body = await readBody(request, BODY_LIMIT_BYTES);
    if (body === undefined) return gatewayAnswer(413);
    const { claims, scopes } = verdict;
    return invoke(body, { jwt: { claims, scopes } });
  };
}

/** The stage's throttle, a token bucket, as API Gateway describes its own: whether a request at this moment may pass. */
export function makeThrottle({ ratePerSecond, burst }: ThrottleSettings, now: () => number): () => boolean {
  let tokens = burst;
  let filledAt = now();
  return () => {
    const at = now();
    tokens = Math.min(burst, tokens + ((at - filledAt) / 1000) * ratePerSecond);
    filledAt = at;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

/** The function's answer in time, or what API Gateway says instead of it. The invocation itself goes on. */
async function integrate(invocation: Promise<Invocation>, timeoutMs: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), timeoutMs);
  });
  const result = await Promise.race([invocation, late]).finally(() => clearTimeout(timer));
  if (result === 'late' || result.status === 'throttled') return gatewayAnswer(503);
  if (result.status === 'failed') return gatewayAnswer(500);
  return functionAnswer(result.payload) ?? gatewayAnswer(500);
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (status !== 204) response.setHeader('content-length', body.length);
  response.writeHead(status).end(status === 204 ? undefined : body);
}

/** Request line and headers as they came over the wire. */
function headerBytes({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  const requestLine = `${method} ${url} HTTP/1.1\r\n`.length;
  const separators = (rawHeaders.length / 2) * ': \r\n'.length;
  return rawHeaders.reduce((sum, part) => sum + Buffer.byteLength(part), requestLine + separators + 2);
}

function isLocalHost(host = ''): boolean {
  return LOCAL_HOSTS.has(host.replace(/:\d+$/, '').toLowerCase());
}
