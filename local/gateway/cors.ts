/** CORS as an HTTP API does it: by exact origin, for preflights and for every answer, whatever the function says. */
import type { IncomingMessage } from 'node:http';
import type { Answer } from './answer.ts';

export interface CorsSettings {
  readonly allowOrigins: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly allowMethods: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
}

/** The whole answer to a preflight, or undefined if the request is none. No function runs. */
export function preflight(request: IncomingMessage, settings: CorsSettings): Answer | undefined {
  const isPreflight =
    request.method === 'OPTIONS' &&
    request.headers.origin !== undefined &&
    request.headers['access-control-request-method'] !== undefined;
  if (!isPreflight) return undefined;
  const permission = isAllowed(request, settings)
    ? {
        'access-control-allow-origin': request.headers.origin ?? '',
        'access-control-allow-headers': settings.allowHeaders.join(','),
        'access-control-allow-methods': settings.allowMethods.join(','),
        'access-control-max-age': String(settings.maxAgeSeconds),
      }
    : {};
  return { status: 204, headers: { vary: 'origin', ...permission }, body: Buffer.alloc(0) };
}

/** The answer with the gateway's CORS headers in place of the function's. */
export function withCors(answer: Answer, request: IncomingMessage, settings: CorsSettings): Answer {
  const kept = Object.entries(answer.headers).filter(([name]) => !name.startsWith('access-control-'));
  const permission = isAllowed(request, settings)
    ? {
        'access-control-allow-origin': request.headers.origin ?? '',
        'access-control-expose-headers': settings.exposeHeaders.join(','),
      }
    : {};
  return { ...answer, headers: { ...Object.fromEntries(kept), vary: 'origin', ...permission } };
}

function isAllowed(request: IncomingMessage, { allowOrigins }: CorsSettings): boolean {
  return request.headers.origin !== undefined && allowOrigins.includes(request.headers.origin);
}
