/**
 * Every Lambda of the broker, once. The key is the name used everywhere: file `functions/<key>.ts`, route, construct
 * id, function and log-group suffix, metric dimension, alarm prefix and runbook heading prefix.
 */

import type { LEDGER_TABLE } from './table.ts';

/** What a caller may ask for: tokens of his own, or to list and revoke those of others. */
export type Scope = 'token' | 'revoke';

export type Trigger =
  | {
      readonly kind: 'http';
      readonly method: 'GET' | 'POST';
      readonly path: string;
      readonly scope: Scope;
      /** Opened by AWS credentials that may invoke it, instead of by an access token. */
      readonly iam?: true;
    }
  /** Opened by the logout token in its body and by nothing else: there for issuers that have `logoutClients`. */
  | { readonly kind: 'logout'; readonly method: 'POST'; readonly path: string }
  | { readonly kind: 'schedule'; readonly everyMinutes: number };

export interface FunctionContract {
  readonly entry: string;
  readonly triggers: readonly Trigger[];
  /** Also invoked directly: by EventBridge Scheduler, or by an EventBridge rule. */
  readonly events: readonly ('schedule' | 'deprovisioned')[];
  /** Seconds; Lambda ends the invocation after it. Must stay under API Gateway's 30 s for http triggers. */
  readonly timeoutSeconds: number;
  /** Chosen by the rule in bench/memory-rule.ts from what `npm run bench -- memory` measured. */
  readonly memoryMb: number;
  /** What its role may use; infra derives the least-privilege policies from it. */
  readonly may: {
    readonly ledger: 'none' | 'read' | 'write';
    /** Indexes of the ledger that it queries. */
    readonly indexes: readonly (keyof typeof LEDGER_TABLE.indexes)[];
    readonly seal: boolean;
    /** ThoughtSpot's credential: only a mint presents it, in either dialect. Everything else presents the token itself. */
    readonly secret: boolean;
    /** Whether it may read the prober's own secret, with which the prober signs in at the issuer. */
    readonly proberSecret?: true;
  };
}

/** Of an issuer: a part of the path of its routes. */
export const ISSUER_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** Headers that pages of other origins may send to the API, and read in its answers. */
export const CORS_HEADERS = {
  sent: ['authorization', 'content-type', 'accept'],
  read: ['retry-after', 'x-correlation-id', 'apigw-requestid', 'www-authenticate', 'x-amzn-remapped-www-authenticate'],
};

/** The throttle of each route of operators and of issuers, which callers cannot use up. */
export const OWN_THROTTLE = { ratePerSecond: 20, burst: 40 };

/** Where a route is for the callers of an issuer: at the root for the first one, which has no name. */
export const pathFor = (path: string, issuer?: string): string => (issuer === undefined ? path : `/i/${issuer}${path}`);

const EVERY_INDEX = ['caller', 'due', 'session', 'token', 'unfinished'] as const;

export const FUNCTIONS = {
  gettoken: {
    entry: 'functions/gettoken.ts',
    triggers: [{ kind: 'http', method: 'POST', path: '/gettoken', scope: 'token' }],
    events: [],
    timeoutSeconds: 20,
    memoryMb: 512,
    may: { ledger: 'write', indexes: ['unfinished'], seal: true, secret: true },
  },
  revoketoken: {
    entry: 'functions/revoketoken.ts',
    triggers: [{ kind: 'http', method: 'POST', path: '/revoketoken', scope: 'token' }],
    events: ['schedule', 'deprovisioned'],
    timeoutSeconds: 28,
    memoryMb: 512,
    may: { ledger: 'write', indexes: [...EVERY_INDEX], seal: true, secret: false },
  },
  sessioninfo: {
    entry: 'functions/sessioninfo.ts',
    triggers: [{ kind: 'http', method: 'GET', path: '/sessioninfo', scope: 'token' }],
    events: [],
    timeoutSeconds: 20,
    memoryMb: 512,
    may: { ledger: 'read', indexes: ['caller', 'unfinished'], seal: true, secret: false },
  },
  operator: {
    entry: 'functions/operator.ts',
    triggers: [
      { kind: 'http', method: 'GET', path: '/operator/leases', scope: 'revoke', iam: true },
      { kind: 'http', method: 'POST', path: '/operator/leases/revoke', scope: 'revoke', iam: true },
      { kind: 'http', method: 'GET', path: '/operator/blocks', scope: 'revoke', iam: true },
      { kind: 'http', method: 'POST', path: '/operator/suspend', scope: 'revoke', iam: true },
      { kind: 'http', method: 'POST', path: '/operator/reinstate', scope: 'revoke', iam: true },
      { kind: 'http', method: 'GET', path: '/leases', scope: 'revoke' },
      { kind: 'http', method: 'POST', path: '/leases/revoke', scope: 'revoke' },
      { kind: 'http', method: 'GET', path: '/blocks', scope: 'revoke' },
      { kind: 'http', method: 'POST', path: '/suspend', scope: 'revoke' },
      { kind: 'http', method: 'POST', path: '/reinstate', scope: 'revoke' },
    ],
    events: [],
    timeoutSeconds: 28,
    memoryMb: 256,
    may: { ledger: 'write', indexes: [...EVERY_INDEX], seal: true, secret: false },
  },
  /** Deployed everywhere, with a route for each issuer that has `logoutClients`. */
  backchannellogout: {
    entry: 'functions/backchannellogout.ts',
    triggers: [{ kind: 'logout', method: 'POST', path: '/backchannel-logout' }],
    events: [],
    timeoutSeconds: 10,
    memoryMb: 512,
    may: { ledger: 'write', indexes: ['caller', 'session'], seal: true, secret: false },
  },
  sweep: {
    entry: 'functions/sweep.ts',
    triggers: [{ kind: 'schedule', everyMinutes: 1 }],
    events: [],
    timeoutSeconds: 60,
    memoryMb: 1_536,
    may: { ledger: 'write', indexes: ['caller', 'due', 'session', 'unfinished'], seal: true, secret: false },
  },
  /** Deployed everywhere, scheduled where the environment has `prober`. */
  prober: {
    entry: 'functions/prober.ts',
    triggers: [{ kind: 'schedule', everyMinutes: 5 }],
    events: [],
    timeoutSeconds: 60,
    memoryMb: 256,
    may: { ledger: 'none', indexes: [], seal: false, secret: false, proberSecret: true },
  },
} as const satisfies Record<string, FunctionContract>;

export type FunctionName = keyof typeof FUNCTIONS;
export const FUNCTION_NAMES: readonly FunctionName[] = [
  'gettoken',
  'revoketoken',
  'sessioninfo',
  'operator',
  'backchannellogout',
  'sweep',
  'prober',
];
