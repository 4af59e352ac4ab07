/** Who calls: the verification of access tokens. */
import type { KeyObject } from 'node:crypto';
import { JwtBaseError, JwtInvalidSignatureError, JwtParseError } from 'aws-jwt-verify/error';
import type { JwtHeader, JwtPayload } from 'aws-jwt-verify/jwt-model';
import { verifyJwt } from 'aws-jwt-verify/jwt-verifier';
import { Failure } from '../broker/failure.ts';
import type { Caller, Claims } from '../broker/ports.ts';
import { type IssuerSettings, longestSecondsOf } from './issuers.ts';
import { type KeySet, type KeySetParts, makeKeySet } from './key-set.ts';
import { readJson } from './read-json.ts';

/** The gateway has a clock of its own: a token that it takes may begin this much later by ours, ms. */
const CLOCK_SKEW_MS = 5_000;
/** Header `typ` of an access token (RFC 9068, 2.1). That of a logout token is `logout+jwt`. */
const ACCESS_TOKEN = /^((application\/)?at\+)?jwt$/i;
/** What a claim `typ` says of an access token (Keycloak). */
const KINDS: readonly unknown[] = [undefined, 'Bearer', 'DPoP'];

export interface IdentityOptions extends Omit<KeySetParts, 'readJson'>, Partial<Pick<KeySetParts, 'readJson'>> {
  readonly issuers: readonly IssuerSettings[];
}

export interface Identity {
  /**
   * The caller whose access token this is, with claims typed as they were signed. `issuer` is the name of the one whose
   * route was called, undefined for the first. Takes at most 6 s. Throws Failure `invalid-token`, `not-entitled` for a
   * token without a subject, `issuer-unavailable`, `misconfigured` for an unknown issuer.
   */
  readonly identify: (token: string, issuer: string | undefined) => Promise<Caller>;
  /** Longest that an access token of any of the issuers may live, ms. */
  readonly longestTokenMs: number;
  /** Reads the keys of all issuers in advance. */
  readonly warm: () => Promise<unknown>;
}

export function makeIdentity({ issuers, ...parts }: IdentityOptions): Identity {
  const keySets = new Map(issuers.map((issuer) => [issuer, makeKeySet(issuer, { readJson, ...parts })]));
  return {
    async identify(token, name) {
      const [issuer, keys] = [...keySets].find(([issuer]) => issuer.name === name) ?? [];
      if (issuer === undefined || keys === undefined)
        throw new Failure('misconfigured', { reason: 'the route is of no issuer that is configured' });
      return callerOf(await verified(token, issuer, keys, parts.clock.now()), issuer);
    },
    longestTokenMs: Math.max(...issuers.map(longestSecondsOf)) * 1_000,
    warm: () => Promise.all([...keySets.values()].map((keys) => keys.warm())),
  };
}

/** The claims that the issuer has signed for us, and that are valid now. Throws Failure `invalid-token`. */
async function verified(token: string, issuer: IssuerSettings, keys: KeySet, now: number): Promise<JwtPayload> {
  let key: KeyObject | undefined;
  // The library tells the time by a clock of its own, and does not know `client_id`: both are checked below.
  const options = { issuer: issuer.url, audience: null, graceSeconds: Infinity };
  const find: Parameters<typeof verifyJwt>[3] = async (_address, { header, payload }) => {
    // First what needs no key, so that only a token that could be good makes anybody ask the issuer.
    const fault = faultIn(header, payload, issuer, now);
    if (fault !== undefined) throw invalid(fault);
    const found = await keys.find(header.kid ?? '');
    key = found.key;
    return found.jwk;
  };
  try {
    return await verifyJwt(token, issuer.url, options, find, () => Promise.resolve(key ?? {}));
  } catch (error) {
    // The library's own words quote claims.
    if (error instanceof JwtParseError) throw invalid('it is no JWT, or a claim has the wrong type');
    if (error instanceof JwtInvalidSignatureError) throw invalid('its signature is wrong');
    if (error instanceof JwtBaseError) throw invalid('its key is not for its algorithm');
    throw error;
  }
}

/** What is wrong with a token whatever its signature is; for operators, without a value of it. */
function faultIn(header: JwtHeader, payload: JwtPayload, issuer: IssuerSettings, now: number): string | undefined {
  const { iss, aud, exp = 0, nbf = 0, iat, client_id: clientId, token_use: use, typ } = payload;
  const longest = longestSecondsOf(issuer);
  const { typ: type = 'JWT' } = header;
  const audiences: readonly unknown[] = aud === undefined ? [clientId] : [aud].flat();
  const faults: readonly (readonly [boolean, string])[] = [
    [!issuer.algorithms.some((ours) => ours === header.alg), 'its algorithm is not one of its issuer'],
    // Whoever knows no critical extension must refuse all of them (RFC 7515, 4.1.11).
    [header['crit'] !== undefined, 'it has critical extensions'],
    [iss !== issuer.url, 'it is of another issuer'],
    [!issuer.audiences.some((ours) => audiences.includes(ours)), 'it is for another audience'],
    [exp * 1_000 <= now, 'it has expired, or never does'],
    // A sign-out must be able to tell older tokens from newer ones, and to be forgotten one day.
    [typeof iat !== 'number' || !Number.isFinite(iat), 'it does not say when it was issued'],
    [nbf * 1_000 > now + CLOCK_SKEW_MS, 'it is not valid yet'],
    [exp < (iat ?? 0), 'it ended before it was issued'],
    [exp - (iat ?? 0) > longest, `it lives longer than ${longest} s`],
    [typeof type !== 'string' || !ACCESS_TOKEN.test(type), 'its type is not that of an access token'],
    [payload['events'] !== undefined, 'it is a logout token'],
    // Only ID tokens have hashes (OpenID Connect Core, 3.3.2.11). Cognito says in `token_use`, Keycloak in `typ` what it is.
    [use === 'id' || typ === 'ID' || ['at_hash', 'c_hash'].some((hash) => hash in payload), 'it is an ID token'],
    [(use ?? 'access') !== 'access' || !KINDS.includes(typ), 'it is no access token'],
    [issuer.refuseNonce === true && payload['nonce'] !== undefined, 'it has a nonce, as ID tokens have'],
  ];
  return faults.find(([found]) => found)?.[1];
}

function callerOf(payload: JwtPayload, { url, scopes, sessionClaim }: IssuerSettings): Caller {
  const { sub, exp = 0, iat = 0 } = payload;
  // The gateway accepts a token without a subject, but it entitles nobody.
  if (sub === undefined || sub === '') throw new Failure('not-entitled', { reason: 'the token has no sub' });
  // Without a prototype no claim can be found that the issuer did not sign.
  const claims: Claims = { __proto__: null, ...payload };
  const session = sessionClaim === undefined ? undefined : claims[sessionClaim];
  const held = scopesOf(claims);
  const holds = { token: scopes.token === 'none' || held.includes(scopes.token), revoke: held.includes(scopes.revoke) };
  return {
    issuer: url,
    subject: sub,
    ...(typeof session === 'string' && session !== '' && { session }),
    claims,
    issuedAt: iat * 1_000,
    expiresAt: exp * 1_000,
    scopes: (['token', 'revoke'] as const).filter((scope) => holds[scope]),
  };
}

/** RFC 8693 has `scope` as one string; some issuers send `scp` as a string or an array instead. */
function scopesOf({ scope, scp }: Claims): readonly unknown[] {
  const given = scope ?? scp;
  return typeof given === 'string' ? given.split(' ') : Array.isArray(given) ? given : [];
}

const invalid = (reason: string): Failure => new Failure('invalid-token', { reason });
