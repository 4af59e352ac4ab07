/** The keys with which one issuer signs. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { isJwk, type JwkWithKid } from 'aws-jwt-verify/jwk';
import { isJsonObject, type Json } from 'aws-jwt-verify/safe-json-parse';
import { Failure } from '../broker/failure.ts';
import type { Clock, Log, Signals } from '../broker/ports.ts';
import { discoveryOf, secureUrl } from '../contract/shapes.ts';
import type { IssuerSettings } from './issuers.ts';
import type { ReadJson } from './read-json.ts';

/** The keys are read again when they are this old, ms: so long a key counts that the issuer has withdrawn. */
const FRESH_MS = 3_600_000;
/** While they cannot be read, they are used until they are this old, ms. */
const STALE_MS = 7_200_000;
/** From the begin of one read to that of the next, ms at least, whatever tokens come in. */
const COOL_DOWN_MS = 10_000;
/** Bits (RFC 7518, 3.3). */
const SHORTEST_KEY = 2_048;

export interface KeySetParts {
  readonly clock: Pick<Clock, 'now'>;
  readonly signals: Signals;
  readonly log: Log;
  readonly readJson: ReadJson;
}

export interface SigningKey {
  readonly jwk: JwkWithKid;
  readonly key: KeyObject;
}

export interface KeySet {
  /**
   * The key of this id. Throws Failure `invalid-token` where the issuer has none, `issuer-unavailable` where nobody can
   * tell: its keys cannot be read, and those that are known are too old or do not include this one.
   */
  find(kid: string): Promise<SigningKey>;
  /** Reads the keys in advance. Never throws. */
  warm(): Promise<void>;
}

/** Nothing is read while the keys are fresh, but for a key that is not among them, and then once per cool-down. */
export function makeKeySet(issuer: IssuerSettings, { clock, signals, log, readJson }: KeySetParts): KeySet {
  let known: { readonly keys: ReadonlyMap<string, SigningKey>; readonly readAt: number } | undefined;
  /** Why the last read failed. */
  let failure: Failure | undefined;
  let triedAt = -Infinity;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const readAt = (triedAt = clock.now());
    try {
      const address = issuer.jwksUri ?? (await discover(issuer.url, readJson));
      known = { keys: keysIn(await readJson(urlOf(address))), readAt };
      failure = undefined;
    } catch (cause) {
      failure = new Failure('issuer-unavailable', { reason: "the issuer's keys cannot be read", cause });
      signals.emit('issuer-unavailable');
      log.warn("the issuer's keys cannot be read", { issuer: issuer.url, error: cause });
    }
  }
  const warm = () => (reading ??= read().finally(() => (reading = undefined)));
  const youngerThan = (oldest: number, kid: string) =>
    known !== undefined && clock.now() - known.readAt < oldest ? known.keys.get(kid) : undefined;

  return {
    async find(kid) {
      const fresh = youngerThan(FRESH_MS, kid);
      if (fresh !== undefined) return fresh;
      if (reading !== undefined || clock.now() - triedAt >= COOL_DOWN_MS) await warm();
      const key = youngerThan(STALE_MS, kid);
      if (key === undefined) throw failure ?? new Failure('invalid-token', { reason: 'its issuer has no such key' });
      return key;
    },
    warm,
  };
}

/** Where the issuer says that its keys are: over https as it is, and so never in the sandbox itself. */
async function discover(issuer: string, readJson: ReadJson): Promise<string> {
  const at = urlOf(discoveryOf(issuer));
  const document = await readJson(at);
  const uri = isJsonObject(document) && document['issuer'] === issuer ? document['jwks_uri'] : undefined;
  if (typeof uri === 'string' && URL.parse(uri)?.protocol === at.protocol) return uri;
  throw new Error('the discovery document is of another issuer, or names no jwks_uri');
}

function urlOf(address: string): URL {
  const url = secureUrl(address);
  if (url === undefined) throw new Error('an address of the issuer is no https URL');
  return url;
}

/** The RSA keys that sign, by id. What else is in the set, as a private key, is ignored (RFC 7517, 5). */
export function keysIn(set: Json): ReadonlyMap<string, SigningKey> {
  const listed = isJsonObject(set) ? set['keys'] : undefined;
  if (!Array.isArray(listed)) throw new Error('the issuer answered with no key set');
  return new Map(listed.flatMap(signingKey));
}

function signingKey(jwk: Json): readonly (readonly [string, SigningKey])[] {
  if (!isJwk(jwk) || jwk.kid === undefined || (jwk.use ?? 'sig') !== 'sig' || 'd' in jwk) return [];
  if (![jwk['key_ops'] ?? 'verify'].flat().includes('verify')) return [];
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const { kid } = jwk;
    // Keys of other kinds have no modulus.
    return (key.asymmetricKeyDetails?.modulusLength ?? 0) < SHORTEST_KEY ? [] : [[kid, { jwk: { ...jwk, kid }, key }]];
  } catch {
    return [];
  }
}
