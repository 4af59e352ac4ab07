import type { Clock, Credential } from '../broker/ports.ts';
import { Failure } from '../broker/failure.ts';
import { type Dialect, outcomeOf } from './dialect.ts';
import type { Call } from './retry.ts';

type PasswordCredential = Extract<Credential, { readonly kind: 'password' }>;

/** A session of the service account. `fresh`: it was made by this very call, so a refusal is not for its age. */
export interface Session {
  readonly bearer: string;
  readonly fresh: boolean;
}

export interface ServiceSession {
  /** The session that is kept, or a new one; throws Failure. One login is in flight for all that wait. */
  open(credential: PasswordCredential, deadline: number): Promise<Session>;
  /** ThoughtSpot refused it: the next `open` logs in again. */
  forget(bearer: string): void;
  /** The bearer that is kept, if any; it is forgotten. */
  take(): string | undefined;
}

/** A session is left alone this long before its end, ms. */
const MARGIN_MS = 30_000;

/** Logs the service account in once and keeps the session for its life, for a dialect that mints with a session. */
export function makeServiceSession(dialect: Dialect, call: Call, clock: Clock): ServiceSession {
  let kept: { readonly bearer: string; readonly version: string; readonly until: number } | undefined;
  let login: { readonly version: string; readonly done: Promise<string> } | undefined;

  async function logIn(credential: PasswordCredential, deadline: number): Promise<string> {
    const input = { userName: credential.userName, password: credential.password() };
    const startedAt = clock.now();
    const exchange = await call(dialect.login.encode(input), 'mint', deadline);
    const outcome = outcomeOf(dialect.login, input, exchange, { name: dialect.name, nowMs: clock.now() });
    if ('rejection' in outcome) throw outcome.rejection.failure;
    const { value } = outcome;
    if (value === 'cookie-session')
      throw new Failure('upstream-invalid', { reason: 'ThoughtSpot answered the login without a token' });
    kept = {
      bearer: value.token,
      version: credential.version,
      until: startedAt + value.longestLifetimeMs - MARGIN_MS,
    };
    return value.token;
  }

  return {
    async open(credential, deadline) {
      const { version } = credential;
      if (kept?.version === version && clock.now() < kept.until) return { bearer: kept.bearer, fresh: false };
      if (login?.version !== version) {
        const started = { version, done: logIn(credential, deadline) };
        login = started;
        const finish = (): void => {
          if (login === started) login = undefined;
        };
        started.done.then(finish, finish);
      }
      return { bearer: await login.done, fresh: true };
    },
    forget(bearer) {
      if (kept?.bearer === bearer) kept = undefined;
    },
    take() {
      const bearer = kept?.bearer;
      kept = undefined;
      return bearer;
    },
  };
}
