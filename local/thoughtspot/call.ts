import type { IncomingHttpHeaders } from 'node:http';
import type { RunningCluster } from './running-cluster.ts';

/** A request, read to its end. */
export interface Call {
  readonly method: string;
  /** Without query, with duplicate slashes collapsed. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An answer before it is written. Exactly one of `json` and `text`, or neither for an empty body. */
export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Work that goes on for `ms` before the answer leaves, and what to do at its end. */
  readonly pending?: { readonly ms: number; readonly end: () => void };
}

/** One route of the cluster. */
export interface Endpoint {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** What a fault scope selects it by. */
  readonly scope: 'mint' | 'revoke' | 'session' | 'page';
  /** How it says no: as REST API v2.0, as the session-v2 beta (everything is a 500), or as v1 (a bare status). */
  readonly dialect: 'auth-2.0' | 'session-v2' | 'v1';
  /** Answers the call and changes the cluster. Throws a Refusal to say no. */
  readonly answer: (cluster: RunningCluster, call: Call) => Answer;
}

/** Makes routes of one dialect whose paths begin alike. */
export const endpointsUnder =
  (dialect: Endpoint['dialect'], prefix: string) =>
  (method: Endpoint['method'], path: string, scope: Endpoint['scope'], answer: Endpoint['answer']): Endpoint => ({
    method,
    path: prefix + path,
    scope,
    dialect,
    answer,
  });
