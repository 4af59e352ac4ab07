/**
 * The token of one person under one grant, from sign-in to sign-out. A session belongs to one identity for ever: another
 * user gets another session, and whatever is still under way for this one is thrown away.
 */
import type { Post } from './broker.ts';
import { clearSdk, isAccepted, tokenOfSdk } from './embed-sdk.ts';
import { type HeldToken, parseToken, servableUntil } from './held-token.ts';
import { joinTabs, type Tabs } from './tabs.ts';
import { isRefusal, jittered, mayPass, retryDelay, signedOut, TokenError, wantsNewAccessToken } from './token-error.ts';

/** How long a caller without any token is kept waiting while the broker is busy or out of reach, ms. */
const PATIENCE_MS = 60_000;
/** Refreshes are at least this far apart, whatever `refreshAfter` says, ms. */
const LEAST_BETWEEN_MS = 5_000;
/** The longest wait between two attempts in the background, ms. */
const LONGEST_WAIT_MS = 60_000;
/** A timer of more than 2^31 ms fires at once, so no timer is set for longer than this, ms. */
const LONGEST_TIMER_MS = 3_600_000;
/** Embeds of one page ask one after the other. For so long the token that the first one got is taken to be new, ms. */
const WAVE_MS = 60_000;

export interface SessionState {
  readonly status: 'fetching' | 'live' | 'stale' | 'failed' | 'sign-in-required';
  readonly held?: HeldToken | undefined;
  readonly error?: TokenError;
}

export interface SessionWorld {
  readonly endpoint: string;
  readonly grant: string | undefined;
  readonly timeoutMs: number;
  readonly send: typeof fetch;
  readonly post: Post;
  /** Makes sure that this session still is the page's. Rejects with TokenError if it is not, or if nobody can tell. */
  enter(options: { readonly refresh: boolean }): Promise<unknown>;
  publish(state: SessionState): void;
  /** Another tab, or another provider of this page, signed the user out. */
  onSignedOut(): void;
}

export interface Session {
  readonly identity: string;
  /** The page's newest access token for this identity. */
  accessToken: string;
  /** A token for the embed SDK; see TokenProvider. */
  token(): Promise<string>;
  /** Asks again unless the token is young. Never rejects: the state tells. */
  retry(): Promise<void>;
  /** What `token` gives where the page could not say who is signed in: the token that is held, or `problem`. */
  fallBack(problem: TokenError): Promise<string>;
  /** Ends the session: whoever waits gets `reason`. */
  end(reason: TokenError): void;
  /** Ends the session in every tab, and for every grant. */
  signOut(): void;
  /** Waits for what is under way, then revokes every token of this user at the broker. */
  revoke(): Promise<void>;
}

export function makeSession(identity: string, accessToken: string, world: SessionWorld): Session {
  const { endpoint, grant, timeoutMs, post } = world;
  let held: HeldToken | undefined;
  /** The request that is under way, its retries included: `flight` for those who wait, `work` for the sign-out. */
  let flight: Promise<void> | undefined;
  let work: Promise<void> | undefined;
  let abandon: (reason: TokenError) => void = () => undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended: TokenError | undefined;
  let failures = 0;
  let lastAnswerAt = -Infinity;
  /** From when on a newer token is asked for in the background, epoch ms; undefined: not by itself. */
  let dueAt: number | undefined;
  /** The token that went to an embed in place of another one, and when. */
  let wave: { readonly leaseId: string; readonly since: number } | undefined;
  const controller = new AbortController();

  const tabs: Tabs = joinTabs(
    { endpoint, grant: grant ?? '', identity, timeoutMs },
    {
      token(token) {
        if (!ended && token.leaseId !== held?.leaseId && token.expiresAt >= (held?.expiresAt ?? 0)) hold(token);
      },
      current: () => (isServable() ? held : undefined),
      signedOut: () => world.onSignedOut(),
    },
  );
  const throwIfEnded = (): void => {
    if (ended) throw ended;
  };
  const isServable = (): boolean => held !== undefined && Date.now() < servableUntil(held);
  const isYoung = (): boolean =>
    held !== undefined &&
    (Date.now() < held.refreshAfter || (isServable() && Date.now() < lastAnswerAt + LEAST_BETWEEN_MS));

  function hold(next: HeldToken): void {
    held = next;
    failures = 0;
    world.publish({ status: 'live', held });
    // Jitter keeps many pages, opened in the same minute, from asking in the same second.
    const life = Math.max(0, servableUntil(next) - next.refreshAfter);
    schedule(next.refreshAfter + Math.random() * Math.min(life / 2, 10_000));
  }

  function schedule(at: number | undefined): void {
    clearTimeout(timer);
    dueAt = at === undefined ? undefined : Math.max(at, lastAnswerAt + LEAST_BETWEEN_MS);
    if (dueAt !== undefined) timer = setTimeout(wake, Math.min(Math.max(0, dueAt - Date.now()), LONGEST_TIMER_MS));
  }

  /** Runs when the timer fires, and when a page wakes: timers stand still while a computer sleeps, the clock does not. */
  function wake(): void {
    if (ended || dueAt === undefined || globalThis.document?.visibilityState === 'hidden') return;
    if (Date.now() < dueAt) schedule(dueAt);
    else void refresh();
  }

  /** A network that is back, or a page that is seen again, is worth an attempt before its time. */
  function wakeNow(): void {
    if (failures > 0 && dueAt !== undefined) schedule(Date.now());
    wake();
  }
  globalThis.addEventListener?.('visibilitychange', wakeNow, true);
  globalThis.addEventListener?.('online', wakeNow);

  async function refresh(): Promise<void> {
    try {
      await world.enter({ refresh: false });
    } catch (error) {
      if (!ended && error instanceof TokenError) fail(error);
      return;
    }
    await newest().catch(() => undefined);
  }

  /** Says what is left after a failure, and when the next attempt is made. */
  function fail(problem: TokenError): void {
    failures += 1;
    lastAnswerAt = Date.now();
    if (isRefusal(problem)) {
      held = undefined;
      clearSdk();
    }
    const status = isServable() ? 'stale' : problem.status === 401 ? 'sign-in-required' : 'failed';
    const wait = Math.max(problem.retryAfterMs ?? 0, jittered(Math.min(1_000 * 2 ** failures, LONGEST_WAIT_MS)));
    const end = isServable() && held ? servableUntil(held) : Infinity;
    schedule(mayPass(problem) ? Math.min(Date.now() + wait, end) : undefined);
    world.publish({ status, held: status === 'stale' ? held : undefined, error: problem });
  }

  /** One request at a time; `replace`: the lease whose token will not do. Resolves once another token is held. */
  async function newest(replace?: string): Promise<void> {
    await join(replace);
    // The request that was under way may not have known that this token will not do.
    if (replace !== undefined && held?.leaseId === replace) await join(replace);
  }

  function join(replace: string | undefined): Promise<void> {
    flight ??= new Promise((resolve, reject) => {
      abandon = reject;
      work = fetchToken(replace)
        .catch((error: TokenError) => {
          if (!ended) fail(error);
          reject(error);
        })
        .then(() => {
          flight = undefined;
          resolve();
        });
    });
    return flight;
  }

  async function fetchToken(replace: string | undefined): Promise<void> {
    throwIfEnded();
    if (!isServable()) world.publish({ status: 'fetching' });
    const body = { ...(grant === undefined ? {} : { grant }), ...(replace === undefined ? {} : { replace }) };
    await insist(isServable() ? 0 : PATIENCE_MS, controller.signal, async () => {
      if (held === undefined) await tabs.askForToken();
      // Another tab may have got a token while this one waited for its turn.
      if (ended || (held && held.leaseId !== replace && isYoung())) return;
      const next = parseToken(await post('/gettoken', session.accessToken, body));
      if (ended) return;
      lastAnswerAt = Date.now();
      hold(next);
      tabs.share(next);
    });
    throwIfEnded();
  }

  /** Repeats `attempt`, each in turn with other tabs, until it succeeds or `patienceMs` are over; then rejects. */
  async function insist(patienceMs: number, stop: AbortSignal | undefined, attempt: () => Promise<unknown>) {
    const giveUpAt = Date.now() + patienceMs;
    for (let attempts = 0, renewed = false; ; attempts += 1) {
      try {
        return void (await tabs.alone(attempt));
      } catch (problem) {
        if (!(problem instanceof TokenError) || stop?.aborted) throw problem;
        if (wantsNewAccessToken(problem) && !renewed) {
          renewed = true;
          await world.enter({ refresh: true }).catch((error: TokenError) => {
            // No newer access token: what the broker said of the last one stands.
            throw error.code === 'access-token' ? problem : error;
          });
          continue;
        }
        const delay = retryDelay(problem, attempts);
        if (delay === undefined || Date.now() + delay > giveUpAt) throw problem;
        await pause(delay, stop);
      }
    }
  }

  /** The SDK holds ours and asks again. Mostly ThoughtSpot wants another one, and sometimes a second embed asks. */
  async function hasToBeReplaced(token: HeldToken): Promise<boolean> {
    if (tokenOfSdk() !== token.token) return false;
    if (wave?.leaseId !== token.leaseId || Date.now() >= wave.since + WAVE_MS) return true;
    return (await isAccepted(token.token, world.send, timeoutMs)) === false;
  }

  /** `token` goes to the embed SDK: a wave begins where it takes the place of another one. */
  function give({ token, leaseId }: HeldToken): string {
    const before = tokenOfSdk();
    if (before !== undefined && before !== token && wave?.leaseId !== leaseId) wave = { leaseId, since: Date.now() };
    return token;
  }

  /** The token that is held, although `problem` came up; `replace`: the embed SDK wants another one. */
  async function giveDespite(problem: TokenError, replace: string | undefined): Promise<string> {
    if (!ended && held && isServable()) {
      // ThoughtSpot may lock accounts that present dead tokens.
      const dead = held.leaseId === replace && (await isAccepted(held.token, world.send, timeoutMs)) === false;
      if (!ended && !dead && held) return give(held);
    }
    throw ended ?? problem;
  }

  const session: Session = {
    identity,
    accessToken,
    async token() {
      const replace = held && (await hasToBeReplaced(held)) ? held.leaseId : undefined;
      throwIfEnded();
      if (held && held.leaseId !== replace && isYoung()) return give(held);
      const problem = await newest(replace).then(
        () => undefined,
        (error: TokenError) => error,
      );
      if (problem) return giveDespite(problem, replace);
      if (ended || !held) throw ended ?? signedOut();
      return give(held);
    },
    async retry() {
      if (!isYoung()) await newest().catch(() => undefined);
    },
    async fallBack(problem) {
      const replace = held && (await hasToBeReplaced(held)) ? held.leaseId : undefined;
      if (!ended) fail(problem);
      return giveDespite(problem, replace);
    },
    end(reason) {
      if (ended) return;
      ended = reason;
      held = undefined;
      clearTimeout(timer);
      globalThis.removeEventListener?.('visibilitychange', wakeNow, true);
      globalThis.removeEventListener?.('online', wakeNow);
      tabs.close();
      controller.abort();
      abandon(reason);
    },
    signOut() {
      tabs.signOut();
      session.end(signedOut());
    },
    async revoke() {
      // A mint in progress must be answered first, or its token would outlive the revocation. In this tab we wait for it;
      // for other tabs we take the lock.
      await work;
      await insist(PATIENCE_MS, undefined, () => post('/revoketoken', session.accessToken, {}));
    },
  };
  return session;
}

/** Waits, but not beyond the end of the session. */
function pause(ms: number, stop: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
