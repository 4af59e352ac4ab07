/** What the broker answers: the codes of its problem details. docs/errors.md has the cause and the cure of each. */
export type BrokerCode =
  | 'invalid-request'
  | 'unsupported-media-type'
  | 'invalid-token'
  | 'not-entitled'
  | 'insufficient-scope'
  | 'user-not-provisioned'
  | 'lease-not-found'
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
  override readonly name = 'TokenError';
  readonly code: TokenErrorCode;
  /** HTTP status, if there was an answer. */
  readonly status: number | undefined;
  /** The id to quote: the broker's, or the gateway's where it answered by itself. */
  readonly correlationId: string | undefined;
  /** How long the broker asks to wait, ms. */
  readonly retryAfterMs: number | undefined;
  /** Which fields of the request are at fault; empty for everything but `invalid-request`. */
  readonly errors: readonly FieldError[];
  /** What was thrown, where something was. */
  override readonly cause: unknown;

  constructor(code: TokenErrorCode, message: string, answer: Answer = {}) {
    super(message);
    this.code = code;
    this.status = answer.status;
    this.correlationId = answer.correlationId;
    this.retryAfterMs = answer.retryAfterMs;
    this.errors = answer.errors ?? [];
    this.cause = answer.cause;
  }
}

export const userChanged = () => new TokenError('user-changed', 'Another user has signed in.');
export const signedOut = () => new TokenError('signed-out', 'The user signed out.');

/** A field of a JSON object; undefined for anything else. */
export function fieldOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
}

/** Parses an RFC 9457 problem, or the gateway's own `{ "message" }`. Never fails. */
export async function problemOf(response: Response): Promise<TokenError> {
  const body: unknown = await response.json().catch(() => undefined);
  const text = (name: string): string | undefined => {
    const value = fieldOf(body, name);
    return typeof value === 'string' ? value : undefined;
  };
  const { status, headers } = response;
  const errors = fieldOf(body, 'errors');
  return new TokenError(
    text('code') ?? `http-${status}`,
    text('detail') ?? text('message') ?? 'Something other than the broker refused the request.',
    {
      status,
      correlationId:
        text('correlationId') ?? headers.get('x-correlation-id') ?? headers.get('apigw-requestid') ?? undefined,
      retryAfterMs: waitOf(headers.get('retry-after')),
      errors: Array.isArray(errors) ? errors.flatMap(fieldError) : [],
    },
  );
}

function fieldError(value: unknown): FieldError[] {
  const [field, detail] = [fieldOf(value, 'field'), fieldOf(value, 'detail')];
  return typeof field === 'string' && typeof detail === 'string' ? [{ field, detail }] : [];
}

/** `Retry-After` in ms: seconds, or a date (RFC 9110, 10.2.3). */
function waitOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Whether the broker said no to this person, and not merely "not now". A proxy's 403 has no code and says nothing. */
export function isRefusal({ status, code }: TokenError): boolean {
  return (status === 401 || status === 403) && !code.startsWith('http-');
}

/** Whether a newer access token may be the cure: the gateway or the broker did not take this one. */
export function wantsNewAccessToken({ status, errors }: TokenError): boolean {
  return status === 401 || (status === 400 && errors.some(({ field }) => field === 'authorization'));
}

/** Whether the same request may succeed later. */
export function mayPass({ code, status, retryAfterMs }: TokenError): boolean {
  if (status === undefined) return ['network', 'timeout', 'invalid-answer', 'access-token'].includes(code);
  return retryAfterMs !== undefined || status === 429 || status >= 500;
}

/** How long a waiting caller is kept for another attempt, ms; undefined if it hears of the problem now. */
export function retryDelay(problem: TokenError, attempt: number): number | undefined {
  const { code, status, retryAfterMs } = problem;
  const passing = status === undefined ? code === 'network' || code === 'timeout' : status === 429 || status >= 502;
  if (!passing && retryAfterMs === undefined) return undefined;
  return Math.max(retryAfterMs ?? 0, jittered(Math.min(500 * 2 ** attempt, 8_000)));
}

/** A wait of half to all of `ms`, so that many pages do not ask in the same moment. */
export function jittered(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}
