import type { Failure } from '../broker/failure.ts';
import { PROBLEM_TYPE_BASE, PROBLEMS } from '../contract/problems.ts';
import { problem, type Answer } from './answer.ts';

/** A failure as RFC 9457 problem details. Of the failure only its code, wait and field errors leave the broker. */
export function problemAnswer(failure: Failure, correlationId: string): Answer {
  const { status, title, detail } = PROBLEMS[failure.code];
  const wait = failure.retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(failure.retryAfterMs / 1000));
  return problem(
    status,
    {
      type: `${PROBLEM_TYPE_BASE}${failure.code}`,
      title,
      status,
      detail,
      code: failure.code,
      correlationId,
      ...(failure.errors.length === 0 ? {} : { errors: failure.errors }),
    },
    wait === undefined ? {} : { 'retry-after': String(wait) },
  );
}
