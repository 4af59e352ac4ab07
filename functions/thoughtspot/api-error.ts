/**
 * Errors of the session API's client, by the names of the 2021 beta's SDK. Unlike there, `instanceof` works. Unlike
 * there, none of them shows a secret when printed, serialised or logged: `request` holds no body and no bearer, and
 * what came from the other side (headers, body, result) can be read but is not enumerable.
 */

import type { Lost } from './transport.ts';

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
