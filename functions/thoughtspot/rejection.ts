import { Failure } from '../broker/failure.ts';
import type { ProblemCode } from '../contract/problems.ts';
import { GUID, isObject } from '../contract/shapes.ts';
import { defined, parseJson, type JsonObject } from './json-fields.ts';
import type { Lost, Reply } from './transport.ts';

/** Why there is no result. */
export interface Rejection {
  readonly failure: Failure;
  /** ThoughtSpot certainly did nothing of what was asked. False: it may have, and its answer is lost. */
  readonly certain: boolean;
  /** The answer is in one of ThoughtSpot's own error shapes: it has judged the request itself. */
  readonly judged?: boolean;
}

export type DialectName = 'auth-2.0' | 'session-v2';

type Answer = Pick<Reply, 'status'> & { readonly body: ErrorBody; readonly dialect: DialectName };

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
  // token/custom, 26.9 and later: another mint is changing the same variable, and nothing was applied (wire facts 3.8).
  ['upstream-conflict', ({ status }) => status === 409],
  ['upstream-invalid', ({ status }) => status < 400],
  ['upstream-timeout', ({ status }) => status === 504 || status === 408],
  ['upstream-invalid', isFromSomebodyElse],
  ['upstream-trusted-auth-disabled', ({ body }) => TRUSTED_AUTH_OFF.test(body.text)],
  ['user-not-provisioned', ({ body }) => NO_SUCH_USER.test(words(body.text))],
  ['upstream-credential-refused', ({ status, body }) => status === 401 || body.code === BAD_CREDENTIAL],
  // The beta documents 500 as "Operation failed or unauthorized request": its only way to refuse a credential.
  [
    'upstream-credential-refused',
    ({ status, body, dialect }) =>
      dialect === 'session-v2' && status === 500 && body.recognised && body.code === undefined,
  ],
  ['upstream-refused', ({ status, body }) => status === 500 && body.recognised && NO_PERMISSION.test(body.text)],
  ['upstream-unavailable', ({ status }) => status >= 500],
  ['upstream-refused', () => true],
];

/**
 * A 401, 403 or 407 in none of ThoughtSpot's error shapes is the word of a proxy, a firewall or a sign-in page on the
 * way: ThoughtSpot has not judged the credential, and nobody needs to be paged for it.
 */
function isFromSomebodyElse({ status, body }: Pick<Answer, 'status' | 'body'>): boolean {
  return (status === 401 || status === 403 || status === 407) && !body.recognised;
}

/**
 * Turns an answer that is not a result into a failure. `what` names the call, such as `POST /auth/token/full`. The
 * failure's reason holds the status, ThoughtSpot's numeric code and its incident id, never its text: that may repeat
 * user names or worse.
 * Whether it is certain that nothing was done is in the table of docs/architecture.md.
 */
export function rejectionOf(reply: Reply, what: string, dialect: DialectName, nowMs: number): Rejection {
  const body = errorBodyOf(reply, dialect);
  const { html, code, incident } = body;
  const details = [
    html && 'HTML',
    code !== undefined && `code ${code}`,
    incident !== undefined && `incident ${incident}`,
  ];
  const said = details.filter(Boolean).join(', ');
  const who = isFromSomebodyElse({ status: reply.status, body }) ? 'somebody on the way to ThoughtSpot' : 'ThoughtSpot';
  const reason = `${who} answered ${reply.status}${said === '' ? '' : ` (${said})`} to ${what}`;
  const retryAfterMs = retryAfter(reply, nowMs);
  const failure = new Failure(codeOf(reply, dialect, body), { reason, ...defined({ retryAfterMs }) });
  return { certain: certainlyNotDone(reply, dialect, body), failure, judged: body.recognised };
}

/** In the beta every JSON object with `error` is the documented error model, `{ error?: unknown }`. */
const errorBodyOf = (reply: Reply, dialect: DialectName): ErrorBody => readErrorBody(reply, dialect === 'session-v2');

/** Our word for an answer that is not a result. */
export function codeOf(reply: Reply, dialect: DialectName, body = errorBodyOf(reply, dialect)): ProblemCode {
  const { status } = reply;
  return RULES.find(([, matches]) => matches({ status, body, dialect }))?.[0] ?? 'upstream-refused';
}

/** Whether ThoughtSpot certainly did nothing of what was asked: the table above. */
export function certainlyNotDone(reply: Reply, dialect: DialectName, body = errorBodyOf(reply, dialect)): boolean {
  const { status, headers } = reply;
  if ((status >= 400 && status < 500) || body.maintenance) return true;
  if (status < 400) return status === 301 || status === 307 || status === 308;
  if (status === 503 && headers['retry-after'] !== undefined) return true;
  return status !== 504 && body.recognised && !/\btime(d)?[ -]?out\b/i.test(body.text);
}

/**
 * ThoughtSpot does not accept the bearer of the call now: 401, or 500 with its code for that (session-v2 knows no 401),
 * in one of its own error shapes. A 401 of any other shape is somebody else's: a proxy, a login wall.
 */
export function refusesBearer(reply: Reply): boolean {
  if (reply.status !== 401 && reply.status !== 500) return false;
  const { recognised, code } = readErrorBody(reply);
  return recognised && (reply.status === 401 || code === BAD_CREDENTIAL);
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
  const value = reply.headers['retry-after']?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** USER_NOT_FOUND and userNotFound read as words. */
function words(text: string): string {
  return text.replace(/_/g, ' ').replace(/([a-z])([A-Z])/g, '$1 $2');
}

/** What an error body says, whatever its shape. `text` is for matching only: it must not reach a log or an answer. */
export interface ErrorBody {
  /** It is one of the error shapes that ThoughtSpot is known to send: ThoughtSpot itself has judged the request. */
  readonly recognised: boolean;
  readonly code?: number;
  readonly text: string;
  /** ThoughtSpot's own handle on the incident: it reveals nothing, and its support can look it up. */
  readonly incident?: string;
  /** The page that stands in for a cluster under maintenance (cs_tools thoughtspot.py). */
  readonly maintenance: boolean;
  readonly html: boolean;
}

const MAX_DEPTH = 12;
const MAX_NODES = 500;
const MAX_TEXT = 4_000;
const NOT_PROSE = /guid|stacktrace|^path$|^locations$/i;

/**
 * Reads an error body tolerantly: the documented shape (`error.message.code/debug`), the live one that is a level
 * deeper with its text as a JSON array in a string, with or without the outer `error`, the beta's `error.errors`
 * (wire facts 2 and 3.5), HTML, or nothing. `errorAlone`: any object with `error` is recognised. Never throws.
 */
export function readErrorBody({ headers, body }: Reply, errorAlone = false): ErrorBody {
  const html = /\bhtml\b/i.test(headers['content-type'] ?? '') || /^\s*<(!doctype|html|head|body)\b/i.test(body);
  if (html) return { recognised: false, text: '', html, maintenance: /\b(site|system)\s+maintenance\b/i.test(body) };

  const json = parseJson(body);
  let recognised = isMessage(json) || (errorAlone && isObject(json) && 'error' in json);
  let code: number | undefined;
  let incident: string | undefined;
  let nodes = 0;
  const texts: string[] = [];

  function walk(value: unknown, key: string, depth: number): void {
    nodes += 1;
    if (depth > MAX_DEPTH || nodes > MAX_NODES) return;
    if (typeof value === 'string') readText(value, key, depth);
    else if (Array.isArray(value)) for (const item of value) walk(item, key, depth + 1);
    else if (isObject(value)) {
      readFields(value);
      for (const [name, item] of Object.entries(value)) walk(item, name, depth + 1);
    }
  }

  function readText(value: string, key: string, depth: number): void {
    if (NOT_PROSE.test(key)) return;
    const nested = /^\s*[[{]/.test(value) ? parseJson(value) : undefined;
    if (nested !== undefined) walk(nested, key, depth + 1);
    else if (value.trim() !== '') texts.push(value.slice(0, MAX_TEXT));
  }

  function readFields(value: JsonObject): void {
    const { code: number, incident_id_guid: guid } = value;
    if (typeof guid === 'string' && GUID.test(guid)) incident ??= guid;
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) return;
    code ??= number;
    if ('debug' in value || 'incident_id_guid' in value || 'trace_id_guid' in value) recognised = true;
  }

  walk(json, '', 0);
  const text = texts.join(' ').slice(0, MAX_TEXT);
  return { recognised, text, html, maintenance: false, ...defined({ code, incident }) };
}

/** `{ error: { message } }`; a bare `{ error: "text" }` or `{ message: "text" }` is what proxies say too. */
function isMessage(json: unknown): boolean {
  if (!isObject(json) || !isObject(json.error)) return false;
  const { message } = json.error;
  return isObject(message) || (typeof message === 'string' && message !== '');
}
