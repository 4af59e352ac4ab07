import type { Clock, Credential } from '../broker/ports.ts';
import { Failure } from '../broker/failure.ts';
import type { Dialect } from './dialects/dialect.ts';
import { lossOf } from './rejection.ts';
import type { Call } from './retry.ts';

type PasswordCredential = Extract<Credential, { readonly kind: 'password' }>;

/** A session of the service account. `fresh`: it was made by this very call, so a refusal is not for its age. */
export interface Session {
  readonly bearer: string;
  readonly fresh: boolean;
}

export interface ServiceSession {
  /** The session that is kept, or a new one; throws Failure. One login in flight, whoever waits. */
  open(credential: PasswordCredential, deadline: number): Promise<Session>;
  /** ThoughtSpot refused it: the next `open` logs in anew. */
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
    const parts = dialect.login.encode(input);
    const exchange = await call(parts, 'mint', deadline);
    if (exchange.kind === 'lost') throw lossOf(exchange, `${parts.method} ${parts.path}`).failure;
    const decoded = dialect.login.decode(exchange.reply, input, clock.now());
    if (!decoded.ok) throw decoded.rejection.failure;
    const { token, lifetimeMs = Number.POSITIVE_INFINITY } = decoded.value;
    if (token === undefined)
      throw new Failure('upstream-invalid', { reason: 'ThoughtSpot answered the login without a token' });
    kept = { bearer: token, version: credential.version, until: startedAt + lifetimeMs - MARGIN_MS };
    return token;
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
