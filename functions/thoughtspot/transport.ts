import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import { Failure } from '../broker/failure.ts';
import { secureOrigin } from '../contract/shapes.ts';
import { makeConnector } from './connector.ts';

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
  /** Connects ahead of the first call without sending anything. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

export const BODY_CAP_BYTES = 256 * 1024;
/** Shorter than the limit of every server that is known (Node 5 s, nginx 75 s, ALB 60 s). */
const IDLE_LIMIT_MS = 4_000;
const CONNECTIONS = 16;

/** A keep-alive pool to one origin. `now` is epoch ms by the wall clock, which a frozen sandbox wakes up to. */
export function makeTransport(origin: URL, now: () => number): Transport {
  const connector = makeConnector(now, IDLE_LIMIT_MS);
  let pool = openPool();
  let inFlight = 0;
  let lastUsedAt = now();

  function openPool(): Pool {
    return new Pool(origin, {
      connect: connector.connect,
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
      const exchange = await send(pool, parts, timeoutMs, signal);
      inFlight -= 1;
      lastUsedAt = now();
      return exchange;
    },
    warm: () => connector.warm(origin),
    async close() {
      connector.close();
      await pool.destroy().catch(() => undefined);
    },
  };
}

/** Throws Failure `misconfigured` for anything but a secure origin: what else is in an address would be lost or sent. */
export function originOf(host: string): URL {
  const origin = secureOrigin(host);
  if (origin !== undefined) return new URL(origin);
  const reason =
    'the ThoughtSpot host must be an origin such as https://acme.thoughtspot.cloud (http only for loopback)';
  throw new Failure('misconfigured', { reason });
}

function send(pool: Pool, parts: RequestParts, timeoutMs: number, signal?: AbortSignal): Promise<Exchange> {
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
      settle({
        kind: 'lost',
        cause,
        sent: controller !== undefined,
        ...(head === undefined ? {} : { status: head.status }),
        ...(code === undefined ? {} : { code }),
      });
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
        if (head === undefined) lose('unreadable');
        else settle({ kind: 'reply', reply: { ...head, body: Buffer.concat(chunks).toString('utf8') } });
      },
      onResponseError(_controller, error) {
        const code = codeOf(error);
        if (controller === undefined) lose('unreachable', code);
        else lose(error.name === 'HTTPParserError' || UNREADABLE.test(code ?? '') ? 'unreadable' : 'reset', code);
      },
    };
    const { method, path, headers, body } = parts;
    try {
      pool.dispatch({ method, path, headers: { ...headers }, body: body ?? null }, handler);
    } catch (error) {
      lose('unreachable', codeOf(error));
    }
  });
}

const UNREADABLE = /^(UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/;

/** Only the code of an error is kept: undici's parser errors contain what they read, which may be a token. */
function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined;
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) result[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  return result;
}
