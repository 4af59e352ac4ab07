import { Failure } from '../broker/failure.ts';
import type {
  Clock,
  Credential,
  CredentialSource,
  Grant,
  Log,
  MintOutcome,
  Randomness,
  RevokeOutcome,
  SessionIssuer,
  Signals,
} from '../broker/ports.ts';
import { type GettokenInput, type Operation, type Outcome, outcomeOf, type Proof } from './dialect.ts';
import { DIALECTS } from './dialects.ts';
import type { DialectName } from './rejection.ts';
import { makeCall, type Repeatable } from './retry.ts';
import { makeServiceSession } from './service-session.ts';
import { makeTransport, originOf } from './transport.ts';

export interface SessionIssuerDeps {
  /** Origin of the cluster, such as https://acme.thoughtspot.cloud. */
  readonly host: string;
  readonly dialect: DialectName;
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly signals: Signals;
  readonly log: Log;
}

export type ThoughtSpotIssuer = SessionIssuer & {
  /** Connects ahead of the first call, without a request: nothing counts against ThoughtSpot's rate limit. */
  warm(): Promise<void>;
  /** Ends the service account's session, where there is one, and the connections. */
  close(): Promise<void>;
};

/** Time to end the service account's session in at shutdown, ms: Lambda grants 500 to 2,000. */
const GOODBYE_MS = 400;

/**
 * ThoughtSpot as the broker's SessionIssuer. Throws Failure `misconfigured` if the host is not one.
 * What becomes of a mint in each case is a table in docs/architecture.md.
 */
export function makeSessionIssuer(deps: SessionIssuerDeps): ThoughtSpotIssuer {
  const { credentials, clock, signals, log } = deps;
  const dialect = DIALECTS[deps.dialect];
  const transport = makeTransport(originOf(deps.host), () => clock.now());
  const call = makeCall({ transport, dialect: dialect.name, clock, randomness: deps.randomness, signals });
  const session = makeServiceSession(dialect, call, clock);

  async function perform<Input, Value>(
    operation: Operation<Input, Value>,
    input: Input,
    repeatable: Repeatable,
    deadline: number,
  ): Promise<Outcome<Value>> {
    const exchange = await call(operation.encode(input), repeatable, deadline);
    return outcomeOf(operation, input, exchange, { name: dialect.name, nowMs: clock.now() });
  }

  async function mintWith(credential: Credential, grant: Grant, deadline: number): Promise<MintOutcome> {
    const reason = dialect.cannotMint(grant, credential);
    if (reason !== undefined) return notMinted(new Failure('misconfigured', { reason }));
    const input = inputOf(credential, grant);
    if (!dialect.mintsWithSession || credential.kind !== 'password') return mintOnce(input, grant, deadline);
    const first = await session.open(credential, deadline);
    const outcome = await mintOnce({ ...input, bearer: first.bearer }, grant, deadline);
    if (!isRefused(outcome)) return outcome;
    session.forget(first.bearer);
    if (first.fresh) return outcome;
    const second = await session.open(credential, deadline);
    return mintOnce({ ...input, bearer: second.bearer }, grant, deadline);
  }

  async function mintOnce(input: GettokenInput, grant: Grant, deadline: number): Promise<MintOutcome> {
    const startedAt = clock.now();
    const outcome = await perform(dialect.gettoken, input, writes(grant) ? 'mint-writes' : 'mint', deadline);
    if ('rejection' in outcome) {
      const { certain, failure } = outcome.rejection;
      return { outcome: certain ? 'not-minted' : 'unknown', failure };
    }
    const minted = outcome.value;
    if (minted.createdAt !== undefined)
      signals.emit('upstream-clock-offset', (minted.createdAt - (startedAt + clock.now()) / 2) / 1_000);
    return { outcome: 'minted', minted };
  }

  async function mintWithAny(grant: Grant, deadline: number): Promise<MintOutcome> {
    const credential = await credentials.current(deadline);
    const outcome = await caught(mintWith(credential, grant, deadline));
    if (!isRefused(outcome)) return outcome;
    const replacement = await credentials.replacementFor(credential, deadline).catch((error: unknown) => {
      if (error instanceof Failure) return undefined;
      throw error;
    });
    return replacement === undefined ? outcome : caught(mintWith(replacement, grant, deadline));
  }

  return {
    async mint(grant, deadline) {
      const outcome = await caught(mintWithAny(grant, deadline));
      if (outcome.outcome === 'minted') return outcome;
      if (isRefused(outcome)) signals.emit('upstream-credential-refused');
      const { code, reason } = outcome.failure;
      log.warn('mint failed', { outcome: outcome.outcome, code, reason, kind: grant.rights.kind, orgId: grant.orgId });
      return outcome;
    },

    async revoke(token, user, deadline): Promise<RevokeOutcome> {
      const outcome = await perform(dialect.revoketoken, { bearer: token, userName: user }, 'idempotent', deadline);
      if ('rejection' in outcome) return { outcome: 'retry', failure: outcome.rejection.failure };
      if (outcome.value) return { outcome: 'dead' };
      return { outcome: 'retry', failure: new Failure('upstream-invalid', { reason: 'revoketoken answered false' }) };
    },

    async sessionInfo(token, deadline) {
      const outcome = await perform(dialect.sessionInfo, { bearer: token }, 'idempotent', deadline);
      if ('rejection' in outcome) throw outcome.rejection.failure;
      return outcome.value === 'token-not-accepted' ? undefined : outcome.value;
    },

    warm: () => transport.warm(),

    async close() {
      const bearer = session.take();
      if (bearer !== undefined) {
        const parts = dialect.revoketoken.encode({ bearer });
        await transport.exchange(parts, GOODBYE_MS);
      }
      await transport.close();
    },
  };
}

const notMinted = (failure: Failure): MintOutcome => ({ outcome: 'not-minted', failure });

/** Failures thrown on the way to a mint, by the credential's source or a login, come before it was sent. */
async function caught(outcome: Promise<MintOutcome>): Promise<MintOutcome> {
  try {
    return await outcome;
  } catch (error) {
    if (error instanceof Failure) return notMinted(error);
    throw error;
  }
}

function isRefused(outcome: MintOutcome): boolean {
  return outcome.outcome === 'not-minted' && outcome.failure.code === 'upstream-credential-refused';
}

/** Whether a mint changes the user at ThoughtSpot: then sending it twice is not the same as once. */
function writes({ provisioning, rights }: Grant): boolean {
  return provisioning !== null || (rights.kind === 'custom' && rights.persist !== 'NONE');
}

function inputOf(credential: Credential, { user, validitySeconds, orgId, rights, provisioning }: Grant): GettokenInput {
  const proof: Proof =
    credential.kind === 'password'
      ? { kind: 'password', password: credential.password() }
      : { kind: 'secret-key', secretKey: credential.secretKeyFor(orgId) };
  return { userName: user, proof, validitySeconds, orgId, rights, provisioning };
}
