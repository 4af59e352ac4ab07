import type { APIGatewayProxyEventV2WithJWTAuthorizer } from 'aws-lambda';
import { Failure } from '../broker/failure.ts';
import type { Caller, Claims, ClaimValue } from '../broker/ports.ts';
import { isObject } from '../contract/shapes.ts';

/**
 * The caller, with claims as its issuer signed them. The gateway has verified the token in the Authorization header
 * and passes on a copy of its claims in which an array is flattened to text, so that a group named `a] [b` looks like
 * two: the copy is only compared. Where the two disagree, or there is no copy, the route was deployed without its
 * authorizer: Failure `misconfigured`, never a token.
 */
export function callerOf(event: APIGatewayProxyEventV2WithJWTAuthorizer): Caller {
  const flattened: unknown = event.requestContext?.authorizer?.jwt?.claims;
  if (!isObject(flattened)) throw misconfigured('the event carries no claims of a JWT authorizer');
  const claims = claimsOf(event.headers?.['authorization']);
  const { iss, sub, exp } = claims;
  if (typeof iss !== 'string' || typeof exp !== 'number') throw misconfigured('the token lacks iss or exp');

  const copied = new Map(Object.entries(flattened));
  const compared = Object.entries(claims).filter(([name, value]) => typeof value === 'string' || name === 'exp');
  const differing = compared.filter(([name, value]) => !agrees(value, copied.get(name))).map(([name]) => name);
  if (differing.length > 0)
    throw misconfigured(`claims of the token and of the authorizer differ: ${differing.join(', ')}`);
  // The gateway accepts a token without a subject, but it entitles nobody.
  if (typeof sub !== 'string' || sub === '') throw new Failure('not-entitled', { reason: 'the token has no sub' });
  return { issuer: iss, subject: sub, claims, expiresAt: exp * 1000, scopes: scopesOf(claims) };
}

/** Payload of a JWT that the gateway has verified. `Bearer` is optional, as it is for the gateway. */
function claimsOf(authorization: string | undefined): Claims {
  const [, payload, ...rest] = (authorization ?? '').replace(/^bearer\s+/i, '').split('.');
  if (payload === undefined || rest.length !== 1) throw misconfigured('the Authorization header holds no JWT');
  let parsed: unknown;
  try {
    const bytes = Buffer.from(payload, 'base64url');
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw misconfigured('the payload of the JWT is not JSON');
  }
  if (!isClaims(parsed)) throw misconfigured('the payload of the JWT is not an object');
  // Without a prototype no claim can be found that the issuer did not sign.
  return { __proto__: null, ...parsed };
}

function agrees(signed: ClaimValue, copied: unknown): boolean {
  return typeof signed === 'number' ? Number(copied) === signed : copied === signed;
}

/** RFC 8693 has `scope` as one string; some issuers send `scp` as a string or an array instead. */
function scopesOf({ scope, scp }: Claims): readonly string[] {
  const given = scope ?? scp;
  if (typeof given === 'string') return given.split(' ').filter((name) => name !== '');
  return Array.isArray(given) ? given.filter((name) => typeof name === 'string') : [];
}

/** What JSON.parse returns for an object holds nothing but claim values. */
function isClaims(value: unknown): value is Claims {
  return isObject(value);
}

function misconfigured(reason: string): Failure {
  return new Failure('misconfigured', { reason });
}
