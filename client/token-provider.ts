/**
 * Gets ThoughtSpot tokens from the token broker for an embedding page. Pass `getAuthToken` to the Visual Embed SDK:
 *
 *     const tokens = createTokenProvider({ endpoint: 'https://broker.example', getAccessToken });
 *     init({ thoughtSpotHost, authType: AuthType.TrustedAuthTokenCookieless, getAuthToken: tokens.getAuthToken });
 *
 * It keeps the token in memory only. It has one request in flight per page and, if the browser supports it, per user over
 * all tabs. It refreshes the token before it expires. All times are epoch milliseconds.
 */
import { parseToken, type HeldToken } from './held-token.ts';
import { PageChannel, identityOf } from './page-channel.ts';
import { TokenError, problemOf, retryDelay } from './token-error.ts';

export { TokenError } from './token-error.ts';

export interface TokenProviderOptions {
  /** Base address of the broker; `/gettoken` and `/revoketoken` are below it. */
  readonly endpoint: string;
  /** The signed-in user's OIDC access token for the broker. `refresh`: the last one was refused, get a new one. */
  readonly getAccessToken: (options: { readonly refresh: boolean }) => string | Promise<string>;
  /** One of the named grants of the policy; default: the first grant of the rule. */
  readonly grant?: string;
  readonly fetch?: typeof fetch;
  /** Also called for failures of background refreshes, which no caller awaits. */
  readonly onError?: (error: TokenError) => void;
}

/** What a page may show of the token. Never the token itself. */
export interface TokenState {
  readonly status: 'idle' | 'fetching' | 'live' | 'failed' | 'signed-out';
  readonly leaseId?: string;
  readonly userName?: string;
  readonly orgId?: number;
  readonly expiresAt?: number;
  readonly refreshAfter?: number;
  readonly error?: TokenError;
}

export interface TokenProvider {
  /** A token that ThoughtSpot accepts. Rejects with `TokenError`, never resolves to anything but a token. */
  getAuthToken(this: void): Promise<string>;
  /** Stops serving in every tab, then revokes all tokens of this user at the broker. */
  signOut(this: void): Promise<void>;
  /** Calls `listener` now and at every change; returns a function that stops it. */
  subscribe(this: void, listener: (state: TokenState) => void): () => void;
}

/** A token with less life left than this is not returned: ThoughtSpot may lock accounts that present dead tokens. */
const HARD_MARGIN_MS = 30_000;
/** How long one request may be retried. */
const PATIENCE_MS = 60_000;

/** The slot in which the embed SDK keeps its token. If it holds ours and asks again, ThoughtSpot refused it. */
function heldBySdk(): unknown {
  const slot: unknown = Reflect.get(globalThis, '_tsEmbedSDK');
  return typeof slot === 'object' && slot !== null ? Reflect.get(slot, 'cachedAuthToken') : undefined;
}

export function createTokenProvider(options: TokenProviderOptions): TokenProvider {
  const endpoint = options.endpoint.replace(/\/+$/, '');
  const send = options.fetch ?? globalThis.fetch.bind(globalThis);
  const listeners = new Set<(state: TokenState) => void>();
  let state: TokenState = { status: 'idle' };
  let held: HeldToken | undefined;
  let flight: Promise<string> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let signedOut = false;
  let identity: string | undefined;

  const channel = new PageChannel(`${endpoint}|${options.grant ?? ''}`, {
    token: (token) => {
      if (!signedOut) hold(token);
    },
    signedOut: () => stop(),
  });

  function publish(next: TokenState): void {
    state = next;
    for (const listener of listeners) listener(next);
  }

  function hold(next: HeldToken): void {
    held = next;
    const { token: _, ...shown } = next;
    publish({ status: 'live', ...shown });
    clearTimeout(timer);
    // Jitter keeps many pages, opened in the same minute, from asking in the same second.
    const life = Math.max(0, next.expiresAt - HARD_MARGIN_MS - next.refreshAfter);
    const delay = Math.max(0, next.refreshAfter - Date.now()) + Math.random() * Math.min(life / 2, 10_000);
    timer = setTimeout(wake, delay);
  }

  function stop(): void {
    signedOut = true;
    held = undefined;
    clearTimeout(timer);
    globalThis.removeEventListener?.('visibilitychange', wake, true);
    publish({ status: 'signed-out' });
  }

  /** Runs after the refresh time, and when a page wakes from sleep: timers stand still during sleep, the clock does not. */
  function wake(): void {
    if (signedOut || held === undefined || Date.now() < held.refreshAfter) return;
    if (globalThis.document?.visibilityState === 'hidden') return;
    void refresh().catch(() => undefined);
  }

  /** The page may have signed in another user without a sign-out, and nobody may get another user's token. */
  async function currentAccessToken(ask: { readonly refresh: boolean }): Promise<string> {
    let accessToken: string;
    try {
      accessToken = await options.getAccessToken(ask);
    } catch (error) {
      throw new TokenError('access-token', 'The page could not get an access token for the broker.', {}, error);
    }
    const now = identityOf(accessToken);
    if (now !== identity) {
      held = undefined;
      identity = now;
      channel.join(now);
    }
    return accessToken;
  }

  /** One request in flight per page; the lock makes it one per user over all tabs. `refused`: a token not to serve again. */
  function refresh(refused?: string): Promise<string> {
    flight ??= fetchToken(refused)
      .catch((error: unknown) => {
        const failure = TokenError.from(error);
        if (!signedOut) publish({ ...state, status: 'failed', error: failure });
        options.onError?.(failure);
        throw failure;
      })
      .finally(() => (flight = undefined));
    return flight;
  }

  async function fetchToken(refused: string | undefined): Promise<string> {
    if (signedOut) throw new TokenError('signed-out', 'The user signed out.');
    publish({ ...state, status: 'fetching' });
    const accessToken = await currentAccessToken({ refresh: false });
    return channel.alone(async () => {
      // Another tab may have got a token while this one waited for its turn.
      if (held !== undefined && held.token !== refused && Date.now() < held.refreshAfter) return held.token;
      const next = parseToken(await post('/gettoken', accessToken, tokenRequest(refused)));
      if (signedOut) throw new TokenError('signed-out', 'The user signed out.');
      hold(next);
      channel.share(next);
      return next.token;
    });
  }

  function tokenRequest(refused: string | undefined): object {
    return {
      ...(options.grant === undefined ? {} : { grant: options.grant }),
      ...(refused === undefined ? {} : { fresh: true }),
    };
  }

  /** Posts until there is an answer: retries once with a new access token on 401, and later if the broker says so. */
  async function post(path: string, firstAccessToken: string, body: object): Promise<unknown> {
    const giveUpAt = Date.now() + PATIENCE_MS;
    let accessToken = firstAccessToken;
    for (let attempt = 0, renewed = false; ; attempt += 1) {
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
      }).catch((error: unknown) => TokenError.from(error));
      if (!(response instanceof TokenError) && response.ok) return response.json();
      const problem = response instanceof TokenError ? response : await problemOf(response);
      if (problem.status === 401 && !renewed) {
        renewed = true;
        accessToken = await currentAccessToken({ refresh: true });
        continue;
      }
      const delay = retryDelay(problem, attempt);
      if (delay === undefined || Date.now() + delay > giveUpAt || (signedOut && path === '/gettoken')) throw problem;
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }

  globalThis.addEventListener?.('visibilitychange', wake, true);

  return {
    async getAuthToken() {
      if (signedOut) throw new TokenError('signed-out', 'The user signed out.');
      await currentAccessToken({ refresh: false });
      const token = held?.token;
      if (token !== undefined && heldBySdk() === token) return refresh(token);
      if (held !== undefined && Date.now() < held.refreshAfter) return held.token;
      return refresh().catch((error: unknown) => {
        // The broker cannot give a newer token now, but this one is still valid.
        if (held !== undefined && Date.now() < held.expiresAt - HARD_MARGIN_MS) return held.token;
        throw error;
      });
    },
    async signOut() {
      if (signedOut) return;
      const pending = flight;
      channel.signOut();
      stop();
      // A mint in progress must be answered first, or its token would outlive the revocation. In this tab we wait for it;
      // for other tabs we take the lock.
      await pending?.catch(() => undefined);
      const accessToken = await currentAccessToken({ refresh: false });
      await channel.alone(() => post('/revoketoken', accessToken, {}));
    },
    subscribe(listener) {
      listeners.add(listener);
      listener(state);
      return () => listeners.delete(listener);
    },
  };
}
