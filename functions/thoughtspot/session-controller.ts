import {
  AbortError,
  ApiError,
  ArgumentsValidationError,
  ConnectionError,
  ErrorResponseError,
  ResponseValidationError,
  type ApiResponse,
  type HttpRequest,
} from './api-error.ts';
import type { Client } from './client.ts';
import type { Dialect, Operation, TokenValidity } from './dialects/dialect.ts';
import { DIALECTS } from './dialects/dialects.ts';
import type {
  ApiRestV2SessionGettokenRequest,
  ApiRestV2SessionLoginRequest,
  SessionInfoResponse,
  SessionLoginResponse,
} from './models.ts';
import { parseJson } from './reading.ts';
import type { Reply, RequestParts } from './transport.ts';

export interface RequestOptions {
  readonly abortSignal?: AbortSignal;
}

/**
 * ThoughtSpot's five session operations as its 2021 beta names them, in either dialect (see `Client`). Each resolves
 * with an ApiResponse, or rejects with ErrorResponseError (500), ApiError (any other status but 2xx, redirects too),
 * ResponseValidationError (2xx of another shape), ArgumentsValidationError, AbortError or ConnectionError. One call is
 * one request: nothing is retried.
 */
export class SessionController {
  readonly #client: Client;
  readonly #dialect: Dialect;

  constructor(client: Client) {
    this.#client = client;
    this.#dialect = DIALECTS[client.dialect];
  }

  /** Who the access token belongs to. */
  async sessionInfo(requestOptions?: RequestOptions): Promise<ApiResponse<SessionInfoResponse>> {
    return this.#call(this.#dialect.sessionInfo, { bearer: this.#client.bearer() }, requestOptions);
  }

  /** Opens a session with a user's name and password. In auth-2.0 it is a cookie session: `token` is blank. */
  async login(
    body: ApiRestV2SessionLoginRequest,
    requestOptions?: RequestOptions,
  ): Promise<ApiResponse<SessionLoginResponse>> {
    requireCredentials(body);
    return this.#call(this.#dialect.login, { ...body, ...this.#org() }, requestOptions);
  }

  /** Creates a token for the user whose name and password are given; `tokenExpiryDuration` is in seconds. */
  async gettoken(
    body: ApiRestV2SessionGettokenRequest,
    requestOptions?: RequestOptions,
  ): Promise<ApiResponse<SessionLoginResponse>> {
    requireCredentials(body);
    const { userName, password, tokenExpiryDuration } = body;
    const input = {
      userName,
      proof: { kind: 'password', password },
      ...(this.#dialect.mintsWithSession ? { bearer: this.#client.bearer() } : {}),
      ...(tokenExpiryDuration === undefined ? {} : { validitySeconds: Number(tokenExpiryDuration) }),
      ...this.#org(),
      rights: { kind: 'full' },
      provisioning: null,
    } as const;
    return this.#call(this.#dialect.gettoken, input, requestOptions);
  }

  /** Ends the current session. The beta sends no bearer, so that it works by cookie only; auth-2.0 sends it. */
  async logout(requestOptions?: RequestOptions): Promise<ApiResponse<boolean>> {
    return this.#call(this.#dialect.logout, { bearer: this.#client.bearer() }, requestOptions);
  }

  /** Revokes the access token that the client is configured with. */
  async revoketoken(requestOptions?: RequestOptions): Promise<ApiResponse<boolean>> {
    const { userName } = this.#client;
    const input = { bearer: this.#client.bearer(), ...(userName === undefined ? {} : { userName }) };
    return this.#call(this.#dialect.revoketoken, input, requestOptions);
  }

  /** Until when the access token is good, and for which user id. auth-2.0 only: the beta has no such operation. */
  async validatetoken(requestOptions?: RequestOptions): Promise<ApiResponse<TokenValidity>> {
    const { validate } = this.#dialect;
    if (validate === undefined) throw new TypeError(`Dialect ${this.#dialect.name} cannot validate tokens.`);
    return this.#call(validate, { bearer: this.#client.bearer() }, requestOptions);
  }

  async #call<Input, Model>(
    operation: Operation<Input, unknown, Model>,
    input: Input,
    requestOptions: RequestOptions | undefined,
  ): Promise<ApiResponse<Model>> {
    const { transport, timeout } = this.#client;
    const parts = operation.encode(input);
    const exchange = await transport.exchange(parts, timeout, requestOptions?.abortSignal);
    if (exchange.kind === 'lost') {
      if (exchange.cause === 'aborted') throw new AbortError();
      throw new ConnectionError(exchange.code ?? exchange.cause);
    }
    const { reply } = exchange;
    const request = shown(parts, transport.origin);
    if (reply.status < 200 || reply.status >= 300) throw apiError(request, reply);
    const result = operation.model(reply, input);
    if (result === undefined)
      throw new ResponseValidationError(answer(request, reply, undefined), 'The answer does not have the right shape.');
    return answer(request, reply, result);
  }

  #org(): { readonly orgId?: number } {
    const { orgId } = this.#client;
    return orgId === undefined ? {} : { orgId };
  }
}

function requireCredentials(body: { readonly userName?: unknown; readonly password?: unknown }): void {
  const missing = (['userName', 'password'] as const).filter((field) => typeof body[field] !== 'string');
  if (missing.length > 0) throw new ArgumentsValidationError(missing);
}

function apiError(request: HttpRequest, reply: Reply): ApiError {
  const failed = answer(request, reply, parseJson(reply.body));
  return reply.status === 500
    ? new ErrorResponseError(failed, 'Operation failed or unauthorized request')
    : new ApiError(failed, `Response status code was not ok: ${reply.status}.`);
}

function answer<T>(request: HttpRequest, { status, headers, body }: Reply, result: T): ApiResponse<T> {
  return { request, statusCode: status, headers, result, body };
}

function shown({ method, path, headers }: RequestParts, origin: URL): HttpRequest {
  const { authorization: _secret, ...rest } = headers;
  return { method, url: new URL(path, origin).href, headers: rest };
}
