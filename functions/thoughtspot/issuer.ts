import { Failure } from '../broker/failure.ts';
import type {
  Clock,
  Credential,
  CredentialSource,
  Grant,
  Log,
  MintOutcome,
  ServiceSession,
  ServiceSessions,
  SessionIssuer,
} from '../broker/ports.ts';
import { auth20 } from './dialects/auth-2-0.ts';
import { DAY_MS, type Dialect, type GettokenInput } from './dialects/dialect.ts';
import { sessionV2 } from './dialects/session-v2.ts';
import { defined } from './json-fields.ts';
import type { Rejection } from './rejection.ts';
import { makePerform, type CallDeps, type Perform } from './retry.ts';
import { makeTransport, originOf } from './transport.ts';

export const DIALECTS = { 'auth-2.0': auth20, 'session-v2': sessionV2 };

export interface SessionIssuerDeps extends Omit<CallDeps, 'transport'> {
  /** Origin of the cluster, such as https://acme.thoughtspot.cloud. */
  readonly host: string;
  readonly credentials: CredentialSource;
  readonly log: Log;
  /** Absent in a function that does not mint. */
  readonly sessions?: ServiceSessions;
}

export type ThoughtSpotIssuer = SessionIssuer & {
  /** Connects ahead of the first call, without a request: nothing counts against ThoughtSpot's rate limit. */
  warm(): Promise<void>;
  /** Ends the service account's session, where there is one, and the connections. */
  close(): Promise<void>;
};

const NO_SESSIONS: ServiceSessions = {
  open: () => Promise.reject(new Failure('misconfigured', { reason: 'this function mints nothing' })),
  close: () => Promise.resolve(),
};

/** Time to end the service account's session in at shutdown, ms: Lambda grants 500 to 2,000. */
const GOODBYE_MS = 400;

/**
 * ThoughtSpot as the broker's SessionIssuer. Throws Failure `misconfigured` if the host is not one. docs/architecture.md has
 * the table of what becomes of a mint, by what happened, and whether it is sent again.
 */
export function makeSessionIssuer(deps: SessionIssuerDeps): ThoughtSpotIssuer {
  const { credentials, clock, signals, log } = deps;
  const dialect = DIALECTS[deps.dialect];
  const transport = makeTransport(originOf(deps.host), () => clock.now());
  const perform = makePerform({ ...deps, transport });
  const session = makeServiceSession(dialect, perform, deps.sessions ?? NO_SESSIONS, clock);

  async function mintWith(credential: Credential, grant: Grant, deadline: number): Promise<MintOutcome> {
    const reason = dialect.unsupported(grant, credential);
    if (reason !== undefined) return notMinted(new Failure('misconfigured', { reason }));
    const input = inputOf(credential, grant);
    if (!dialect.mintsWithSession || credential.kind !== 'password') return mintOnce(input, deadline);
    const { bearer, fresh } = await session.open(credential, grant, issuer, deadline);
    const outcome = await mintOnce({ ...input, bearer }, deadline);
    // How the beta refuses a session that has ended is documented for 500 only: any other refusal may be that.
    if (!isRefused(outcome) && !(outcome.outcome === 'not-minted' && outcome.failure.code === 'upstream-invalid'))
      return outcome;
    await session.forget(bearer, deadline);
    if (fresh) return outcome;
    const next = await session.open(credential, grant, issuer, deadline);
    return mintOnce({ ...input, bearer: next.bearer }, deadline);
  }

  async function mintOnce(input: GettokenInput, deadline: number): Promise<MintOutcome> {
    const startedAt = clock.now();
    const outcome = await perform(dialect.gettoken, input, writes(input) ? 'mint-writes' : 'mint', deadline);
    if (!outcome.ok) return { outcome: outcome.certain ? 'not-minted' : 'unknown', failure: failureOf(outcome, input) };
    const minted = outcome.value;
    const offsetMs = (minted.createdAt ?? 0) - (startedAt + clock.now()) / 2;
    if (minted.createdAt !== undefined && Math.abs(offsetMs) >= 1_000)
      signals.emit('upstream-clock-offset', offsetMs / 1_000);
    return { outcome: 'minted', minted };
  }

  async function mintWithAny(grant: Grant, deadline: number): Promise<MintOutcome> {
    const credential = await credentials.current(deadline);
    const outcome = await mintWith(credential, grant, deadline).catch(notMinted);
    if (!isRefused(outcome)) return outcome;
    const replacement = await credentials.replacementFor(credential, deadline).catch((error: unknown) => {
      if (error instanceof Failure) return undefined;
      throw error;
    });
    return replacement === undefined ? outcome : mintWith(replacement, grant, deadline);
  }

  const issuer: ThoughtSpotIssuer = {
    async mint(grant, deadline) {
      const outcome = await mintWithAny(grant, deadline).catch(notMinted);
      if (outcome.outcome === 'minted') return outcome;
      if (isRefused(outcome)) signals.emit('upstream-credential-refused');
      const { code, reason } = outcome.failure;
      log.warn('mint failed', { outcome: outcome.outcome, code, reason, kind: grant.rights.kind, orgId: grant.orgId });
      return outcome;
    },

    async revoke(token, user, deadline) {
      const outcome = await perform(dialect.revoketoken, { bearer: token, userName: user }, 'idempotent', deadline);
      if (!outcome.ok) return { outcome: 'retry', failure: outcome.failure };
      return { outcome: outcome.value === 'not-accepted' ? 'not-accepted' : 'dead' };
    },

    async sessionInfo(token, deadline) {
      const outcome = await perform(dialect.sessionInfo, { bearer: token }, 'idempotent', deadline);
      if (!outcome.ok) throw outcome.failure;
      return outcome.value === 'not-accepted' ? undefined : outcome.value;
    },

    warm: () => transport.warm(),
    async close() {
      await session.close(issuer, clock.now() + GOODBYE_MS);
      await transport.close();
    },
  };
  return issuer;
}

/**
 * What ThoughtSpot answers for an object that it does not have, or not for this user, is not documented. Where the caller
 * chose the object, it is all in the request that the policy did not choose: a refusal of ThoughtSpot that is neither
 * about the user nor about trusted authentication is then about the object.
 */
function failureOf({ failure, judged }: Rejection, { callersObject }: GettokenInput): Failure {
  const { code, reason } = failure;
  if (callersObject !== true || code !== 'upstream-refused' || judged !== true) return failure;
  return new Failure('object-not-available', defined({ reason }));
}

/** Failures that are thrown on the way to a mint, by the credential's source or a login, come before it was sent. */
function notMinted(failure: unknown): MintOutcome {
  if (failure instanceof Failure) return { outcome: 'not-minted', failure };
  throw failure;
}

function isRefused(outcome: MintOutcome): boolean {
  return outcome.outcome === 'not-minted' && outcome.failure.code === 'upstream-credential-refused';
}

/** Whether a mint changes the user at ThoughtSpot: then sending it twice is not the same as once. */
function writes({ provisioning, rights }: GettokenInput): boolean {
  return provisioning !== null || (rights.kind === 'custom' && rights.persist !== 'NONE');
}

function inputOf(credential: Credential, grant: Grant): GettokenInput {
  if (credential.kind === 'password') return { ...grant, proof: { password: credential.password() } };
  return { ...grant, proof: { secretKey: credential.secretKeyFor(grant.orgId) } };
}

type PasswordCredential = Extract<Credential, { readonly kind: 'password' }>;

/** Keeps the session of the service account for its life, for a dialect that mints with a session. */
function makeServiceSession({ login }: Dialect, perform: Perform, sessions: ServiceSessions, clock: Clock) {
  let kept: (ServiceSession & { readonly version: string }) | undefined;
  let inFlight: { readonly version: string; readonly session: Promise<ServiceSession> } | undefined;

  /** As a mint: a login may have made a session although its answer is lost, or holds none. */
  async function logIn(credential: PasswordCredential, deadline: number): Promise<MintOutcome> {
    const { userName } = credential;
    const outcome = await perform(login, { userName, password: credential.password() }, 'mint', deadline);
    if (!outcome.ok) return { outcome: outcome.certain ? 'not-minted' : 'unknown', failure: outcome.failure };
    const { token, lifetimeMs: longestLifetimeMs = DAY_MS } = outcome.value;
    if (token === undefined) {
      const reason = 'ThoughtSpot answered the login without a token';
      return { outcome: 'unknown', failure: new Failure('upstream-invalid', { reason }) };
    }
    const lifetimeMs = Math.min(longestLifetimeMs, DAY_MS);
    return { outcome: 'minted', minted: { token, userName, lifetimeMs, longestLifetimeMs, tokenType: 'Bearer' } };
  }

  return {
    /**
     * The session that is kept, or a new one by one login for all who wait. `fresh`: it has just been made, so a refusal
     * is not for its age. Throws Failure.
     */
    async open(credential: PasswordCredential, grant: Grant, issuer: SessionIssuer, deadline: number) {
      const { version, userName } = credential;
      if (kept?.version === version && clock.now() < kept.until) return { bearer: kept.bearer, fresh: false };
      if (inFlight?.version !== version) {
        const old = kept;
        const opening = async () => {
          const { orgId, policyVersion } = grant;
          const port = { ...issuer, mint: (_session: Grant, by: number) => logIn(credential, by) };
          const session = await sessions.open({ userName, orgId, policyVersion }, port, deadline);
          kept = { ...session, version };
          return session;
        };
        const session: Promise<ServiceSession> = opening().finally(() => {
          if (inFlight?.session === session) inFlight = undefined;
        });
        inFlight = { version, session };
        // The sweep ends the one before: a mint that is under way may still use it.
        if (old !== undefined) await leave(old, deadline);
      }
      return { bearer: (await inFlight.session).bearer, fresh: true };
    },

    /** ThoughtSpot refused it: the next `open` logs in again, and the sweep ends this one. */
    async forget(bearer: string, deadline: number): Promise<void> {
      if (kept?.bearer !== bearer) return;
      const refused = kept;
      kept = undefined;
      await leave(refused, deadline);
    },

    /** The sandbox ends. */
    async close(issuer: SessionIssuer, deadline: number): Promise<void> {
      const last = kept;
      kept = undefined;
      if (last !== undefined) await sessions.close(last, deadline, issuer).catch(ignoreFailure);
    },
  };

  async function leave(session: ServiceSession, deadline: number): Promise<void> {
    await sessions.close(session, deadline).catch(ignoreFailure);
  }
}

/** The row stays live, and the sweep ends the session when it is due. */
function ignoreFailure(error: unknown): void {
  if (!(error instanceof Failure)) throw error;
}
