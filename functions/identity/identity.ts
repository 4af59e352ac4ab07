/** Who calls, by an access token; and whose sign-in an issuer has ended, by a logout token. */
import type { JwtPayload } from 'aws-jwt-verify/jwt-model';
import { Failure } from '../broker/failure.ts';
import type { Caller, Claims, Logout } from '../broker/ports.ts';
import { type IssuerSettings, longestSecondsOf } from './issuers.ts';
import { type KeySetParts, makeKeySet } from './key-set.ts';
import { faultsOfLogoutToken, logoutOf } from './logout-token.ts';
import { readJson } from './read-json.ts';
import { type FaultsOf, verified } from './verified.ts';

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
  /** What the issuer ends by this logout token. Names, time and failures as above, but for `not-entitled`. */
  readonly loggedOut: (token: string, issuer: string | undefined) => Promise<Logout>;
  /** Longest that an access token of any of the issuers may live, ms. */
  readonly longestTokenMs: number;
  /** Reads the keys of all issuers in advance. */
  readonly warm: () => Promise<unknown>;
}

export function makeIdentity({ issuers, ...parts }: IdentityOptions): Identity {
  const keySets = new Map(issuers.map((issuer) => [issuer, makeKeySet(issuer, { readJson, ...parts })]));
  const reader =
    <T>(faultsOf: FaultsOf, read: (payload: JwtPayload, issuer: IssuerSettings) => T) =>
    async (token: string, name: string | undefined): Promise<T> => {
      const found = [...keySets].find(([issuer]) => issuer.name === name);
      if (found === undefined)
        throw new Failure('misconfigured', { reason: 'the route is of no issuer that is configured' });
      const [issuer, keys] = found;
      return read(await verified(token, issuer, keys, parts.clock.now(), faultsOf), issuer);
    };
  return {
    identify: reader(faultsOfAccessToken, callerOf),
    loggedOut: reader(faultsOfLogoutToken, logoutOf),
    longestTokenMs: Math.max(...issuers.map(longestSecondsOf)) * 1_000,
    warm: () => Promise.all([...keySets.values()].map((keys) => keys.warm())),
  };
}

/** What is wrong with an access token, besides what can be wrong with any. */
const faultsOfAccessToken: FaultsOf = (header, payload, issuer, now) => {
  const { aud, exp = 0, iat = 0, client_id: clientId, token_use: use, typ } = payload;
  const longest = longestSecondsOf(issuer);
  const { typ: type = 'JWT' } = header;
  const audiences: readonly unknown[] = aud === undefined ? [clientId] : [aud].flat();
  return [
    [!issuer.audiences.some((ours) => audiences.includes(ours)), 'it is for another audience'],
    [exp * 1_000 <= now, 'it has expired, or never does'],
    [exp < iat, 'it ended before it was issued'],
    [exp - iat > longest, `it lives longer than ${longest} s`],
    [typeof type !== 'string' || !ACCESS_TOKEN.test(type), 'its type is not that of an access token'],
    [payload['events'] !== undefined, 'it is a logout token'],
    // Only ID tokens have hashes (OpenID Connect Core, 3.3.2.11). Cognito says in `token_use`, Keycloak in `typ` what it is.
    [use === 'id' || typ === 'ID' || ['at_hash', 'c_hash'].some((hash) => hash in payload), 'it is an ID token'],
    [(use ?? 'access') !== 'access' || !KINDS.includes(typ), 'it is no access token'],
    [issuer.refuseNonce === true && payload['nonce'] !== undefined, 'it has a nonce, as ID tokens have'],
  ];
};

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
