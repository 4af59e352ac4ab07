import { randomUUID } from 'node:crypto';
import type { Switches } from './switches.ts';

/** ThoughtSpot's numbers for what went wrong. They are overloaded: only status and text together say which (facts 3.5). */
export const CODE = { badInput: 10002, credential: 10097, forbidden: 10023, server: 10038 } as const;

/** An answer that says no. Thrown by endpoints, rendered by the exchange. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: number;
  readonly headers: Record<string, string>;

  constructor(status: number, code: number, debug: string, headers: Record<string, string> = {}) {
    super(debug);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export const badInput = (debug: string): Refusal => new Refusal(400, CODE.badInput, debug);
export const forbidden = (debug: string): Refusal => new Refusal(403, CODE.forbidden, debug);
/** Wire facts 3.5: revoke, validate and every other call without a live bearer. */
export const unauthenticated = (): Refusal =>
  new Refusal(401, CODE.credential, 'Unauthorized request: the token is missing, invalid, revoked or expired.');

/**
 * The error body of REST API v2.0 in one of its shapes (wire facts 3.5): as documented; or as seen on clusters, one
 * level deeper, with the text inside a JSON array that is itself a string; or that without the outer `error`.
 */
export function errorBody(refusal: Refusal, shape: Switches['errorShape']): unknown {
  const detail = { code: refusal.code, incident_id_guid: randomUUID() };
  if (shape === 'documented') {
    return { error: { message: { ...detail, trace_id_guid: randomUUID(), debug: refusal.message } } };
  }
  const debug = JSON.stringify([refusal.message, '']);
  const message = { debug: { ...detail, trace_id_guid: 'tracing-disabled', debug } };
  return shape === 'live' ? { error: { message } } : { message };
}

/**
 * The error body of the session-v2 dialect. Its revision declares `{ error? }` only; the later beta's specification
 * shows what is inside (wire facts 2: B error body example), so that is what the documented shape is.
 */
export function sessionErrorBody(refusal: Refusal, path: string, shape: Switches['errorShape']): unknown {
  if (shape !== 'documented') return errorBody(refusal, shape);
  const data = {
    code: refusal.code,
    incident_id_guid: randomUUID(),
    trace_id_guid: randomUUID(),
    debug: refusal.message,
  };
  const exception = { service: 'CALLOSUM', upstreamResponse: { data, status: refusal.status }, stacktrace: [] };
  const extension = { service: 'CALLOSUM', code: 'UPSTREAM_FAILURE', exception };
  return {
    error: { errors: { message: 'Operation failed or unauthorized request', locations: [], path: [path], extension } },
  };
}
