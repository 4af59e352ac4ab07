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
import { makeSession, type Session, type TokenState } from './session.ts';
import { within } from './time-limit.ts';
import { signedOut, TokenError, userChanged } from './token-error.ts';

/** The version of this package. */
export const VERSION = '1.0.0';

export type { TokenState } from './session.ts';
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
  /** From a sign-out until somebody signs in, `session` is the one that has ended; `confirmed`: the broker has revoked. */
  let away = false;
  let confirmed = false;
  /** The sign-outs that are under way, each by its session. */
  const leaving = new Map<Session | undefined, Promise<void>>();
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
    let cause: unknown;
    try {
      const text: unknown = await within(timeoutMs, () => options.getAccessToken({ refresh }));
      if (typeof text === 'string' && text !== '') return text;
    } catch (error) {
      cause = error;
    }
    throw new TokenError('access-token', undefined, { cause });
  }

  /** The session of the user who is signed in now: the page may have changed the user without telling. */
  async function enter(refresh: boolean): Promise<Session> {
    const ask = (asked += 1);
    const text = await accessToken(refresh);
    if (disposed) throw new TokenError('disposed');
    const identity = identityOf(text);
    const same = session?.identity === identity;
    if (!same && ask < newestAnswer) throw userChanged();
    if (away && (same || !isKnown(identity) || !isKnown(session?.identity))) throw signedOut();
    newestAnswer = Math.max(newestAnswer, ask);
    if (!session || !same) {
      if (session) forget(userChanged(), 'idle');
      away = false;
      session = newSession(identity, text);
    }
    session.accessToken = text;
    return session;
  }

  function newSession(identity: string, text: string): Session {
    const isCurrent = () => session === made && !away;
    const made: Session = makeSession(identity, text, {
      endpoint,
      grant,
      timeoutMs,
      send,
      post,
      enter: (refresh) => (isCurrent() ? enter(refresh) : renew(made, refresh)),
      publish,
      onSignedOut() {
        if (isCurrent()) leave();
      },
    });
    return made;
  }

  function forget(reason: TokenError, status: 'idle' | 'signed-out'): void {
    session?.end(reason);
    clearSdk();
    publish({ status });
  }

  function leave(): void {
    away = true;
    confirmed = false;
    forget(signedOut(), 'signed-out');
  }

  /** Takes the page's access token if it still is that user's: nobody else's tokens may be revoked in their place. */
  async function renew(owner: Session, refresh: boolean): Promise<void> {
    const text = await accessToken(refresh);
    if (identityOf(text) === owner.identity) owner.accessToken = text;
  }

  async function revoke(leaver: Session | undefined): Promise<void> {
    if (!away) {
      leaver?.signOut();
      leave();
    }
    if (leaver) {
      // Where the page has forgotten its user already, the last access token still may revoke.
      await renew(leaver, false).catch(() => undefined);
    } else {
      const text = await accessToken(false);
      leaver = newSession(identityOf(text), text);
      leaver.signOut();
      session ??= leaver;
    }
    await leaver.revoke();
    if (session === leaver) confirmed = true;
  }

  async function ask(again = false): Promise<string> {
    let current: Session;
    try {
      current = await enter(false);
    } catch (error) {
      if (!(error instanceof TokenError) || error.code !== 'access-token') throw error;
      if (away) throw signedOut();
      // Nobody can tell who is signed in; a single failed renewal must not end a healthy embed.
      if (session) return session.token(again, error);
      publish({ status: 'failed', error });
      throw error;
    }
    // A sign-out of the same person that is under way would revoke what is minted now.
    for (const [leaver = current, work] of leaving) {
      if (leaver.identity === current.identity) await work.catch(() => undefined);
    }
    return current.token(again);
  }

  return {
    getAuthToken: ({ signal } = {}) => (signal ? heeding(signal, ask()) : ask()),
    async retry() {
      await ask(true).catch(() => undefined);
    },
    async signOut() {
      if (away && confirmed) return;
      const leaver = session;
      const work = leaving.get(leaver) ?? revoke(leaver).finally(() => leaving.delete(leaver));
      leaving.set(leaver, work);
      await work;
    },
    signIn() {
      newestAnswer = asked += 1;
      away = false;
      forget(userChanged(), 'idle');
      session = undefined;
    },
    subscribe(listener) {
      listeners.add(listener);
      tell(listener, state);
      return () => listeners.delete(listener);
    },
    dispose() {
      disposed = true;
      session?.end(new TokenError('disposed'));
      listeners.clear();
    },
  };
}

/** A listener that throws is the page's own fault, and must not stop the client. */
function tell<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch (error) {
    console.warn(error);
  }
}

function heeding<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const gone = new Promise<never>((_, reject) => {
    const stop = () => reject(new TokenError('aborted', undefined, { cause: signal.reason }));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  return Promise.race([work, gone]);
}
