import { Failure } from '../broker/failure.ts';
import type { ProblemCode } from '../contract/problems.ts';
import { isObject } from '../contract/shapes.ts';
import { readErrorBody, type ErrorBody } from './error-body.ts';
import { parseJson } from './json-fields.ts';
import type { Lost, Reply } from './transport.ts';

/** Why there is no result. */
export interface Rejection {
  readonly failure: Failure;
  /** ThoughtSpot certainly did nothing of what was asked. False: it may have, and its answer is lost. */
  readonly certain: boolean;
}

export type DialectName = 'auth-2.0' | 'session-v2';

interface Answer {
  readonly status: number;
  readonly body: ErrorBody;
  readonly dialect: DialectName;
}

/** ThoughtSpot's number for a credential or bearer that it does not accept (wire facts 3.5). */
const BAD_CREDENTIAL = 10097;

const TRUSTED_AUTH_OFF =
  /(trusted|token[- ]based)[- ]auth\w*\b.{0,60}\b(not enabled|disabled|off)\b|not enabled for (this|the) (cluster|org)/i;
const NO_SUCH_USER = new RegExp(
  [
    String.raw`\b(user( ?name)?|account)\b.{0,80}\b(not (be )?found|not exist|doesn'?t exist|unknown|not known)\b`,
    String.raw`\b(user( ?name)?|account)\b.{0,80}\b(inactive|not active|locked|suspended|disabled|deactivated)\b`,
    String.raw`\buser( ?name)?\b.{0,80}\b(not|n't) (a |an |the )?(member|part|belong|in|assigned|accessible)\b`,
    String.raw`\b(no such|unknown|inactive|locked|suspended) (user|account)\b`,
    String.raw`\binvalid user\b(?! ?name)`,
    String.raw`\b(could not|cannot|can't|failed to|unable to) find (the )?user\b`,
    String.raw`\borg\w*\b.{0,60}\bnot (a )?(valid|accessible|found)\b`,
  ].join('|'),
  'i',
);
const NO_PERMISSION = /forbidden|permission|privilege|not authorized|unauthorized|access denied/i;

/** First match decides. Status and text, not the code alone: 10023 is "feature off" or "no access" (wire facts 3.5). */
const RULES: readonly (readonly [ProblemCode, (answer: Answer) => boolean])[] = [
  ['upstream-busy', ({ status }) => status === 429],
  ['upstream-invalid', ({ status }) => status < 400],
  ['upstream-timeout', ({ status }) => status === 504 || status === 408],
  ['upstream-trusted-auth-disabled', ({ body }) => TRUSTED_AUTH_OFF.test(body.text)],
  ['user-not-provisioned', ({ body }) => NO_SUCH_USER.test(words(body.text))],
  ['upstream-credential-refused', ({ status, body }) => status === 401 || body.code === BAD_CREDENTIAL],
  // The beta documents 500 as "Operation failed or unauthorized request": its only way to refuse a credential.
  ['upstream-credential-refused', (answer) => isBetaRefusal(answer)],
  ['upstream-refused', ({ status, body }) => status === 500 && body.recognised && NO_PERMISSION.test(body.text)],
  ['upstream-unavailable', ({ status }) => status >= 500],
  ['upstream-refused', () => true],
];

function isBetaRefusal({ dialect, status, body }: Answer): boolean {
  return dialect === 'session-v2' && status === 500 && body.recognised && body.code === undefined;
}

/**
 * Turns an answer that is not a result into a failure. `what` names the call, such as `POST /auth/token/full`. The
 * failure's reason holds the status, ThoughtSpot's numeric code and its incident id, never its text: that may repeat
 * user names or worse.
 *
 * | answer | certain |
 * |---|---|
 * | any 4xx | yes: HTTP says that it was not done |
 * | 301, 307, 308 | yes: the request must be sent to another address |
 * | other 3xx | no: ThoughtSpot's v1 login answers success with 302 |
 * | 5xx in one of ThoughtSpot's error shapes, not 504 | yes |
 * | maintenance page, 503 with Retry-After | yes: the proxy in front did not pass it on |
 * | other 5xx | no: a proxy may have lost ThoughtSpot's answer |
 * | 2xx without a result | no |
 */
export function rejectionOf(reply: Reply, what: string, dialect: DialectName, nowMs: number): Rejection {
  const body = recognise(reply, dialect);
  const answer: Answer = { status: reply.status, body, dialect };
  const code = RULES.find(([, matches]) => matches(answer))?.[0] ?? 'upstream-refused';
  const retryAfterMs = retryAfter(reply, nowMs);
  const details = [
    body.html ? 'HTML' : undefined,
    body.code === undefined ? undefined : `code ${body.code}`,
    body.incident === undefined ? undefined : `incident ${body.incident}`,
  ].filter((detail) => detail !== undefined);
  const reason = `ThoughtSpot answered ${reply.status}${details.length > 0 ? ` (${details.join(', ')})` : ''} to ${what}`;
  const certain = isCertain(reply, body);
  return { certain, failure: new Failure(code, { reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }) };
}

/** In the beta every JSON object with `error` is the documented error model, `{ error?: unknown }`. */
function recognise(reply: Reply, dialect: DialectName): ErrorBody {
  const body = readErrorBody(reply);
  if (dialect !== 'session-v2' || body.recognised || body.html) return body;
  const json = parseJson(reply.body);
  return isObject(json) && 'error' in json ? { ...body, recognised: true } : body;
}

/** Whether ThoughtSpot certainly did nothing of what was asked: the table above. */
export function certainlyNotDone(reply: Reply, dialect: DialectName): boolean {
  return isCertain(reply, recognise(reply, dialect));
}

function isCertain({ status, headers }: Reply, body: ErrorBody): boolean {
  if (status >= 400 && status < 500) return true;
  if (body.maintenance) return true;
  if (status < 400) return status === 301 || status === 307 || status === 308;
  if (status === 503 && headers['retry-after'] !== undefined) return true;
  return status !== 504 && body.recognised && !/\btime(d)?[ -]?out\b/i.test(body.text);
}

/**
 * ThoughtSpot does not accept the bearer of the call: 401, or 500 with its code for that (session-v2 knows no 401). A
 * 401 in HTML is somebody else's: a proxy, a login wall.
 */
export function refusesBearer(reply: Reply): boolean {
  if (reply.status !== 401 && reply.status !== 500) return false;
  const { html, recognised, code } = readErrorBody(reply);
  return reply.status === 401 ? !html : recognised && code === BAD_CREDENTIAL;
}

const LOST_CODES = {
  timeout: 'upstream-timeout',
  aborted: 'upstream-timeout',
  unreachable: 'upstream-unavailable',
  reset: 'upstream-unavailable',
  unreadable: 'upstream-invalid',
  'too-large': 'upstream-invalid',
} as const satisfies Record<Lost['cause'], ProblemCode>;

/** No whole answer came: certain if nothing was sent, or if the head of the answer was a refusal (4xx). */
export function lossOf(lost: Lost, what: string): Rejection {
  const { sent, status, cause, code } = lost;
  const certain = !sent || (status !== undefined && status >= 400 && status < 500);
  const reason = `${what}: ${cause}${code === undefined ? '' : ` (${code})`}, ${sent ? 'after' : 'before'} it was sent`;
  return { certain, failure: new Failure(LOST_CODES[cause], { reason }) };
}

/** Retry-After in ms: seconds or an HTTP date; undefined if absent or unreadable. */
export function retryAfter(reply: Reply, nowMs: number): number | undefined {
  const value = reply.headers['retry-after']?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** USER_NOT_FOUND and userNotFound read as words. */
function words(text: string): string {
  return text.replace(/_/g, ' ').replace(/([a-z])([A-Z])/g, '$1 $2');
}
