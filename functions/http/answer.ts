import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Failure } from '../broker/failure.ts';
import { PROBLEM_TYPE_BASE, type ProblemCode, PROBLEMS } from '../contract/problems.ts';

export type Answer = APIGatewayProxyStructuredResultV2 & { readonly statusCode: number };

export function json(statusCode: number, body: object): Answer {
  return answer(statusCode, 'application/json', JSON.stringify(body));
}

/** The text itself: no quotes, no newline. */
export function plain(statusCode: number, body: string): Answer {
  return answer(statusCode, 'text/plain; charset=utf-8', body);
}

/** A failure as RFC 9457 problem details. Of the failure only its code, wait, field errors and age leave the broker. */
export function problem({ code, retryAfterMs, errors, maxAge }: Failure, correlationId: string): Answer {
  const { status, title, detail } = PROBLEMS[code];
  const type = `${PROBLEM_TYPE_BASE}${code}`;
  const age = maxAge !== undefined && { max_age: maxAge };
  const body = { type, title, status, detail, code, correlationId, ...(errors.length > 0 && { errors }), ...age };
  const more = {
    ...(retryAfterMs !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
    ...(status === 401 && { 'www-authenticate': challengeOf(code, maxAge) }),
  };
  return answer(status, 'application/problem+json', JSON.stringify(body), more);
}

/** A failure as OAuth tells it (RFC 6749, 5.2): 400, whatever failed (OpenID Connect Back-Channel Logout 1.0, 2.8). */
export function oauthError(error: string, description: string): Answer {
  return json(400, { error, error_description: description });
}

/** A 401 without a challenge is none (RFC 9110, 15.5.2). RFC 6750, 3; for a sign-in that is too old RFC 9470, 3. */
function challengeOf(code: ProblemCode, maxAge: number | undefined): string {
  if (code !== 'sign-in-again') return 'Bearer error="invalid_token"';
  return `Bearer error="insufficient_user_authentication"${maxAge === undefined ? '' : `, max_age="${maxAge}"`}`;
}

/** On every answer, errors too: a token must stay out of caches, and JSON must not be taken for anything else. */
function answer(statusCode: number, type: string, body: string, more: Readonly<Record<string, string>> = {}): Answer {
  const always = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
  return { statusCode, headers: { ...always, ...more, 'content-type': type }, body };
}
