import type { Dispatcher } from 'undici';
import makeUndiciConnector from 'undici/lib/core/connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { Failure } from '../broker/failure.ts';
import { isObject, secureUrl } from '../contract/shapes.ts';
import { defined } from './json-fields.ts';
import { readBody } from './reply-body.ts';

/** What goes on the wire, before the host is known. `path` is absolute, `body` is JSON text. */
export interface RequestParts {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A whole answer of any status, redirects included: they are never followed. Header names are lower case. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * No whole answer came. `sent` says whether a byte may have left the socket: false is certain. `status` is set if the
 * head of an answer was seen. `code` is the system's word (ECONNREFUSED), never text from the other side.
 */
export interface Lost {
  readonly kind: 'lost';
  readonly cause: 'timeout' | 'aborted' | 'unreachable' | 'reset' | 'unreadable' | 'too-large';
  readonly sent: boolean;
  readonly status?: number;
  readonly code?: string;
}

export type Exchange = { readonly kind: 'reply'; readonly reply: Reply } | Lost;

export interface Transport {
  readonly origin: URL;
  /** One request, one answer. `timeoutMs` bounds connecting, head and body together. Never throws. */
  exchange(parts: RequestParts, timeoutMs: number, signal?: AbortSignal): Promise<Exchange>;
  /** Opens one connection ahead of need, on which nothing is sent. Never throws: a failure shows at the call. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

const BODY_CAP_BYTES = 256 * 1024;
/** Shorter than any server's own limit that is known (Node 5 s, nginx 75 s, ALB 60 s). */
const IDLE_LIMIT_MS = 4_000;
const CONNECTIONS = 16;
/** A connection that takes longer is given up, ms: nothing was sent on it, so the call may be tried again. */
const CONNECT_TIMEOUT_MS = 3_000;

/**
 * The cluster's origin from what the environment says. https only, unless the host is this machine. Throws Failure
 * `misconfigured` for anything else, also for a path, a query or credentials in the address: they would be lost or sent.
 */
export function originOf(host: string): URL {
  if (!URL.canParse(host)) throw misconfigured('is not a URL such as https://cluster.thoughtspot.cloud');
  const url = secureUrl(host);
  if (url === undefined) throw misconfigured('must be https (http only for loopback)');
  if (url.username !== '' || url.password !== '') throw misconfigured('must not hold credentials');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw misconfigured('must be an origin, no path');
  return url;
}

const misconfigured = (why: string): Failure => new Failure('misconfigured', { reason: `the ThoughtSpot host ${why}` });

/** A keep-alive pool to one origin. `now` is epoch ms by the wall clock, which a frozen sandbox wakes up to. */
export function makeTransport(origin: URL, now: () => number): Transport {
  // Certificates are always verified: NODE_TLS_REJECT_UNAUTHORIZED in the environment cannot turn this off.
  const connect = makeUndiciConnector({ rejectUnauthorized: true, allowH2: false, timeout: CONNECT_TIMEOUT_MS });
  let pool = openPool();
  let inFlight = 0;
  let lastUsedAt = now();

  function openPool(): Pool {
    return new Pool(origin, {
      connect,
      connections: CONNECTIONS,
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: IDLE_LIMIT_MS,
      keepAliveMaxTimeout: IDLE_LIMIT_MS,
      // The exchange has its own timer as its deadline: undici's timers are coarse (500 ms fired at 771).
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Timers do not run in a frozen sandbox: a mint on a connection that died meanwhile would be a lost reply. */
  function leaveStaleConnections(): void {
    if (inFlight > 0 || now() - lastUsedAt <= IDLE_LIMIT_MS) return;
    void pool.destroy().catch(() => undefined);
    pool = openPool();
  }

  return {
    origin,
    async exchange(parts, timeoutMs, signal) {
      leaveStaleConnections();
      inFlight += 1;
      const exchange = await send(pool, parts, { now, sendBefore: now() + timeoutMs, timeoutMs, signal });
      inFlight -= 1;
      lastUsedAt = now();
      return exchange;
    },
    warm() {
      lastUsedAt = now();
      const { promise, resolve } = Promise.withResolvers<void>();
      // undici calls this once it is connected, right before it writes: what throws here leaves the connection open.
      const onRequestStart = () => {
        throw new Error('only a connection was wanted');
      };
      pool.dispatch({ method: 'GET', path: '/' }, { onRequestStart, onResponseError: () => resolve() });
      return promise;
    },
    async close() {
      await pool.destroy().catch(() => undefined);
    },
  };
}

interface SendLimits {
  readonly now: () => number;
  /** Epoch ms: from then on nothing is sent. */
  readonly sendBefore: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

function send(
  pool: Pool,
  { headers, ...parts }: RequestParts,
  { now, sendBefore, timeoutMs, signal }: SendLimits,
): Promise<Exchange> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let head: Omit<Reply, 'body'> | undefined;
    let controller: Dispatcher.DispatchController | undefined;
    let settled = false;

    const settle = (exchange: Exchange): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      resolve(exchange);
    };
    const lose = (cause: Lost['cause'], code?: string): void =>
      settle({ kind: 'lost', cause, sent: controller !== undefined, ...defined({ status: head?.status, code }) });
    const giveUp = (cause: Lost['cause']): void => {
      lose(cause);
      controller?.abort(new Error(cause));
    };
    const abort = (): void => giveUp('aborted');
    const timer = setTimeout(() => giveUp('timeout'), Math.max(0, timeoutMs));
    signal?.addEventListener('abort', abort);
    if (timeoutMs <= 0) return giveUp('timeout');
    if (signal?.aborted === true) return abort();

    const handler: Dispatcher.DispatchHandler = {
      // undici calls this right before it writes to the socket: until then the request has certainly not left.
      onRequestStart(started) {
        // The timer stood still if the sandbox was frozen: by then others may rely on it that nothing is sent any more.
        if (!settled && now() >= sendBefore) lose('timeout');
        if (settled) started.abort(new Error('given up before it was sent'));
        else controller = started;
      },
      onResponseStart(_controller, status, headers) {
        if (status >= 200) head = { status, headers: flat(headers) };
      },
      onResponseData(_controller, chunk) {
        size += chunk.byteLength;
        if (size > BODY_CAP_BYTES) giveUp('too-large');
        else chunks.push(chunk);
      },
      onResponseEnd() {
        if (head === undefined) return lose('unreadable');
        const body = readBody(Buffer.concat(chunks), head.headers['content-encoding'], BODY_CAP_BYTES);
        if ('lost' in body) lose(body.lost);
        else settle({ kind: 'reply', reply: { ...head, body: body.text } });
      },
      onResponseError(_controller, error) {
        const code = codeOf(error);
        if (controller === undefined) lose('unreachable', code);
        else lose(error.name === 'HTTPParserError' || UNREADABLE.test(code ?? '') ? 'unreadable' : 'reset', code);
      },
    };
    try {
      pool.dispatch({ ...parts, headers: { ...headers } }, handler);
    } catch (error) {
      lose('unreachable', codeOf(error));
    }
  });
}

const UNREADABLE = /^(UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/;

/** Only the code of an error is kept: undici's parser errors contain what they read, which may be a token. */
function codeOf(error: unknown): string | undefined {
  const code = isObject(error) ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined;
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value = ''] of Object.entries(headers)) result[name.toLowerCase()] = [value].flat().join(', ');
  return result;
}
