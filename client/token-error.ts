/** What the broker answers: the codes of its problem details. docs/errors.md has the cause and the cure of each. */
export type BrokerCode =
  | 'invalid-request'
  | 'unsupported-media-type'
  | 'invalid-token'
  | 'not-entitled'
  | 'insufficient-scope'
  | 'user-not-provisioned'
  | 'lease-not-found'
  | 'entitlement-conflict'
  | 'object-not-available'
  | 'mint-limit'
  | 'mint-in-progress'
  | 'superseded-by-revocation'
  | 'upstream-credential-refused'
  | 'upstream-trusted-auth-disabled'
  | 'upstream-mismatch'
  | 'upstream-invalid'
  | 'upstream-refused'
  | 'upstream-busy'
  | 'upstream-conflict'
  | 'upstream-unavailable'
  | 'upstream-timeout'
  | 'ledger-unavailable'
  | 'ledger-denied'
  | 'key-unavailable'
  | 'secret-unavailable'
  | 'issuer-unavailable'
  | 'not-set-up'
  | 'misconfigured'
  | 'internal-error'
  /** The person was signed out after this access token was issued: only a new sign-in helps. */
  | 'sign-in-again'
  /** The person is shut out until an operator lifts it. */
  | 'suspended';

/** What the client finds out by itself. */
type ClientCode =
  /** The browser got no answer: no network, or the page may not ask (CORS, CSP). */
  | 'network'
  /** No answer within `timeoutMs`. */
  | 'timeout'
  /** An answer that is no token: a proxy or the login page of a network answered instead of the broker. */
  | 'invalid-answer'
  /** `getAccessToken` failed, took too long, or gave nothing. */
  | 'access-token'
  /** The access token does not fit into the headers that the gateway accepts. */
  | 'access-token-too-large'
  /** Another user signed in while this request was under way. */
  | 'user-changed'
  | 'signed-out'
  | 'disposed'
  /** The caller's own signal. */
  | 'aborted';

/** `http-<status>`: an answer without a code, by the gateway or something in between. Newer brokers may add codes. */
export type TokenErrorCode = BrokerCode | ClientCode | `http-${number}` | (string & {});

export interface FieldError {
  readonly field: string;
  readonly detail: string;
}

interface Answer {
  readonly status?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly errors?: readonly FieldError[];
  readonly cause?: unknown;
}

/** Why there is no token. `code` says what to do; `message` is for people. Holds no token. */
export class TokenError extends Error {
  declare readonly code: TokenErrorCode;
  /** HTTP status, if there was an answer. */
  declare readonly status: number | undefined;
  /** The id to quote: the broker's, or the gateway's where it answered by itself. */
  declare readonly correlationId: string | undefined;
  /** How long the broker asks to wait, ms. */
  declare readonly retryAfterMs: number | undefined;
  /** Which fields of the request are at fault; empty for everything but `invalid-request`. */
  declare readonly errors: readonly FieldError[];
  /** What was thrown, where something was. */
  declare readonly cause: unknown;

  constructor(code: TokenErrorCode, message: string | undefined = code, answer: Answer = {}) {
    super(message);
    Object.assign(this, { name: 'TokenError', code, errors: [], ...answer });
  }
}

export const notAToken = (cause?: unknown) => new TokenError('invalid-answer', undefined, { cause });
export const userChanged = () => new TokenError('user-changed');
export const signedOut = () => new TokenError('signed-out');

/** A field of a JSON object; undefined for anything else. */
export const fieldOf = (body: unknown, name: string): unknown => Reflect.get(Object(body) as object, name);

/** Parses an RFC 9457 problem, or what the gateway or a proxy says instead. Never fails. */
export async function problemOf(response: Response): Promise<TokenError> {
  const body: unknown = await response.json().catch(() => undefined);
  const text = (name: string): string | undefined => {
    const value = fieldOf(body, name);
    return typeof value === 'string' ? value : undefined;
  };
  const { status, headers } = response;
  const errors = fieldOf(body, 'errors');
  return new TokenError(text('code') ?? `http-${status}`, text('detail'), {
    status,
    correlationId: text('correlationId') ?? headers.get('apigw-requestid') ?? undefined,
    retryAfterMs: waitOf(headers.get('retry-after')),
    errors: Array.isArray(errors) ? errors.filter(isFieldError) : [],
  });
}

function isFieldError(value: unknown): value is FieldError {
  return ['field', 'detail'].every((name) => typeof fieldOf(value, name) === 'string');
}

/** `Retry-After` in ms: seconds, or a date (RFC 9110, 10.2.3). */
function waitOf(header: string | null): number | undefined {
  const ms = Number(header) * 1000 || Date.parse(header ?? '') - Date.now();
  return ms >= 0 ? ms : undefined;
}

export const isNo = (status: number | undefined): boolean => status === 401 || status === 403;

/** Whether the broker said no to this person, and not merely "not now". A proxy's 403 has no code and says nothing. */
export function isRefusal({ status, code }: TokenError): boolean {
  return isNo(status) && !/^http-/.test(code);
}

/** Whether a newer access token may be the cure: the gateway or the broker did not take this one. */
export function wantsNewAccessToken({ status, errors }: TokenError): boolean {
  return status === 401 || (status === 400 && errors.some(({ field }) => field === 'authorization'));
}

/** Whether the same request may succeed later. */
export function mayPass({ code, status, retryAfterMs }: TokenError): boolean {
  if (status === undefined) return /^(network|timeout|invalid-answer|access-token)$/.test(code);
  return status !== 401 && (retryAfterMs !== undefined || status >= 429);
}

/**
 * Whether a caller who has no token is kept waiting for another attempt, and does not hear of the problem at once: where the
 * broker says when to ask again, and where something in between failed.
 */
export const isBrief = ({ code, retryAfterMs }: TokenError): boolean =>
  retryAfterMs !== undefined || /^(network|timeout|http-(429|50[2-4]))$/.test(code);

/** How long to wait before attempt `n`, ms: doubled each time up to `most`, half of it by chance, so that pages scatter. */
export function backOff({ retryAfterMs = 0 }: TokenError, n: number, most: number): number {
  return Math.max(retryAfterMs, Math.min(500 * 2 ** n, most) * (0.5 + Math.random() / 2));
}
