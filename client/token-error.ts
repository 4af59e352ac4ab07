/** Why there is no token. `code` is the broker's stable problem code, or one of the client's own. */
export class TokenError extends Error {
  readonly code: string;
  /** HTTP status, if the broker answered. */
  readonly status: number | undefined;
  readonly correlationId: string | undefined;
  /** How long the broker asks to wait, ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    message: string,
    answer: { readonly status?: number; readonly correlationId?: string; readonly retryAfterMs?: number } = {},
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = 'TokenError';
    this.code = code;
    this.status = answer.status;
    this.correlationId = answer.correlationId;
    this.retryAfterMs = answer.retryAfterMs;
  }

  /** Turns anything thrown into a TokenError: what `fetch` throws is a network failure. */
  static from(error: unknown): TokenError {
    if (error instanceof TokenError) return error;
    return new TokenError('network', 'The broker could not be reached.', {}, error);
  }
}

/** Parses an RFC 9457 problem, or the gateway's own `{ "message" }`. Never fails. */
export async function problemOf(response: Response): Promise<TokenError> {
  const body: unknown = await response.json().catch(() => undefined);
  const text = (name: string): string | undefined => {
    const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  const correlationId = text('correlationId');
  return new TokenError(
    text('code') ?? `http-${response.status}`,
    text('detail') ?? text('message') ?? 'The broker refused the request.',
    {
      status: response.status,
      ...(correlationId === undefined ? {} : { correlationId }),
      ...(Number.isFinite(retryAfter) ? { retryAfterMs: retryAfter * 1000 } : {}),
    },
  );
}

/** How long to wait before the next attempt, ms; undefined if a retry does not help. */
export function retryDelay(problem: TokenError, attempt: number): number | undefined {
  const { status, retryAfterMs } = problem;
  const passing = status === undefined ? problem.code === 'network' : status === 429 || status >= 502;
  if (!passing && retryAfterMs === undefined) return undefined;
  const backOff = Math.min(500 * 2 ** attempt, 8_000) * (0.5 + Math.random() / 2);
  return Math.max(retryAfterMs ?? 0, backOff);
}
