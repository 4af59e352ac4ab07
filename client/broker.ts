import { problemOf, TokenError } from './token-error.ts';
import { within } from './time-limit.ts';

/** The gateway takes 10,240 bytes of request line and headers, and a browser's own headers need their part. */
const LONGEST_ACCESS_TOKEN = 8_000;

export type Post = (path: '/gettoken' | '/revoketoken', accessToken: string, body: object) => Promise<unknown>;

/** Asks the broker once, within `timeoutMs`. Resolves to the JSON of a 2xx, else rejects with TokenError. */
export function makePost(endpoint: string, send: typeof fetch, timeoutMs: number): Post {
  let warned = false;

  /** The browser does not tell a page why its request failed; the two likeliest causes are settings. */
  function unreachable(cause: unknown): TokenError {
    if (!warned && globalThis.navigator?.onLine !== false) {
      warned = true;
      console.warn(
        `thoughtspot-token-broker: no answer from ${endpoint}. If it is up, the browser blocked the request for one of ` +
          `two reasons. CORS: the broker does not allow the origin ${globalThis.location?.origin}; add it to allowedOrigins ` +
          'of the environment, or to BROKER_ORIGINS of npm start. CSP: connect-src of this page lacks the address above.',
      );
    }
    return new TokenError('network', 'The broker could not be reached.', { cause });
  }

  return async (path, accessToken, body) => {
    if (accessToken.length > LONGEST_ACCESS_TOKEN) {
      const size = `The access token has ${accessToken.length} bytes, and the broker's gateway takes ${LONGEST_ACCESS_TOKEN}.`;
      throw new TokenError('access-token-too-large', `${size} Ask the issuer for fewer claims, such as groups.`);
    }
    return within<unknown>(timeoutMs, 'The broker', async (signal) => {
      const response = await send(endpoint + path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${accessToken}`,
          'content-type': 'application/json',
          accept: 'application/json',
        },
        body: JSON.stringify(body),
        credentials: 'omit',
        cache: 'no-store',
        keepalive: path === '/revoketoken',
        signal,
      }).catch((error: unknown) => {
        throw unreachable(error);
      });
      if (!response.ok) throw await problemOf(response);
      return (response.json() as Promise<unknown>).catch((cause: unknown) => {
        throw new TokenError('invalid-answer', 'Something other than the broker answered.', { cause });
      });
    });
  };
}
