import type { Lost } from './transport.ts';

/**
 * The data and errors of the session API as its 2021 beta publishes them. Every field of an answer is optional, and
 * optional means absent (wire facts 1.3 and 1.4). Unlike there, `instanceof` works, and no error shows a secret when
 * printed, serialised or logged: `request` holds no body and no bearer, and what came from the other side (headers,
 * body, result) can be read but is not enumerable.
 */

export interface ApiRestV2SessionLoginRequest {
  userName: string;
  password: string;
  rememberMe?: boolean;
}

export interface ApiRestV2SessionGettokenRequest {
  userName: string;
  password: string;
  /** Seconds, as a number; in the answer the field of this name is a string. */
  tokenExpiryDuration?: number;
}

export interface SessionLoginResponse {
  userName?: string;
  /** Blank if tokenType is a cookie. */
  token?: string;
  tokenCreatedTime?: string;
  tokenExpiryDuration?: string;
  tokenType?: string;
}

export interface DateFormat {
  formatPattern?: string;
}

export interface SessionInfoResponse {
  userName?: string;
  userDisplayName?: string;
  userEmail?: string;
  userCreatedTime?: number;
  userGUID?: string;
  canChangePassword?: boolean;
  isSystemUser?: boolean;
  userGroupMask?: number;
  privileges?: string[];
  expirationTime?: number;
  authToken?: string;
  locale?: string;
  timezone?: string;
  dateFormat?: DateFormat;
  timeFormat?: DateFormat;
  dateTimeFormat?: DateFormat;
  partialJSessionGUID?: string;
  isFirstLogin?: boolean;
  firstLoginDate?: number;
  userProperties?: { persona?: string; mail?: string };
  state?: string;
}

/** Names that sessionInfo answers with, but for tokens and cookies, which leave the broker under no name. */
export const SESSION_INFO_FIELDS: ReadonlySet<string> = new Set([
  'userDisplayName',
  'userEmail',
  'userCreatedTime',
  'canChangePassword',
  'isSystemUser',
  'userGroupMask',
  'privileges',
  'expirationTime',
  'locale',
  'timezone',
  'dateFormat',
  'timeFormat',
  'dateTimeFormat',
  'isFirstLogin',
  'firstLoginDate',
  'userProperties',
  'state',
] satisfies (keyof SessionInfoResponse)[]);

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  /** Without Authorization and cookies. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A call that was answered. `result` and `body` may hold a token: the answer is not to be logged. */
export interface ApiResponse<T> {
  readonly request: HttpRequest;
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly result: T;
  readonly body: string;
}

/** ThoughtSpot answered with another status than 2xx. `result` is the parsed body, undefined if that is not JSON. */
export class ApiError<T = unknown> extends Error implements ApiResponse<T | undefined> {
  readonly request: HttpRequest;
  readonly statusCode: number;
  declare readonly headers: Readonly<Record<string, string>>;
  declare readonly result: T | undefined;
  declare readonly body: string;

  constructor(answer: ApiResponse<T | undefined>, message: string) {
    super(message);
    this.name = new.target.name;
    this.request = answer.request;
    this.statusCode = answer.statusCode;
    const { headers, result, body } = answer;
    Object.defineProperties(this, { headers: { value: headers }, result: { value: result }, body: { value: body } });
  }
}

/** Status 500, the only error that the beta documents. */
export class ErrorResponseError<T = unknown> extends ApiError<T> {}

/** 2xx, but not the answer that the operation has. */
export class ResponseValidationError extends ApiError {}

/** The call was not made: an argument is missing or of the wrong type. `fields` names them. */
export class ArgumentsValidationError extends Error {
  readonly fields: readonly string[];

  constructor(fields: readonly string[]) {
    super(`Missing or of the wrong type: ${fields.join(', ')}.`);
    this.name = new.target.name;
    this.fields = fields;
  }
}

/** The caller's signal ended the call, or had done so before it was made. */
export class AbortError extends Error {
  constructor() {
    super('The HTTP call was aborted.');
    this.name = new.target.name;
  }
}

/** No answer came: `code` is the system's (ECONNREFUSED) or the transport's own word (timeout, too-large, reset). */
export class ConnectionError extends Error {
  readonly code: string;
  readonly lost: Lost;

  constructor(lost: Lost) {
    const code = lost.code ?? lost.cause;
    super(`No answer from ThoughtSpot: ${code}.`);
    this.name = new.target.name;
    this.code = code;
    this.lost = lost;
  }
}
