/**
 * The JWT authorizer of an HTTP API: RSA only, key of the issuer's set by kid, signature, iss, aud (client_id where
 * there is no aud), exp, nbf and iat with no allowance for clock skew, then the route's scopes.
 */
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { flattenClaims } from './flatten.ts';

export interface AuthorizerSettings {
  /** As in the tokens' `iss`; its discovery document names the keys. */
  readonly issuer: string;
  readonly audience: readonly string[];
  /** Epoch ms. */
  readonly now: () => number;
}

export type Verdict =
  | {
      readonly kind: 'allowed';
      readonly claims: Readonly<Record<string, string>>;
      readonly scopes: readonly string[] | null;
    }
  /** 401; `challenge` is the WWW-Authenticate header. */
  | { readonly kind: 'unauthorized'; readonly challenge: string; readonly reason: string }
  /** 403: the token has none of the route's scopes. */
  | { readonly kind: 'forbidden' };

export type Authorizer = (authorization: string | undefined, routeScopes: readonly string[]) => Promise<Verdict>;

const RSA = ['RS256', 'RS384', 'RS512'];
const AUDIENCE_CHALLENGE =
  'Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience"';
const TWO_HOURS_MS = 2 * 60 * 60 * 1000;

export function makeAuthorizer(settings: AuthorizerSettings): Authorizer {
  const keys = lazily(() => issuerKeys(settings.issuer));

  return async (authorization, routeScopes) => {
    const token = /^(?:Bearer\s+)?(\S+)$/i.exec((authorization ?? '').trim())?.[1];
    if (token === undefined) return unauthorized('no token');
    let payload: JWTPayload;
    try {
      payload = await verify(token, await keys(), settings);
    } catch (error) {
      return unauthorized(error instanceof Error ? `${error.name}: ${error.message}` : 'unknown');
    }
    const { aud, client_id: clientId } = payload;
    const audiences = aud === undefined ? [clientId] : [aud].flat();
    if (!audiences.some((one) => typeof one === 'string' && settings.audience.includes(one)))
      return unauthorized('audience', AUDIENCE_CHALLENGE);
    const scopes = scopesOf(payload);
    if (routeScopes.length > 0 && !routeScopes.some((scope) => scopes?.includes(scope))) return { kind: 'forbidden' };
    return { kind: 'allowed', claims: flattenClaims(payload), scopes };
  };
}

function unauthorized(reason: string, challenge = 'Bearer'): Verdict {
  return { kind: 'unauthorized', challenge, reason };
}

async function verify(token: string, keys: JWTVerifyGetKey, settings: AuthorizerSettings): Promise<JWTPayload> {
  const currentDate = new Date(settings.now());
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    algorithms: RSA,
    issuer: settings.issuer,
    clockTolerance: 0,
    currentDate,
    requiredClaims: ['exp'],
  });
  if (protectedHeader.kid === undefined) throw new errors.JWTInvalid('no kid');
  if (payload.iat !== undefined && payload.iat * 1000 > settings.now())
    throw new errors.JWTInvalid('iat in the future');
  return payload;
}

function scopesOf({ scope, scp }: JWTPayload): readonly string[] | null {
  const claimed = scope ?? scp;
  if (typeof claimed === 'string') return claimed.split(' ').filter((one) => one !== '');
  if (Array.isArray(claimed)) return claimed.map(String);
  return null;
}

/** The key set of the issuer, by its discovery document. Keys are kept for two hours, as API Gateway does. */
async function issuerKeys(issuer: string): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (!response.ok) throw new Error(`The issuer's discovery document answers ${response.status}.`);
  const { jwks_uri: uri } = (await response.json()) as { jwks_uri?: unknown };
  if (typeof uri !== 'string') throw new Error("The issuer's discovery document names no jwks_uri.");
  return createRemoteJWKSet(new URL(uri), { cacheMaxAge: TWO_HOURS_MS });
}

/** Makes a value once, at first need; a failure is forgotten, so that the next caller tries again. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () =>
    (made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
}
