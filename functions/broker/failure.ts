import { PROBLEMS, type ProblemCode } from '../contract/problems.ts';

/** A fault in a field of a request. `field` is a JSON path such as `validitySeconds`, or `body`. */
export interface FieldError {
  readonly field: string;
  readonly detail: string;
}

export interface FailureOptions {
  /** For operators only: logged, never sent to a caller. Must hold no secret, token, JWT or claim value. */
  readonly reason?: string;
  /** How long a caller should wait, in ms; rounded up to whole seconds on the wire. */
  readonly retryAfterMs?: number;
  /** Faults of the request, sent to the caller. */
  readonly errors?: readonly FieldError[];
  /** With `sign-in-again`: how old the sign-in may be, s; sent to the caller. */
  readonly maxAge?: number;
  readonly cause?: unknown;
}

/**
 * The one error that the broker throws on purpose. `code` is stable and maps to a status and a sentence in
 * contract/problems.ts; the edge turns it into an answer, anything else that is thrown becomes `internal-error`.
 */
export class Failure extends Error {
  readonly code: ProblemCode;
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly errors: readonly FieldError[];
  readonly maxAge: number | undefined;

  constructor(code: ProblemCode, options: FailureOptions = {}) {
    super(options.reason === undefined ? code : `${code}: ${options.reason}`, { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.reason = options.reason;
    this.retryAfterMs = options.retryAfterMs ?? (PROBLEMS[code].retry ? 1_000 : undefined);
    this.errors = options.errors ?? [];
    this.maxAge = options.maxAge;
  }
}

/** Why a caller's revocation was refused that names a lease of somebody else; he is told that there is none. */
export const OTHERS_LEASE = 'it is the lease of another caller';
