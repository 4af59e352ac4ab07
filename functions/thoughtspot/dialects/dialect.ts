import type { Credential, Grant, MintedToken, SessionInfo } from '../../broker/ports.ts';
import { parseJson, textIn, type JsonObject } from '../json-fields.ts';
import { lossOf, rejectionOf, type DialectName, type Rejection } from '../rejection.ts';
import type { Exchange, Reply, RequestParts } from '../transport.ts';

export interface LoginInput {
  readonly userName: string;
  readonly password: string;
  readonly rememberMe?: boolean | undefined;
  readonly orgId?: number | undefined;
}

export type GettokenInput = Pick<Grant, 'user' | 'rights' | 'provisioning' | 'callersObject'> & {
  /** Exactly one goes out: which of the two wins where both are sent is contradictory (wire facts 3.1). */
  readonly proof: { readonly password: string } | { readonly secretKey: string };
  /** A session to call with; session-v2 needs one, auth-2.0 does not. */
  readonly bearer?: string | undefined;
  readonly validitySeconds?: number | undefined;
  readonly orgId?: number | undefined;
};

export type Life = Pick<MintedToken, 'lifetimeMs' | 'longestLifetimeMs' | 'createdAt'>;

/** What an answer means; computed once, for the broker and for SessionController. */
export interface Decoded<Value> {
  /** What the operation gave; undefined: this answer is no result of it. */
  readonly value: Value | undefined;
  /** What a 2xx answer holds, unchecked, where the dialect speaks in the seed's own models (session-v2). */
  readonly model?: unknown;
}

/** One operation in one dialect, as two pure halves: what to send, and what the answer means. */
export interface Operation<Input, Value> {
  encode(input: Input): RequestParts;
  decode(reply: Reply, input: Input): Decoded<Value>;
}

export interface Dialect {
  readonly name: DialectName;
  /** gettoken has to be called with a session of the service account. */
  readonly mintsWithSession: boolean;
  /** Why this dialect cannot mint this grant with this credential; undefined if it can. For operators. */
  unsupported(grant: Grant, credential: Credential): string | undefined;
  readonly sessionInfo: Operation<{ readonly bearer: string }, SessionInfo | 'not-accepted'>;
  /** Without a token it made a cookie session, which the broker cannot use. `lifetimeMs` is the longest by any reading. */
  readonly login: Operation<LoginInput, { readonly token?: string; readonly lifetimeMs?: number }>;
  readonly gettoken: Operation<GettokenInput, MintedToken>;
  readonly logout: Operation<{ readonly bearer: string }, true>;
  /** Ends the token that it is called with; session-v2 has no place for its user. true: ThoughtSpot confirmed it. */
  readonly revoketoken: Operation<
    { readonly bearer: string; readonly userName?: string | undefined },
    true | 'not-accepted'
  >;
}

/** What became of a call: the operation's value, or why there is none. */
export type Outcome<Value> = { readonly ok: true; readonly value: Value } | ({ readonly ok: false } & Rejection);

export function outcomeOf<Input, Value>(
  dialect: DialectName,
  operation: Operation<Input, Value>,
  input: Input,
  exchange: Exchange,
  nowMs: number,
): Outcome<Value> {
  const { method, path } = operation.encode(input);
  const what = `${method} ${path}`;
  if (exchange.kind === 'lost') return { ok: false, ...lossOf(exchange, what) };
  const { value } = operation.decode(exchange.reply, input);
  if (value !== undefined) return { ok: true, value };
  return { ok: false, ...rejectionOf(exchange.reply, what, dialect, nowMs) };
}

/** Makes a dialect's requests. Fields of a body that are undefined are left out. */
export const requestsTo =
  (base: string, headers: RequestParts['headers']) =>
  (method: 'GET' | 'POST', path: string, bearer?: string, body?: JsonObject): RequestParts => ({
    method,
    path: `${base}${path}`,
    headers: { ...headers, ...(body && JSON_TYPE), ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });

const JSON_TYPE = { 'content-type': 'application/json' };

export const isSuccess = (reply: Reply): boolean => reply.status >= 200 && reply.status < 300;

/** The JSON of a 2xx answer. */
export const resultIn = (reply: Reply): unknown => (isSuccess(reply) ? parseJson(reply.body) : undefined);

/** Printable ASCII without spaces: what can be presented as a bearer. Opaque otherwise (wire facts 4). */
export function tokenIn(json: unknown): string | undefined {
  const token = textIn(json, 'token');
  return token !== undefined && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
}

/** Longest life that is assumed where an answer names none, ms: that of GET /auth/session/token (wire facts 3.8). */
export const DAY_MS = 86_400_000;
