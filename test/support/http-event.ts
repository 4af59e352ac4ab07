import type { APIGatewayProxyEventV2WithJWTAuthorizer, Context } from 'aws-lambda';
import { Failure } from '../../functions/broker/failure.ts';
import type { Claims } from '../../functions/broker/ports.ts';
import type { Served } from '../../functions/http/http-entry.ts';
import { flattenClaims } from '../../local/gateway/flatten.ts';

export const CLAIMS = {
  iss: 'https://issuer.example',
  sub: 'user-alice',
  aud: 'broker',
  iat: 1_799_999_000,
  exp: 1_800_000_000,
  scope: 'openid broker:token',
  preferred_username: 'alice',
  groups: ['analysts'],
};

export interface EventOptions {
  readonly claims?: Readonly<Record<string, unknown>>;
  /** What the authorizer passes on instead of the flattened claims. */
  readonly flattened?: Readonly<Record<string, string>> | null;
  readonly authorization?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
  readonly routeKey?: string;
  readonly query?: Readonly<Record<string, string>>;
}

/** A JWT with a signature that is never checked here. */
export function jwtOf(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256', typ: 'at+jwt' })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Believes every token: for tests of what comes after its verification. */
export const identify: Served['identify'] = async (token) => {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || 'null') as
    (Claims & Partial<typeof CLAIMS>) | null;
  if (claims === null) throw new Failure('invalid-token');
  const { iss = '', sub = '', iat = 0, exp = 0, scope = '' } = claims;
  const scopes = (['token', 'revoke'] as const).filter((name) => scope.split(' ').includes(`broker:${name}`));
  return { issuer: iss, subject: sub, claims, issuedAt: iat * 1_000, expiresAt: exp * 1_000, scopes };
};

/** An event as the gateway builds it (payload format 2.0), with its flattened claims. */
export function httpEvent(options: EventOptions = {}): APIGatewayProxyEventV2WithJWTAuthorizer {
  const claims = options.claims ?? CLAIMS;
  const authorization = options.authorization === undefined ? `Bearer ${jwtOf(claims)}` : options.authorization;
  const json = options.body === undefined ? {} : { 'content-type': 'application/json' };
  return {
    version: '2.0',
    routeKey: options.routeKey ?? 'POST /gettoken',
    rawPath: '/gettoken',
    rawQueryString: '',
    headers: { ...json, ...(authorization === null ? {} : { authorization }), ...options.headers },
    ...(options.query === undefined ? {} : { queryStringParameters: options.query }),
    requestContext: {
      ...(options.flattened === null
        ? {}
        : { authorizer: { jwt: { claims: options.flattened ?? flattenClaims(claims), scopes: ['broker:token'] } } }),
      http: { method: 'POST', path: '/gettoken', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' },
      requestId: 'request-1',
    },
    ...(options.body === undefined ? {} : { body: options.body }),
    isBase64Encoded: options.isBase64Encoded ?? false,
  } as unknown as APIGatewayProxyEventV2WithJWTAuthorizer;
}

/** What Lambda passes in addition to the event. */
export function lambdaContext(remainingMs = 20_000): Context {
  return { awsRequestId: 'invocation-1', getRemainingTimeInMillis: () => remainingMs } as unknown as Context;
}
