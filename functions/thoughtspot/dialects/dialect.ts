import type { Credential, Grant, MintedToken, Provisioning, Rights, SessionInfo } from '../../broker/ports.ts';
import type { SessionInfoResponse, SessionLoginResponse } from '../models.ts';
import type { DialectName, Rejection } from '../rejection.ts';
import type { Reply, RequestParts } from '../transport.ts';

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

/** A login that gives no token made a cookie session, which the broker cannot use. */
export interface Login {
  readonly token?: string;
  /** Longest life that a reading of the answer allows, ms; absent where it tells none. */
  readonly lifetimeMs?: number;
}

export interface TokenValidity {
  /** Epoch ms of ThoughtSpot's clock. */
  readonly expiresAt: number;
  readonly userId: string;
}

export type Decoded<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly rejection: Rejection };

/**
 * One operation in one dialect, as two pure halves: what to send, and what the answer means. `model` is the answer as
 * the beta's SDK would show it, undefined where it does not have that shape; it is asked for 2xx answers only.
 */
export interface Operation<Input, Value, Model> {
  encode(input: Input): RequestParts;
  decode(reply: Reply, input: Input, nowMs: number): Decoded<Value>;
  model(reply: Reply, input: Input): Model | undefined;
}

export interface Dialect {
  readonly name: DialectName;
  /** gettoken has to be called with a session of the service account. */
  readonly mintsWithSession: boolean;
  /** Why this dialect cannot mint this grant with this credential; undefined if it can. For operators. */
  obstacle(grant: Grant, credential: Credential): string | undefined;
  /** undefined: ThoughtSpot does not accept the token. */
  readonly sessionInfo: Operation<BearerInput, SessionInfo | undefined, SessionInfoResponse>;
  readonly login: Operation<LoginInput, Login, SessionLoginResponse>;
  readonly gettoken: Operation<GettokenInput, MintedToken, SessionLoginResponse>;
  readonly logout: Operation<Partial<BearerInput>, true, boolean>;
  /** true: the token is certainly dead. */
  readonly revoketoken: Operation<RevokeInput, true, boolean>;
  /** undefined: ThoughtSpot does not accept the token. session-v2 has nothing like it. */
  readonly validate?: Operation<BearerInput, TokenValidity | undefined, TokenValidity>;
}

export const isSuccess = (reply: Reply): boolean => reply.status >= 200 && reply.status < 300;
export const accepted = <Value>(value: Value): Decoded<Value> => ({ ok: true, value });
export const rejected = (rejection: Rejection): { ok: false; rejection: Rejection } => ({ ok: false, rejection });

/** Printable ASCII without spaces: what can be presented as a bearer. Opaque otherwise (wire facts 4). */
export const isToken = (token: string | undefined): token is string =>
  token !== undefined && /^[\x21-\x7e]+$/.test(token);
