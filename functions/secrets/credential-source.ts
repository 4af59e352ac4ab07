import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Failure } from '../broker/failure.ts';
import type { Clock, Credential, CredentialSource, Log, Signals } from '../broker/ports.ts';
import { parseSecret, type StoredSecret } from './credential.ts';
import { AccessDenied, makeReadSecret, type Stage } from './secrets-manager.ts';

export interface CredentialSourceOptions {
  readonly client: Pick<SecretsManagerClient, 'send'>;
  readonly secretId: string;
  readonly clock: Clock;
  readonly signals: Signals;
  readonly log: Log;
  /** Called with every secret string as soon as it is read, so that no line can print it. */
  readonly conceal?: (secret: string, options: { readonly keep: true }) => void;
  /** How long a credential is used without reading the secret again, ms. */
  readonly maxAgeMs?: number;
  /** How old a credential may be if Secrets Manager cannot be reached, ms. */
  readonly maxStaleMs?: number;
  /** While Secrets Manager cannot be reached: how long the older credential is used before the next try, ms. */
  readonly retryAfterMs?: number;
  /**
   * At least this long between two reloads that refusals by ThoughtSpot ask for, ms: the first pause, doubling to the
   * longest while no other credential is found. The longest is how late a new key may be noticed.
   */
  readonly coolDownMs?: number;
  readonly longestCoolDownMs?: number;
  /** Limit of one read, ms. */
  readonly readTimeoutMs?: number;
}

interface Cached {
  readonly secret: StoredSecret;
  readonly readAt: number;
  readonly goodUntil: number;
}

/**
 * The credential, read at most once per maximum age and sandbox. One read is in flight at a time, and a read that
 * began earlier never overwrites one that began later. A read that failed leaves nothing behind.
 */
export function makeCredentialSource(options: CredentialSourceOptions): CredentialSource {
  const { client, secretId, clock, signals, log, conceal } = options;
  const {
    maxAgeMs = 300_000,
    maxStaleMs = 3_600_000,
    retryAfterMs = 10_000,
    coolDownMs = 1_000,
    longestCoolDownMs = 2_000,
    readTimeoutMs = 3_000,
  } = options;
  const readSecret = makeReadSecret(client, secretId);
  const secretOf = new WeakMap<Credential, StoredSecret>();
  let cached: Cached | undefined;
  let loading: Promise<StoredSecret> | undefined;
  let loadingUntil = -Infinity;
  let reloading: Promise<StoredSecret | undefined> | undefined;
  let nextReloadAt = -Infinity;
  let pauseMs = coolDownMs;
  /** The last one that ThoughtSpot refused: reading it again must not displace one that replaced it. */
  let refusedIdentity: string | undefined;
  let reads = 0;
  let newestRead = 0;

  /** Reads and parses one stage. Failures count as signals here, once per read and not once per waiter. */
  async function read(stage: Stage): Promise<StoredSecret | undefined> {
    try {
      const found = await readSecret(stage, readTimeoutMs);
      if (found === undefined) return undefined;
      const secret = parseSecret(found.text, found.version);
      for (const text of secret.sensitive) conceal?.(text, { keep: true });
      secretOf.set(secret.credential, secret);
      return secret;
    } catch (error) {
      if (error instanceof AccessDenied) signals.emit('access-denied');
      throw error;
    }
  }

  /** Makes `secret` the current one, unless a read that began later has already done so. Returns what is current. */
  function install(secret: StoredSecret, turn: number): StoredSecret {
    if (cached !== undefined && turn < newestRead) return cached.secret;
    newestRead = turn;
    const now = clock.now();
    cached = { secret, readAt: now, goodUntil: now + maxAgeMs };
    return secret;
  }

  async function load(): Promise<StoredSecret> {
    const turn = ++reads;
    try {
      const secret = await read('AWSCURRENT');
      if (secret === undefined) throw new Failure('misconfigured', { reason: 'the secret has no current value' });
      const kept = cached?.secret.identity === refusedIdentity ? undefined : cached?.secret;
      return install(kept !== undefined && secret.identity === refusedIdentity ? kept : secret, turn);
    } catch (error) {
      const unreachable =
        error instanceof Failure && error.code === 'secret-unavailable' && !(error instanceof AccessDenied);
      const now = clock.now();
      if (!unreachable || cached === undefined || now - cached.readAt >= maxStaleMs) throw error;
      signals.emit('secret-stale');
      log.warn('secret cannot be read, an older credential is in use', { ageMs: now - cached.readAt, error });
      cached = { ...cached, goodUntil: Math.min(now + retryAfterMs, cached.readAt + maxStaleMs) };
      return cached.secret;
    }
  }

  async function current(deadline: number): Promise<StoredSecret> {
    if (cached !== undefined && clock.now() < cached.goodUntil) return cached.secret;
    // One that is late by the clock stood still with its sandbox: it can only fail.
    if (clock.now() >= loadingUntil) loading = undefined;
    if (loading === undefined) loadingUntil = clock.now() + readTimeoutMs;
    loading ??= load().finally(() => (loading = undefined));
    const loaded = await before(deadline, loading);
    // Since that read was over, a reload may have found a newer one.
    return cached?.secret ?? loaded;
  }

  async function reload(refused: StoredSecret): Promise<StoredSecret | undefined> {
    nextReloadAt = clock.now() + pauseMs;
    pauseMs = Math.min(2 * pauseMs, longestCoolDownMs);
    refusedIdentity = refused.identity;
    const turn = ++reads;
    for (const stage of ['AWSCURRENT', 'AWSPENDING'] as const) {
      const secret = await read(stage);
      if (secret !== undefined && secret.identity !== refused.identity) {
        pauseMs = coolDownMs;
        nextReloadAt = clock.now() + pauseMs;
        signals.emit('credential-reloaded');
        log.info('credential replaced after a refusal', { stage, version: secret.credential.version });
        return install(secret, turn);
      }
    }
    return undefined;
  }

  /** The value, or Failure `secret-unavailable` at the deadline; the read goes on for the next caller. */
  async function before<T>(deadline: number, value: Promise<T>): Promise<T> {
    const late = clock.sleep(Math.max(0, deadline - clock.now())).then(() => {
      throw new Failure('secret-unavailable', { reason: 'the secret was not read in time' });
    });
    return Promise.race([value, late]);
  }

  return {
    current: async (deadline) => (await current(deadline)).credential,

    async replacementFor(refused, deadline) {
      const refusedSecret = secretOf.get(refused);
      if (refusedSecret === undefined) return undefined;
      if (cached !== undefined && cached.secret.identity !== refusedSecret.identity) return cached.secret.credential;
      if (reloading === undefined && clock.now() < nextReloadAt) return undefined;
      reloading ??= reload(refusedSecret).finally(() => (reloading = undefined));
      try {
        return (await before(deadline, reloading))?.credential;
      } catch (error) {
        // Whether there is another credential is unknown; the refusal stands, and the call must end.
        log.error('secret cannot be read again after a refusal', { error });
        return undefined;
      }
    },
  };
}
