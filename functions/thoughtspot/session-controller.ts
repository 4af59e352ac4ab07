import { isSuccess, type Dialect, type GettokenInput, type LoginInput, type Operation } from './dialects/dialect.ts';
import { readModel, SESSION_INFO, SESSION_LOGIN } from './dialects/session-v2.ts';
import type { SessionInfoResponse, SessionLoginResponse } from './dialects/session-v2.ts';
import { DIALECTS } from './issuer.ts';
import { defined, parseJson } from './json-fields.ts';
import type { DialectName } from './rejection.ts';
import { makeTransport, originOf, type Lost, type RequestParts, type Transport } from './transport.ts';

export interface Configuration {
  /** Origin of the cluster; https, http only for loopback. */
  readonly baseUrl: string;
  readonly dialect: DialectName;
  /** Bearer of the operations that send one. */
  readonly accessToken: string;
  /** Headers that authenticate every call instead of the access token, such as the cookie of a session. */
  readonly session?: Readonly<Record<string, string>> | undefined;
  /** For connecting, head and body together, ms. */
  readonly timeout: number;
  /** auth-2.0: revoketoken names the user as well as the token. */
  readonly userName?: string | undefined;
  /** auth-2.0: login and gettoken ask for this org; without it ThoughtSpot chooses one. */
  readonly orgId?: number | undefined;
}

const DEFAULTS = { baseUrl: 'https://localhost:443', dialect: 'session-v2', accessToken: '', timeout: 30_000 } as const;

/**
 * One cluster, one configuration, for SessionController. Where the beta's client waited for ever by default, this one
 * gives up after 30 s. Prints without its access token. Call `close` when done: it holds connections.
 */
export class Client {
  readonly transport: Transport;
  /** Not enumerable, for the sake of the access token in it. */
  declare readonly configuration: Configuration;

  constructor(configuration: Partial<Configuration> = {}, transport?: Transport) {
    Object.defineProperty(this, 'configuration', { value: { ...DEFAULTS, ...configuration } });
    this.transport = transport ?? makeTransport(originOf(this.configuration.baseUrl), Date.now);
  }

  /** The same cluster and connections with some settings changed. */
  withConfiguration(changes: Partial<Omit<Configuration, 'baseUrl'>>): Client {
    return new Client({ ...this.configuration, ...changes }, this.transport);
  }

  close(): Promise<void> {
    return this.transport.close();
  }
}

export interface RequestOptions {
  readonly abortSignal?: AbortSignal;
}

export type ApiRestV2SessionLoginRequest = Omit<LoginInput, 'orgId'>;

export interface ApiRestV2SessionGettokenRequest extends Omit<ApiRestV2SessionLoginRequest, 'rememberMe'> {
  /** Seconds, as a number; in the answer the field of this name is a string. */
  readonly tokenExpiryDuration?: number;
}

/**
 * ThoughtSpot's five session operations as its 2021 beta names them, in either dialect (see `Client`). Each resolves
 * with an ApiResponse, or rejects with ErrorResponseError (500), ApiError (any other status but 2xx, redirects too),
 * ResponseValidationError (2xx of another shape), ArgumentsValidationError, AbortError or ConnectionError. One call is
 * one request: nothing is retried. The doctor runs it; no function does (docs/adr/0007).
 */
export class SessionController {
  readonly #transport: Transport;
  readonly #configuration: Configuration;
  readonly #dialect: Dialect;

  constructor({ transport, configuration }: Client) {
    this.#transport = transport;
    this.#configuration = configuration;
    this.#dialect = DIALECTS[configuration.dialect];
  }

  /** Who the access token belongs to. */
  async sessionInfo(requestOptions?: RequestOptions): Promise<ApiResponse<SessionInfoResponse>> {
    const input = { bearer: this.#configuration.accessToken };
    return this.#call(this.#dialect.sessionInfo, input, requestOptions, asInfo, (info) =>
      info === 'not-accepted' ? undefined : { ...info.details, userGUID: info.userId, userName: info.userName },
    );
  }

  /** Opens a session with a user's name and password. In auth-2.0 it is a cookie session: `token` is blank. */
  async login(
    body: ApiRestV2SessionLoginRequest,
    requestOptions?: RequestOptions,
  ): Promise<ApiResponse<SessionLoginResponse>> {
    requireCredentials(body);
    const input = { ...body, orgId: this.#configuration.orgId };
    const cookie = { userName: body.userName, token: '', tokenType: 'Cookie' };
    return this.#call(this.#dialect.login, input, requestOptions, asLogin, () => cookie);
  }

  /** Creates a token for the user whose name and password are given; `tokenExpiryDuration` is in seconds. */
  async gettoken(
    { userName, password, tokenExpiryDuration }: ApiRestV2SessionGettokenRequest,
    requestOptions?: RequestOptions,
  ): Promise<ApiResponse<SessionLoginResponse>> {
    requireCredentials({ userName, password });
    const input: GettokenInput = {
      user: userName,
      proof: { password },
      bearer: this.#dialect.mintsWithSession ? this.#configuration.accessToken : undefined,
      validitySeconds: tokenExpiryDuration === undefined ? undefined : Number(tokenExpiryDuration),
      orgId: this.#configuration.orgId,
      rights: { kind: 'full' },
      provisioning: null,
    };
    return this.#call(this.#dialect.gettoken, input, requestOptions, asLogin, (minted) => ({
      ...minted,
      tokenCreatedTime: minted.createdAt?.toString(),
      tokenExpiryDuration: String(Math.floor(minted.lifetimeMs / 1_000)),
    }));
  }

  /** Ends the current session. The beta sends no bearer, so that it works by cookie only; auth-2.0 sends it. */
  async logout(requestOptions?: RequestOptions): Promise<ApiResponse<boolean>> {
    return this.#call(this.#dialect.logout, { bearer: this.#configuration.accessToken }, requestOptions, asBoolean);
  }

  /** Revokes the access token that the client is configured with. */
  async revoketoken(requestOptions?: RequestOptions): Promise<ApiResponse<boolean>> {
    const { accessToken: bearer, userName } = this.#configuration;
    return this.#call(this.#dialect.revoketoken, { bearer, userName }, requestOptions, asBoolean);
  }

  /** `inSeedsWords` is for answers that do not come in the seed's models: what decode made of one, in these. */
  async #call<Input, Value, Model>(
    operation: Operation<Input, Value>,
    input: Input,
    requestOptions: RequestOptions | undefined,
    asModel: (json: unknown) => Model | undefined,
    inSeedsWords: (value: Value) => unknown = (value) => value,
  ): Promise<ApiResponse<Model>> {
    const { timeout, session } = this.#configuration;
    const parts = operation.encode(input);
    const { authorization, ...headers } = parts.headers;
    const sent = { ...parts, headers: { ...headers, ...(session ?? defined({ authorization })) } };
    const exchange = await this.#transport.exchange(sent, timeout, requestOptions?.abortSignal);
    if (exchange.kind === 'lost')
      throw exchange.cause === 'aborted' ? new AbortError('The HTTP call was aborted.') : new ConnectionError(exchange);

    const { reply } = exchange;
    const request = { method: parts.method, url: new URL(parts.path, this.#transport.origin).href, headers };
    const { status: statusCode, body } = reply;
    const answer = <T>(result: T): ApiResponse<T> => ({ request, statusCode, headers: reply.headers, result, body });
    if (statusCode === 500)
      throw new ErrorResponseError(answer(parseJson(body)), 'Operation failed or unauthorized request');
    if (!isSuccess(reply))
      throw new ApiError(answer(parseJson(body)), `Response status code was not ok: ${statusCode}.`);
    const { value, model } = operation.decode(reply, input);
    const result = asModel(model ?? (value === undefined ? undefined : inSeedsWords(value)));
    if (result === undefined)
      throw new ResponseValidationError(answer(undefined), 'The answer does not have the right shape.');
    return answer(result);
  }
}

function requireCredentials(body: { readonly userName?: unknown; readonly password?: unknown }): void {
  const missing = (['userName', 'password'] as const).filter((field) => typeof body[field] !== 'string');
  if (missing.length > 0) throw new ArgumentsValidationError(missing);
}

const asInfo = (json: unknown) => readModel(json, SESSION_INFO);
const asLogin = (json: unknown) => readModel(json, SESSION_LOGIN);
const asBoolean = (json: unknown): boolean | undefined => (typeof json === 'boolean' ? json : undefined);

/**
 * Errors of the session API's client, by the names of the 2021 beta's SDK. Unlike there, `instanceof` works. Unlike
 * there, none of them shows a secret when printed, serialised or logged: `request` holds no body and nothing that
 * authenticates, and what came from the other side (headers, body, result) can be read but is not enumerable.
 */

export type HttpRequest = Pick<RequestParts, 'method' | 'headers'> & { readonly url: string };

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

  constructor({ request, statusCode, headers, result, body }: ApiResponse<T | undefined>, message: string) {
    super(message);
    this.name = new.target.name;
    this.request = request;
    this.statusCode = statusCode;
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
  override readonly name = 'AbortError';
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
