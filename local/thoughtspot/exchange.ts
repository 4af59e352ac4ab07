import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Answer, Call, Endpoint } from './call.ts';
import { CODE, errorBody, Refusal, sessionErrorBody } from './refusal.ts';
import type { Switches } from './switches.ts';

const MAX_BODY = 1024 * 1024;

/** Reads a request to its end; undefined if its body is beyond 1 MiB or its sender went away. */
export async function readCall(request: IncomingMessage): Promise<Call | undefined> {
  const url = URL.parse(request.url ?? '/', 'http://simulator');
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return {
    method: request.method ?? 'GET',
    path: (url?.pathname ?? '/').replaceAll(/\/{2,}/g, '/'),
    query: url?.searchParams ?? new URLSearchParams(),
    headers: request.headers,
    body: Buffer.concat(chunks),
  };
}

/** How an endpoint says no. In session-v2 every refusal is a 500 (wire facts 1.1), except those of the way there. */
export function refusalAnswer(refusal: Refusal, endpoint: Endpoint, shape: Switches['errorShape']): Answer {
  const { headers, status } = refusal;
  if (endpoint.dialect === 'session-v2') {
    return { status: status === 429 ? 429 : 500, json: sessionErrorBody(refusal, endpoint.path, shape), headers };
  }
  if (endpoint.dialect === 'auth-2.0') return { status, json: errorBody(refusal, shape), headers };
  const json = { type: null, code: refusal.code, incident_id_guid: randomUUID(), debug: refusal.message };
  return { status, json, headers };
}

/** An endpoint's answer, or its refusal as an answer. A defect of the simulator itself is a 500 with its message. */
export function answerOf(endpoint: Endpoint, shape: Switches['errorShape'], answer: () => Answer): Answer {
  try {
    return answer();
  } catch (error) {
    const refusal =
      error instanceof Refusal ? error : new Refusal(500, CODE.server, `Simulator defect: ${String(error)}`);
    return refusalAnswer(refusal, endpoint, shape);
  }
}

/**
 * CORS headers for a request's Origin (wire facts 5.5): exact origins only, with credentials for the cookie calls. An
 * origin that is not on the list gets none, and its browser keeps the answer from it.
 */
export function corsHeaders(headers: IncomingHttpHeaders, allowedOrigins: readonly string[]): OutgoingHttpHeaders {
  const origin = headers.origin;
  if (origin === undefined) return {};
  if (!allowedOrigins.includes(origin)) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'retry-after',
  };
}

/** What a preflight adds. */
export const PREFLIGHT_HEADERS = {
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-allow-headers': 'authorization, x-requested-by, content-type',
  'access-control-max-age': '600',
} as const;

/** Waits, unless the simulator is closed meanwhile; a zero wait takes no turn of the event loop. */
export async function wait(ms: number, closed: AbortSignal): Promise<void> {
  if (ms === 0) return;
  try {
    await sleep(ms, undefined, { signal: closed });
  } catch {
    // Closed: what waits goes on at once.
  }
}

/** How a body travels. */
export type BodyForm = Pick<Switches, 'slowBodyMs' | 'unaskedGzip' | 'byteOrderMark'>;
export const PLAIN: BodyForm = { slowBodyMs: 0, unaskedGzip: false, byteOrderMark: false };

/** Writes an answer, its body slowly if asked to: in ten pieces over `slowBodyMs`. */
export async function write(
  response: ServerResponse,
  answer: Answer,
  {
    headers,
    slowBodyMs,
    unaskedGzip,
    byteOrderMark,
    closed,
  }: BodyForm & { headers: OutgoingHttpHeaders; closed: AbortSignal },
): Promise<void> {
  const json = answer.json === undefined ? undefined : (byteOrderMark ? '\uFEFF' : '') + JSON.stringify(answer.json);
  const plain = Buffer.from(json ?? answer.text ?? '');
  const zipped = unaskedGzip && plain.length > 0;
  const body = zipped ? gzipSync(plain) : plain;
  const type = {
    ...(json !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
    ...(zipped && { 'content-encoding': 'gzip' }),
  };
  response.writeHead(answer.status, {
    'cache-control': 'no-store',
    'content-length': body.length,
    ...type,
    ...headers,
    ...answer.headers,
  });
  if (slowBodyMs > 0 && body.length > 0) {
    response.flushHeaders();
    const piece = Math.ceil(body.length / 10);
    for (let at = 0; at < body.length && !response.destroyed; at += piece) {
      await wait(slowBodyMs / 10, closed);
      response.write(body.subarray(at, at + piece));
    }
    response.end();
    return;
  }
  response.end(body);
}
