import { notAToken, problemOf, TokenError } from './token-error.ts';
import { within } from './time-limit.ts';

/** The gateway takes 10,240 bytes of request line and headers, and a browser's own headers need their part. */
const LONGEST_ACCESS_TOKEN = 8_000;

export type Post = (path: '/gettoken' | '/revoketoken', accessToken: string, body: object) => Promise<unknown>;

/** Asks the broker once, within `timeoutMs`. Resolves to the JSON of a 2xx, else rejects with TokenError. */
export function makePost(endpoint: string, send: typeof fetch, timeoutMs: number): Post {
  let warned = false;

  /** The browser does not tell a page why its request failed; the two likeliest causes are settings. */
  function unreachable(cause: unknown): TokenError {
    if (!warned && navigator.onLine) {
      warned = true;
      console.warn(
        `No answer from ${endpoint}: it is down, does not allow ${location.origin} (CORS: allowedOrigins, ` +
          'BROKER_ORIGINS), or connect-src (CSP) does not.',
      );
    }
    return new TokenError('network', undefined, { cause });
  }

  return async (path, accessToken, body) => {
    if (accessToken.length > LONGEST_ACCESS_TOKEN) throw new TokenError('access-token-too-large');
    return within<unknown>(timeoutMs, async (signal) => {
      const response = await send(endpoint + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        credentials: 'omit',
        keepalive: path === '/revoketoken',
        signal,
      }).catch((error: unknown) => {
        throw unreachable(error);
      });
      if (!response.ok) throw await problemOf(response);
      return (response.json() as Promise<unknown>).catch((cause: unknown) => {
        throw notAToken(cause);
      });
    });
  };
}
