import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

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
