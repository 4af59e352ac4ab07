import type { Credential, Grant, MintedToken, Provisioning, Rights, SessionInfo } from '../broker/ports.ts';
import { type DialectName, lossOf, type Rejection, rejectionOf } from './rejection.ts';
import type { Exchange, Reply, RequestParts } from './transport.ts';

/** Exactly one credential goes out: which of the two wins where both are sent is contradictory (wire facts 3.1). */
export type Proof =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'secret-key'; readonly secretKey: string };

export interface LoginInput {
  readonly userName: string;
  readonly password: string;
  readonly rememberMe?: boolean;
  readonly orgId?: number;
}

export interface GettokenInput {
  readonly userName: string;
  readonly proof: Proof;
  /** A session to call with; session-v2 needs one, auth-2.0 does not. */
  readonly bearer?: string;
  readonly validitySeconds?: number;
  readonly orgId?: number;
  readonly rights: Rights;
  readonly provisioning: Provisioning | null;
}

export interface RevokeInput {
  /** The token to end, which is also what the call is made with. */
  readonly bearer: string;
  /** Its user; session-v2 has no place for it. */
  readonly userName?: string;
}

export interface BearerInput {
  readonly bearer: string;
}

/** One operation in one dialect, as two pure halves: what to send, and what the answer means. */
export interface Operation<Input, Value> {
  encode(input: Input): RequestParts;
  /** Undefined: the answer, of any status, is not one that the operation has. */
  decode(reply: Reply, input: Input): Value | undefined;
}

export interface Dialect {
  readonly name: DialectName;
  /** gettoken must be called with a session of the service account. */
  readonly mintsWithSession: boolean;
  /** Why this dialect cannot mint this grant with this credential; undefined if it can. For operators. */
  cannotMint(grant: Grant, credential: Credential): string | undefined;
  readonly sessionInfo: Operation<BearerInput, SessionInfo | 'token-not-accepted'>;
  readonly login: Operation<LoginInput, MintedToken | 'cookie-session'>;
  readonly gettoken: Operation<GettokenInput, MintedToken>;
  readonly logout: Operation<Partial<BearerInput>, boolean>;
  /** true: the token is certainly dead. */
  readonly revoketoken: Operation<RevokeInput, boolean>;
}

export const isSuccess = (reply: Reply): boolean => reply.status >= 200 && reply.status < 300;

/** Printable ASCII without spaces: what can be presented as a bearer. Opaque otherwise (wire facts 4). */
export const isToken = (token: string | undefined): token is string =>
  token !== undefined && /^[\x21-\x7e]+$/.test(token);

export type Outcome<Value> = { readonly value: Value } | { readonly rejection: Rejection };

/** The outcome of a call: the operation's value, or why there is none. Every answer of ThoughtSpot is judged here. */
export function outcomeOf<Input, Value>(
  operation: Operation<Input, Value>,
  input: Input,
  exchange: Exchange,
  { name, nowMs }: { readonly name: DialectName; readonly nowMs: number },
): Outcome<Value> {
  const { method, path } = operation.encode(input);
  const what = `${method} ${path}`;
  if (exchange.kind === 'lost') return { rejection: lossOf(exchange, what) };
  const value = operation.decode(exchange.reply, input);
  return value === undefined ? { rejection: rejectionOf(exchange.reply, what, name, nowMs) } : { value };
}
