/**
 * The token of one person under one grant, from sign-in to sign-out. A session belongs to one identity for ever: another
 * user gets another session, and whatever is still under way for this one is thrown away.
 */
import type { Post } from './broker.ts';
import { clearSdk, isDead, tokenOfSdk } from './embed-sdk.ts';
import { type HeldToken, parseToken, servableUntil } from './held-token.ts';
import { sleep } from './time-limit.ts';
import { joinTabs, type Tabs } from './tabs.ts';
import { backOff, isBrief, isRefusal, mayPass, signedOut, TokenError, wantsNewAccessToken } from './token-error.ts';

/**
 * How long a caller without any token is kept waiting while the broker is busy or out of reach, and the longest wait between
 * two attempts in the background, ms.
 */
const PATIENCE_MS = 60_000;
/** Refreshes are at least this far apart, whatever `refreshAfter` says, ms. */
const LEAST_BETWEEN_MS = 5_000;
/** A timer of more than 2^31 ms fires at once, so no timer is set for longer than this, ms. */
const LONGEST_TIMER_MS = 3_600_000;
/** Embeds of one page ask one after the other. For so long the token that the first one got is taken to be new, ms. */
const WAVE_MS = 60_000;

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

export interface SessionWorld {
  readonly endpoint: string;
  readonly grant: string | undefined;
  readonly timeoutMs: number;
  readonly send: typeof fetch;
  readonly post: Post;
  /** Makes sure that this session still is the page's. Rejects with TokenError if it is not, or if nobody can tell. */
  enter(refresh: boolean): Promise<unknown>;
  publish(state: TokenState): void;
  /** Another tab, or another provider of this page, signed the user out. */
  onSignedOut(): void;
}

export interface Session {
  readonly identity: string;
  /** The page's newest access token for this identity. */
  accessToken: string;
  /**
   * A token for the embed SDK; see TokenProvider. `again`: ask the broker although the token is young. `problem`: the page
   * could not say who is signed in, so that there is only what is held.
   */
  token(again: boolean, problem?: TokenError): Promise<string>;
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
  /** The request that is under way, its retries included. */
  let flight: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended: TokenError | undefined;
  /** The lease whose token has to be replaced: no answer that names it will do. */
  let unwanted: string | undefined;
  let failures = 0;
  let lastAnswerAt = 0;
  /** From when on a newer token is asked for in the background, epoch ms. */
  let dueAt = Infinity;
  /** The token that went to an embed in place of another one, and when. */
  let wave: { readonly leaseId: string; readonly since: number } | undefined;
  let endWith: (reason: TokenError) => void = () => undefined;
  const over = new Promise<never>((_, reject) => (endWith = reject));
  over.catch(() => undefined);

  const tabs: Tabs = joinTabs(endpoint, grant ?? '', identity, timeoutMs, {
    token(token) {
      if (!ended && ![held?.leaseId, unwanted].includes(token.leaseId) && token.expiresAt >= (held?.expiresAt ?? 0))
        hold(token);
    },
    current: () => (isServable() ? held : undefined),
    signedOut: () => world.onSignedOut(),
  });
  const throwIfEnded = (): void => {
    if (ended) throw ended;
  };
  const isServable = (): boolean => Date.now() < servableUntil(held);
  const isYoung = (): boolean =>
    held?.leaseId !== unwanted &&
    (Date.now() < (held?.refreshAfter ?? 0) || (isServable() && Date.now() < lastAnswerAt + LEAST_BETWEEN_MS));

  function publish(status: TokenState['status'], error?: TokenError): void {
    if (ended) return;
    const { token: _, ...facts } = status === 'live' || status === 'stale' ? (held ?? {}) : {};
    world.publish({ status, ...facts, ...(error && { error }) });
  }

  function hold(next: HeldToken): void {
    held = next;
    failures = 0;
    unwanted = undefined;
    publish('live');
    // Jitter keeps many pages, opened in the same minute, from asking in the same second.
    const life = Math.max(0, servableUntil(next) - next.refreshAfter);
    schedule(next.refreshAfter + Math.random() * Math.min(life / 2, 10_000));
  }

  function schedule(at: number): void {
    clearTimeout(timer);
    dueAt = Math.max(at, lastAnswerAt + LEAST_BETWEEN_MS);
    timer = setTimeout(wake, Math.min(dueAt - Date.now(), LONGEST_TIMER_MS));
  }

  /** Runs when the timer fires, and when a page wakes: timers stand still while a computer sleeps, the clock does not. */
  function wake(): void {
    if (ended || document.visibilityState === 'hidden') return;
    if (Date.now() < dueAt) schedule(dueAt);
    else void refresh();
  }

  /** A network that is back, or a page that is seen again, is worth an attempt before its time. */
  function wakeNow(): void {
    if (failures > 0 && dueAt < Infinity) schedule(Date.now());
    wake();
  }
  addEventListener('visibilitychange', wakeNow, true);
  addEventListener('online', wakeNow);

  async function refresh(): Promise<void> {
    try {
      await world.enter(false);
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
    const wait = backOff(problem, failures + 1, PATIENCE_MS);
    const end = isServable() ? servableUntil(held) : Infinity;
    schedule(mayPass(problem) ? Math.min(Date.now() + wait, end) : Infinity);
    publish(status, problem);
  }

  /** One request at a time. Resolves once a token is held that will do. */
  async function newest(): Promise<void> {
    await join();
    // The request that was under way may not have known that this token will not do.
    if (held && held.leaseId === unwanted) await join();
  }

  function join(): Promise<void> {
    flight ??= fetchToken()
      .catch((error: TokenError) => {
        if (!ended) fail(error);
        throw error;
      })
      .finally(() => (flight = undefined));
    return Promise.race([flight, over]);
  }

  async function fetchToken(): Promise<void> {
    throwIfEnded();
    if (!isServable()) publish('fetching');
    // Fields that are undefined are not sent.
    const body = { grant, replace: unwanted };
    await insist(isServable() ? 0 : PATIENCE_MS, over, async () => {
      if (held === undefined) await tabs.askForToken();
      // Another tab may have got a token while this one waited for its turn.
      if (ended || (held && isYoung())) return;
      const next = parseToken(await post('/gettoken', session.accessToken, body));
      if (ended) return;
      lastAnswerAt = Date.now();
      hold(next);
      tabs.tell({ token: next });
    });
    throwIfEnded();
  }

  /** Repeats `attempt`, each in turn with other tabs, until it succeeds, `patienceMs` have passed or `stop` settles. */
  async function insist(patienceMs: number, stop: Promise<never> | undefined, attempt: () => Promise<unknown>) {
    const giveUpAt = Date.now() + patienceMs;
    for (let attempts = 0, renewed = false; ; attempts += 1) {
      try {
        return void (await tabs.alone(attempt));
      } catch (problem) {
        if (!(problem instanceof TokenError) || (stop && ended)) throw problem;
        const renews = wantsNewAccessToken(problem);
        // After a sign-out an access token that is issued at once does not count yet.
        const delay = renews ? (problem.retryAfterMs ?? 0) : backOff(problem, attempts, 8_000);
        if (renews ? renewed : !isBrief(problem) || Date.now() + delay > giveUpAt) throw problem;
        if (delay) await Promise.race([sleep(delay), stop ?? sleep(delay)]);
        if (renews)
          await world.enter((renewed = true)).catch((error: TokenError) => {
            // No newer access token: what the broker said of the last one stands.
            throw error.code === 'access-token' ? problem : error;
          });
      }
    }
  }

  /** The SDK holds ours and asks again. Mostly ThoughtSpot wants another one, and sometimes a second embed asks. */
  async function hasToBeReplaced(token: HeldToken): Promise<boolean> {
    if (tokenOfSdk() !== token.token) return false;
    if (wave?.leaseId !== token.leaseId || Date.now() >= wave.since + WAVE_MS) return true;
    return isDead(token.token, world.send, timeoutMs);
  }

  /** `token` goes to the embed SDK: a wave begins where it takes the place of another one. */
  function give({ token, leaseId }: HeldToken): string {
    if ((tokenOfSdk() ?? token) !== token && wave?.leaseId !== leaseId) wave = { leaseId, since: Date.now() };
    return token;
  }

  const session: Session = {
    identity,
    accessToken,
    async token(again, problem) {
      const asked = held;
      if (asked && (await hasToBeReplaced(asked))) unwanted = asked.leaseId;
      throwIfEnded();
      if (problem) fail(problem);
      else if (!again && held && isYoung()) return give(held);
      else problem = (await newest().catch((error: TokenError) => error)) as TokenError | undefined;
      if (problem) {
        // ThoughtSpot may lock accounts that present dead tokens.
        const last = held;
        if (last && last.leaseId === unwanted && (await isDead(last.token, world.send, timeoutMs)) && held === last) {
          held = undefined;
          publish('failed', problem);
        }
        if (!isServable()) throw ended ?? problem;
      }
      throwIfEnded();
      if (!held) throw signedOut();
      return give(held);
    },
    end(reason) {
      if (ended) return;
      ended = reason;
      held = undefined;
      clearTimeout(timer);
      removeEventListener('visibilitychange', wakeNow, true);
      removeEventListener('online', wakeNow);
      tabs.close();
      endWith(reason);
    },
    signOut() {
      tabs.tell({ signedOut: true });
      session.end(signedOut());
    },
    async revoke() {
      // A mint in progress must be answered first, or its token would outlive the revocation. In this tab we wait for it;
      // for other tabs we take the lock.
      await flight?.catch(() => undefined);
      await insist(PATIENCE_MS, undefined, () => post('/revoketoken', session.accessToken, {}));
    },
  };
  return session;
}
