/**
 * Everything about the simulated cluster that can be changed while it runs. Most switches are faults; the others choose
 * between readings that ThoughtSpot's own sources leave open, and default to the reading that is hardest on a client.
 */
export interface Switches {
  /** Added before every answer in the fault scope, in ms. */
  latencyMs: number;
  /** `error` answers `outageStatus` without doing anything; `reset` destroys the connection without doing anything. */
  outage: 'none' | 'error' | 'reset';
  outageStatus: number;
  /** Answers the HTML page of a cluster under maintenance. Sources name the page but not its status. */
  maintenancePage: boolean;
  maintenanceStatus: number;
  /** The body of an answer takes this long to arrive, in ms; its headers come at once. */
  slowBodyMs: number;
  /** Which endpoints latency, outage, maintenance page and slow body apply to. */
  faultScope: 'all' | 'mint' | 'revoke' | 'session';
  /** How many more requests outage and maintenance page hit; null: all of them. */
  faultCount: number | null;
  /** The next N mints happen, and then the connection is destroyed instead of answered. Counts down. */
  lostReplies: number;
  /** Mints name this user instead of the one asked for, and the token really is theirs. */
  wrongUser: string | null;
  /** Mints are for this org instead of the one asked for, and the token really is for it. */
  wrongOrg: number | null;
  /** Mints answer in the shape and with the kind of another mint endpoint. */
  wrongKind: boolean;
  /** The cluster's clock minus the machine's, in ms. Moving it ahead ages tokens and sessions. */
  clockOffsetMs: number;
  rateLimit: boolean;
  rateLimitPerSecond: number;
  rateLimitBurst: number;
  /** Retry-After of a 429, in seconds; null sends none, as no source documents it. */
  retryAfterSeconds: number | null;
  /** `documented`: as in the API reference. `live`: as seen on clusters. `live-bare`: the same without outer `error`. */
  errorShape: 'documented' | 'live' | 'live-bare';
  /** Refuses the revoke bodies that any source says are refused; off, it takes whatever some source says is taken. */
  strictRevoke: boolean;
  /** What `{user_identifier}` alone revokes: the token it is called with, or all tokens of the user. Undocumented. */
  revokeByUser: 'bearer' | 'all';
  /** 204 since 9.5.0.cl, 200 before. */
  revokeStatus: 200 | 204;
  /** How long a revoked token goes on working, in ms. Undocumented. */
  revokeDelayMs: number;
  /** Whether a revoke also ends the cookie sessions made with the token. Undocumented. */
  revokeEndsSessions: boolean;
  /** Whether a new secret key also ends the tokens minted with the old one. Known for v1 only. */
  rotationEndsTokens: boolean;
  /** Off: mints by secret key are refused with 403. */
  trustedAuth: boolean;
  /** Off: a request with user_parameters is refused, as clusters with the path switched off do. */
  userParameters: boolean;
  /** A mint with both secret_key and password: sources contradict each other on which one counts. */
  bothCredentials: 'refuse' | 'secret-key' | 'password';
  /** A mint without an org: the user's last one, or Primary (0), or refused. Sources contradict each other. */
  orgWhenOmitted: 'last' | 'primary' | 'refuse';
  /** Status of a mint for a user that does not exist. Undocumented in v2. */
  unknownUserStatus: 400 | 401 | 403 | 404 | 500;
  /** A mint for a Liveboard that is not in the cluster file: refuse, or accept any GUID. Undocumented. */
  unknownObject: 'refuse' | 'accept';
  /** Shape of new tokens. `mixed` takes turns. */
  tokenForm: 'basic' | 'jwt' | 'mixed';
  /** Validity of a token when the request names none, in seconds. */
  defaultValiditySeconds: number;
  /** What session-v2 login answers: a bearer token, or a cookie and a blank token. */
  loginAnswers: 'token' | 'cookie';
  /** Signing in with a dead token locks its user, as reported for some 8.x releases. */
  lockOnStaleToken: boolean;
  /** How often the embed page asks whether its session is alive, in ms. */
  embedPollMs: number;
}

export const DEFAULT_SWITCHES: Readonly<Switches> = {
  latencyMs: 0,
  outage: 'none',
  outageStatus: 503,
  maintenancePage: false,
  maintenanceStatus: 503,
  slowBodyMs: 0,
  faultScope: 'all',
  faultCount: null,
  lostReplies: 0,
  wrongUser: null,
  wrongOrg: null,
  wrongKind: false,
  clockOffsetMs: 0,
  rateLimit: true,
  rateLimitPerSecond: 100,
  rateLimitBurst: 10,
  retryAfterSeconds: null,
  errorShape: 'documented',
  strictRevoke: true,
  revokeByUser: 'bearer',
  revokeStatus: 204,
  revokeDelayMs: 0,
  revokeEndsSessions: false,
  rotationEndsTokens: false,
  trustedAuth: true,
  userParameters: false,
  bothCredentials: 'refuse',
  orgWhenOmitted: 'last',
  unknownUserStatus: 400,
  unknownObject: 'refuse',
  tokenForm: 'basic',
  defaultValiditySeconds: 300,
  loginAnswers: 'token',
  lockOnStaleToken: false,
  embedPollMs: 5000,
};

type Check = (value: unknown) => boolean;
interface Rule {
  check: Check;
  wants: string;
}

const oneOf = (...values: readonly (string | number)[]): Rule => ({
  check: (value) => values.some((allowed) => allowed === value),
  wants: `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`,
});
const number = (least: number, most: number): Rule => ({
  check: (value) => typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most,
  wants: `an integer from ${least} to ${most}`,
});
const orNull = (rule: Rule): Rule => ({
  check: (value) => value === null || rule.check(value),
  wants: `${rule.wants}, or null`,
});
const flag: Rule = { check: (value) => typeof value === 'boolean', wants: 'true or false' };
const text: Rule = { check: (value) => typeof value === 'string' && value !== '', wants: 'a non-empty string' };

const HOUR_MS = 3_600_000;
const CENTURY_MS = 36_525 * 24 * HOUR_MS;
const status = number(200, 599);

const RULES: { readonly [Name in keyof Switches]: Rule } = {
  latencyMs: number(0, HOUR_MS),
  outage: oneOf('none', 'error', 'reset'),
  outageStatus: status,
  maintenancePage: flag,
  maintenanceStatus: status,
  slowBodyMs: number(0, HOUR_MS),
  faultScope: oneOf('all', 'mint', 'revoke', 'session'),
  faultCount: orNull(number(0, 1_000_000)),
  lostReplies: number(0, 1_000_000),
  wrongUser: orNull(text),
  wrongOrg: orNull(number(0, 2 ** 31 - 1)),
  wrongKind: flag,
  clockOffsetMs: number(-CENTURY_MS, CENTURY_MS),
  rateLimit: flag,
  rateLimitPerSecond: number(1, 1_000_000),
  rateLimitBurst: number(1, 1_000_000),
  retryAfterSeconds: orNull(number(0, 86_400)),
  errorShape: oneOf('documented', 'live', 'live-bare'),
  strictRevoke: flag,
  revokeByUser: oneOf('bearer', 'all'),
  revokeStatus: oneOf(200, 204),
  revokeDelayMs: number(0, HOUR_MS),
  revokeEndsSessions: flag,
  rotationEndsTokens: flag,
  trustedAuth: flag,
  userParameters: flag,
  bothCredentials: oneOf('refuse', 'secret-key', 'password'),
  orgWhenOmitted: oneOf('last', 'primary', 'refuse'),
  unknownUserStatus: oneOf(400, 401, 403, 404, 500),
  unknownObject: oneOf('refuse', 'accept'),
  tokenForm: oneOf('basic', 'jwt', 'mixed'),
  defaultValiditySeconds: number(1, 2 ** 31 - 1),
  loginAnswers: oneOf('token', 'cookie'),
  lockOnStaleToken: flag,
  embedPollMs: number(100, HOUR_MS),
};

const isSwitchName = (name: string): name is keyof Switches => Object.hasOwn(RULES, name);

/**
 * What is wrong with a set of switches, one sentence per fault; empty if it can be merged into the current ones.
 */
export function faultsOfSwitches(patch: unknown): string[] {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    return ['switches must be a JSON object, such as {"latencyMs": 200}'];
  }
  return Object.entries(patch).flatMap(([name, value]: [string, unknown]) => {
    if (!isSwitchName(name)) return [`there is no switch "${name}"; GET /__simulator/switches lists them`];
    return RULES[name].check(value) ? [] : [`"${name}" must be ${RULES[name].wants}`];
  });
}

/** The switches with a patch merged in. Throws a TypeError that names every fault of the patch. */
export function withSwitches(current: Readonly<Switches>, patch: unknown): Switches {
  const faults = faultsOfSwitches(patch);
  if (faults.length > 0) throw new TypeError(faults.join('; '));
  return { ...current, ...(patch as Partial<Switches>) };
}
