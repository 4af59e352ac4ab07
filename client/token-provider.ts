/**
 * Gets ThoughtSpot tokens from the token broker for an embedding page. Pass `getAuthToken` to the Visual Embed SDK:
 *
 *     const tokens = createTokenProvider({ endpoint: 'https://broker.example', getAccessToken });
 *     init({ thoughtSpotHost, authType: AuthType.TrustedAuthTokenCookieless, getAuthToken: tokens.getAuthToken });
 *
 * It keeps the token in memory only. It has one request in flight per page and, if the browser supports it, per user over
 * all tabs. It refreshes the token before it expires. All times are epoch milliseconds.
 */
import { makePost } from './broker.ts';
import { clearSdk } from './embed-sdk.ts';
import { identityOf, isKnown } from './identity.ts';
import { makeSession, type Session, type SessionState } from './session.ts';
import { within } from './time-limit.ts';
import { signedOut, TokenError, userChanged } from './token-error.ts';

export { TokenError, type FieldError, type TokenErrorCode } from './token-error.ts';

export interface TokenProviderOptions {
  /** Base address of the broker; `/gettoken` and `/revoketoken` are below it. */
  readonly endpoint: string;
  /** The signed-in user's OIDC access token for the broker. `refresh`: the last one was refused, get a new one. */
  readonly getAccessToken: (options: { readonly refresh: boolean }) => string | Promise<string>;
  /** One of the named grants of the policy; default: the first grant of the rule. */
  readonly grant?: string;
  /** How long one request, one access token and one turn among the tabs may take, ms; default 10,000. */
  readonly timeoutMs?: number;
  readonly fetch?: typeof fetch;
  /** Also called for failures of background refreshes, which no caller awaits. */
  readonly onError?: (error: TokenError) => void;
}

/** What a page may show of the token. Never the token itself. */
export interface TokenState {
  /**
   * `stale`: the last refresh failed, and the token still serves. `failed`: there is no token; `error` says why.
   * `sign-in-required`: the broker does not accept the access token, and a newer one was no better.
   */
  readonly status: 'idle' | 'fetching' | 'live' | 'stale' | 'failed' | 'sign-in-required' | 'signed-out';
  readonly leaseId?: string;
  readonly userName?: string;
  readonly orgId?: number;
  readonly expiresAt?: number;
  readonly refreshAfter?: number;
  readonly error?: TokenError;
}

export interface TokenProvider {
  /**
   * A token of the user who is signed in now. Rejects with `TokenError`, never resolves to anything but a token.
   * `signal` ends this caller's wait, and nobody else's.
   */
  getAuthToken(this: void, options?: { readonly signal?: AbortSignal }): Promise<string>;
  /** Tries at once what failed. Resolves when it is over; the state tells how it went. */
  retry(this: void): Promise<void>;
  /**
   * Stops serving in every tab and for every grant, then revokes all tokens of this user at the broker. Rejects with
   * `TokenError` if the broker did not confirm; the next call tries again.
   */
  signOut(this: void): Promise<void>;
  /**
   * Starts anew after a sign-out, or when the page has signed in somebody. Not needed where the access token names another
   * user or session than before.
   */
  signIn(this: void): void;
  /** Calls `listener` now and at every change; returns a function that stops it. */
  subscribe(this: void, listener: (state: TokenState) => void): () => void;
  /** Ends timers, listeners and requests; revokes nothing. For a provider that is no longer used. */
  dispose(this: void): void;
}

export function createTokenProvider(options: TokenProviderOptions): TokenProvider {
  const { grant, timeoutMs = 10_000 } = options;
  const endpoint = options.endpoint.replace(/\/+$/, '');
  const send = options.fetch ?? globalThis.fetch.bind(globalThis);
  const post = makePost(endpoint, send, timeoutMs);
  const listeners = new Set<(state: TokenState) => void>();
  let state: TokenState = { status: 'idle' };
  let session: Session | undefined;
  /** Set from a sign-out until somebody signs in: whose it was, and whether the broker has confirmed it. */
  let left: { session: Session | undefined; confirmed: boolean } | undefined;
  let leaving: Promise<void> | undefined;
  let leaver: Session | undefined;
  let disposed = false;
  /** Access tokens may arrive in another order than they were asked for: an older answer never changes the user. */
  let asked = 0;
  let newestAnswer = 0;

  function publish(next: TokenState): void {
    state = next;
    for (const listener of listeners) tell(listener, next);
    if (next.error) tell(options.onError, next.error);
  }

  async function accessToken(refresh: boolean): Promise<string> {
    try {
      const text: unknown = await within(timeoutMs, 'getAccessToken', () => options.getAccessToken({ refresh }));
      if (typeof text === 'string' && text !== '') return text;
    } catch (cause) {
      throw new TokenError('access-token', 'The page could not get an access token for the broker.', { cause });
    }
    throw new TokenError('access-token', 'getAccessToken gave no access token. Is somebody signed in?');
  }

  /** The session of the user who is signed in now: the page may have changed the user without telling. */
  async function enter({ refresh }: { readonly refresh: boolean }): Promise<Session> {
    const ask = (asked += 1);
    const text = await accessToken(refresh);
    if (disposed) throw disposedError();
    const identity = identityOf(text);
    const before = session ?? left?.session;
    if (before?.identity !== identity && ask < newestAnswer) throw userChanged();
    if (left) {
      if (!isKnown(before?.identity) || !isKnown(identity) || before?.identity === identity) throw signedOut();
      left = undefined;
    }
    newestAnswer = Math.max(newestAnswer, ask);
    if (session?.identity !== identity) begin(identity, text);
    if (!session) throw userChanged();
    session.accessToken = text;
    return session;
  }

  function begin(identity: string, text: string): void {
    if (session) {
      forget(userChanged());
      publish({ status: 'idle' });
    }
    session = newSession(identity, text);
  }

  function newSession(identity: string, text: string): Session {
    const made: Session = makeSession(identity, text, {
      endpoint,
      grant,
      timeoutMs,
      send,
      post,
      async enter(how) {
        const now = await (session === made ? enter(how) : renewForSignOut(made, how));
        if (now !== made) throw userChanged();
      },
      publish(next) {
        if (session === made) publish(shown(next));
      },
      onSignedOut() {
        if (session === made) leave(true);
      },
    });
    return made;
  }

  function forget(reason: TokenError): void {
    session?.end(reason);
    session = undefined;
    clearSdk();
  }

  function leave(confirmed: boolean): void {
    left = { session, confirmed };
    forget(signedOut());
    publish({ status: 'signed-out' });
  }

  /** The page's access token if it still is that user's: nobody else's tokens may be revoked in their place. */
  async function renewForSignOut(owner: Session, { refresh }: { readonly refresh: boolean }): Promise<Session> {
    const text = await accessToken(refresh);
    if (identityOf(text) !== owner.identity) throw userChanged();
    owner.accessToken = text;
    return owner;
  }

  async function revoke(): Promise<void> {
    if (!left) {
      session?.signOut();
      leave(false);
    }
    const mine = left;
    if (!mine) return;
    leaver = mine.session;
    if (mine.session) {
      // Where the page has forgotten its user already, the last access token still may revoke.
      await renewForSignOut(mine.session, { refresh: false }).catch(() => undefined);
    } else {
      const text = await accessToken(false);
      mine.session = newSession(identityOf(text), text);
      mine.session.signOut();
    }
    await mine.session.revoke();
    mine.confirmed = true;
  }

  async function ask(): Promise<string> {
    if (disposed) throw disposedError();
    let current: Session;
    try {
      current = await enter({ refresh: false });
    } catch (error) {
      if (!(error instanceof TokenError) || error.code !== 'access-token') throw error;
      if (left) throw signedOut();
      // Nobody can tell who is signed in; a single failed renewal must not end a healthy embed.
      if (session) return session.fallBack(error);
      publish({ status: 'failed', error });
      throw error;
    }
    // A sign-out that is under way would revoke what is minted now.
    if (leaving && (leaver === undefined || leaver.identity === current.identity)) await leaving.catch(() => undefined);
    return current.token();
  }

  return {
    getAuthToken: ({ signal } = {}) => (signal ? heeding(signal, ask()) : ask()),
    async retry() {
      const failing = session;
      if (failing && state.status === 'stale') {
        await enter({ refresh: false }).catch(() => undefined);
        await failing.retry();
      } else await ask().catch(() => undefined);
    },
    signOut() {
      if (left?.confirmed) return Promise.resolve();
      leaving ??= revoke().finally(() => (leaving = undefined));
      return leaving;
    },
    signIn() {
      newestAnswer = asked += 1;
      left = undefined;
      forget(userChanged());
      publish({ status: 'idle' });
    },
    subscribe(listener) {
      listeners.add(listener);
      tell(listener, state);
      return () => listeners.delete(listener);
    },
    dispose() {
      disposed = true;
      session?.end(disposedError());
      session = undefined;
      listeners.clear();
    },
  };
}

const disposedError = () => new TokenError('disposed', 'This token provider was disposed of.');

function shown({ status, held, error }: SessionState): TokenState {
  const problem = error === undefined ? {} : { error };
  if (held === undefined) return { status, ...problem };
  const { token: _, ...facts } = held;
  return { status, ...facts, ...problem };
}

/** A listener that throws is the page's own fault, and must not stop the client. */
function tell<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}

function heeding<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new TokenError('aborted', 'The caller gave up.', { cause: signal.reason }));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
