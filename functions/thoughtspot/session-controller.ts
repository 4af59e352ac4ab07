import type { MintedToken, SessionInfo } from '../broker/ports.ts';
import {
  AbortError,
  ApiError,
  ArgumentsValidationError,
  ConnectionError,
  ErrorResponseError,
  ResponseValidationError,
  type ApiResponse,
  type ApiRestV2SessionGettokenRequest,
  type ApiRestV2SessionLoginRequest,
  type HttpRequest,
  type SessionInfoResponse,
  type SessionLoginResponse,
} from './session-api.ts';
import type { Dialect, Operation } from './dialect.ts';
import { DIALECTS } from './dialects.ts';
import { parseJson } from './json-fields.ts';
import type { DialectName } from './rejection.ts';
import { makeTransport, originOf, type Reply, type RequestParts, type Transport } from './transport.ts';

export interface Configuration {
  /** Origin of the cluster; https, http only for loopback. */
  readonly baseUrl: string;
  readonly dialect: DialectName;
  /** Bearer of the operations that send one. */
  readonly accessToken: string;
  /** Cookies of a session, sent in place of the access token: `logout` of the beta works by cookie only. */
  readonly cookie?: string;
  /** For connecting, head and body together, ms. */
  readonly timeout: number;
  /** auth-2.0: revoketoken names the user as well as the token. */
  readonly userName?: string;
  /** auth-2.0: login and gettoken ask for this org; without it ThoughtSpot chooses one. */
  readonly orgId?: number;
}

const DEFAULTS = { baseUrl: 'https://localhost:443', dialect: 'session-v2', accessToken: '', timeout: 30_000 } as const;

/**
 * One cluster, one configuration, for SessionController. Where the beta's client waited for ever by default, this one
 * gives up after 30 s. Prints without its access token. Call `close` when done: it holds connections.
 */
export class Client {
  readonly transport: Transport;
  readonly #configuration: Configuration;

  constructor(configuration: Partial<Configuration> = {}, transport?: Transport) {
    this.#configuration = { ...DEFAULTS, ...configuration };
    this.transport = transport ?? makeTransport(originOf(this.#configuration.baseUrl), Date.now);
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  /** The same cluster and connections with some settings changed; another `baseUrl` gets its own connections. */
  withConfiguration(changes: Partial<Configuration>): Client {
    const next = { ...this.#configuration, ...changes };
    return new Client(next, next.baseUrl === this.#configuration.baseUrl ? this.transport : undefined);
  }

  close(): Promise<void> {
    return this.transport.close();
  }
}

export interface RequestOptions {
  readonly abortSignal?: AbortSignal;
}

/**
 * ThoughtSpot's five session operations as its 2021 beta names them, in either dialect (see `Client`). Each resolves
 * with an ApiResponse, or rejects with ErrorResponseError (500), ApiError (any other status but 2xx, redirects too),
 * ResponseValidationError (2xx without what the operation answers), ArgumentsValidationError, AbortError or
 * ConnectionError. One call is one request: nothing is retried.
 */
export class SessionController {
  readonly #client: Client;
  readonly #dialect: Dialect;

  constructor(client: Client) {
    this.#client = client;
    this.#dialect = DIALECTS[client.configuration.dialect];
  }

  /** Who the access token belongs to. */
  async sessionInfo(requestOptions?: RequestOptions): Promise<ApiResponse<SessionInfoResponse>> {
    const input = { bearer: this.#client.configuration.accessToken };
    return this.#call(this.#dialect.sessionInfo, input, sessionInfoResponse, requestOptions);
  }

  /** Opens a session with a user's name and password. In auth-2.0 it is a cookie session: `token` is blank. */
  async login(
    body: ApiRestV2SessionLoginRequest,
    requestOptions?: RequestOptions,
  ): Promise<ApiResponse<SessionLoginResponse>> {
    requireCredentials(body);
    const response = (value: MintedToken | 'cookie-session'): SessionLoginResponse =>
      value === 'cookie-session' ? { userName: body.userName, token: '', tokenType: 'Cookie' } : tokenResponse(value);
    return this.#call(this.#dialect.login, { ...body, ...this.#org() }, response, requestOptions);
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
      ...(this.#dialect.mintsWithSession ? { bearer: this.#client.configuration.accessToken } : {}),
      ...(tokenExpiryDuration === undefined ? {} : { validitySeconds: Number(tokenExpiryDuration) }),
      ...this.#org(),
      rights: { kind: 'full' },
      provisioning: null,
    } as const;
    return this.#call(this.#dialect.gettoken, input, tokenResponse, requestOptions);
  }

  /** Ends the current session. The beta sends no bearer, so that it works by cookie only; auth-2.0 sends it. */
  async logout(requestOptions?: RequestOptions): Promise<ApiResponse<boolean>> {
    const input = { bearer: this.#client.configuration.accessToken };
    return this.#call(this.#dialect.logout, input, itself, requestOptions);
  }

  /** Revokes the access token that the client is configured with. */
  async revoketoken(requestOptions?: RequestOptions): Promise<ApiResponse<boolean>> {
    const { accessToken, userName } = this.#client.configuration;
    const input = { bearer: accessToken, ...(userName === undefined ? {} : { userName }) };
    return this.#call(this.#dialect.revoketoken, input, itself, requestOptions);
  }

  async #call<Input, Value, Response>(
    operation: Operation<Input, Value>,
    input: Input,
    responseOf: (value: Value) => Response,
    requestOptions: RequestOptions | undefined,
  ): Promise<ApiResponse<Response>> {
    const { transport, configuration } = this.#client;
    const parts = withCookie(operation.encode(input), configuration.cookie);
    const exchange = await transport.exchange(parts, configuration.timeout, requestOptions?.abortSignal);
    if (exchange.kind === 'lost') {
      if (exchange.cause === 'aborted') throw new AbortError();
      throw new ConnectionError(exchange);
    }
    const { reply } = exchange;
    const request = shown(parts, transport.origin);
    if (reply.status < 200 || reply.status >= 300) throw apiError(request, reply);
    const value = operation.decode(reply, input);
    if (value === undefined)
      throw new ResponseValidationError(answer(request, reply, undefined), 'The answer does not have the right shape.');
    return answer(request, reply, responseOf(value));
  }

  #org(): { readonly orgId?: number } {
    const { orgId } = this.#client.configuration;
    return orgId === undefined ? {} : { orgId };
  }
}

const itself = (value: boolean): boolean => value;

function tokenResponse({ userName, token, createdAt, lifetimeMs, tokenType }: MintedToken): SessionLoginResponse {
  return {
    userName,
    token,
    ...(createdAt === undefined ? {} : { tokenCreatedTime: String(createdAt) }),
    tokenExpiryDuration: String(Math.floor(lifetimeMs / 1_000)),
    tokenType,
  };
}

function sessionInfoResponse(info: SessionInfo | 'token-not-accepted'): SessionInfoResponse {
  if (info === 'token-not-accepted') return {};
  const { userName, userId, details } = info;
  return { ...details, userName, ...(userId === undefined ? {} : { userGUID: userId }) };
}

function withCookie(parts: RequestParts, cookie: string | undefined): RequestParts {
  if (cookie === undefined) return parts;
  const { authorization: _bearer, ...headers } = parts.headers;
  return { ...parts, headers: { ...headers, cookie } };
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
  const { authorization: _secret, cookie: _session, ...rest } = headers;
  return { method, url: new URL(path, origin).href, headers: rest };
}
