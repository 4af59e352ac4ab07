import { isObject } from './json.ts';

/** One thing about the simulated cluster that can be changed while it runs. */
export interface Switch<Value> {
  readonly initial: Value;
  readonly about: string;
  readonly accepts: (value: unknown) => boolean;
  /** What it accepts, in words. */
  readonly wants: string;
}

/** The first value is the one to start with. */
function oneOf<const Value extends string | number>(
  values: readonly [Value, ...Value[]],
  about: string,
): Switch<Value> {
  const accepts = (value: unknown): boolean => values.some((allowed) => allowed === value);
  return { initial: values[0], about, accepts, wants: `one of ${values.map((one) => JSON.stringify(one)).join(', ')}` };
}
function whole(initial: number, [least, most]: readonly [number, number], about: string): Switch<number> {
  const accepts = (value: unknown): boolean =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
  return { initial, about, accepts, wants: `an integer from ${least} to ${most}` };
}
function orNull<Value>({ accepts, wants, about }: Switch<Value>): Switch<Value | null> {
  return { initial: null, about, accepts: (value) => value === null || accepts(value), wants: `${wants}, or null` };
}
function flag(initial: boolean, about: string): Switch<boolean> {
  return { initial, about, accepts: (value) => typeof value === 'boolean', wants: 'true or false' };
}
function text(about: string): Switch<string> {
  const accepts = (value: unknown): boolean => typeof value === 'string' && value !== '';
  return { initial: '', about, accepts, wants: 'a non-empty string' };
}

const UP_TO_AN_HOUR = [0, 3_600_000] as const;
const CENTURY_MS = 36_525 * 24 * 3_600_000;
const STATUS = [200, 599] as const;
const MANY = 1_000_000;
const INT32 = 2 ** 31 - 1;

/**
 * Every switch there is: the type, the defaults, the checks and the table in README.md follow from this list. Most are faults;
 * the others choose between readings that ThoughtSpot's own sources leave open, and start with the one that is hardest on a
 * client. A name that ends in Ms is in milliseconds.
 */
export const SWITCHES = {
  latencyMs: whole(0, UP_TO_AN_HOUR, 'added before every answer in the fault scope'),
  outage: oneOf(
    ['none', 'error', 'reset'],
    '`error` answers `outageStatus`, `reset` destroys the connection; nothing is done in either case',
  ),
  outageStatus: whole(503, STATUS, 'status of an outage'),
  maintenancePage: flag(false, 'an HTML page "System Maintenance" for every call in the fault scope'),
  maintenanceStatus: whole(503, STATUS, 'sources name the page but not its status: try 200 too'),
  slowBodyMs: whole(0, UP_TO_AN_HOUR, 'headers at once, the body over this time'),
  unaskedGzip: flag(false, 'bodies are gzip, whatever Accept-Encoding says'),
  byteOrderMark: flag(false, 'a byte order mark before JSON'),
  faultScope: oneOf(['all', 'mint', 'revoke', 'session'], 'the endpoints that the switches above apply to'),
  faultCount: orNull(
    whole(0, [0, MANY], 'how many more requests `outage`, `maintenancePage` and `revokeAnswer` hit; null: all'),
  ),
  lostReplies: whole(0, [0, MANY], 'the next N mints happen and the connection is destroyed; counts down'),
  wrongUser: orNull(text('another user: mints are for that one, and the token really is theirs')),
  wrongOrg: orNull(whole(0, [0, INT32], 'id of another Org: mints are for it, and the token really is for it')),
  wrongKind: flag(false, 'mints answer as another mint endpoint does (full as object, object and custom as full)'),
  withoutScope: flag(false, 'answers of token/full and token/object lack `scope`, so Org and kind are unknown'),
  clockOffsetMs: whole(0, [-CENTURY_MS, CENTURY_MS], "the cluster's clock minus this machine's; ahead ages tokens"),
  rateLimit: flag(true, 'off: no 429'),
  rateLimitPerSecond: whole(100, [1, MANY], 'per client address'),
  rateLimitBurst: whole(10, [1, MANY], 'per client address'),
  retryAfterSeconds: orNull(whole(0, [0, 86_400], 'Retry-After of a 429; undocumented, so none')),
  errorShape: oneOf(
    ['documented', 'live', 'live-bare'],
    'as in the API reference, as seen on clusters, or the latter without the outer `error`',
  ),
  strictRevoke: flag(
    true,
    'refuses the bodies that any source says are refused; off: takes what some source says is taken',
  ),
  revokeByUser: oneOf(
    ['bearer', 'all'],
    'what `{user_identifier}` alone revokes: the token it is called with, or all of the user; undocumented',
  ),
  revokeStatus: oneOf([204, 200], '200 as before 9.5.0.cl'),
  revokeAnswer: oneOf(
    ['confirmed', '400-not-revoked', '400-csrf', '401-empty', '401-not-accepted', '200-error', '200-false'],
    'what a revocation answers; all but `confirmed` do nothing: the token lives on. `401-not-accepted` has the error shape',
  ),
  revokeDelayMs: whole(0, UP_TO_AN_HOUR, 'how long a revoked token goes on working; undocumented'),
  childrenEndWithParent: flag(
    false,
    'a revocation also ends the tokens and cookie sessions that were made of the token; undocumented',
  ),
  rotationEndsTokens: flag(false, 'a new key ends the tokens minted with the old one; known for v1 only'),
  trustedAuth: flag(true, 'off: mints by secret key are 403'),
  userParameters: flag(false, 'off: `user_parameters` is 400 "JWT Beta endpoint is disabled"'),
  bothCredentials: oneOf(
    ['refuse', 'secret-key', 'password'],
    'a mint with key and password: which one counts; sources contradict each other',
  ),
  orgWhenOmitted: oneOf(
    ['last', 'primary', 'refuse'],
    "a mint without org: the user's last one, or the Primary Org (0); sources contradict each other",
  ),
  unknownUserStatus: oneOf([400, 401, 403, 404, 500], 'of a mint for a user that does not exist; undocumented in v2'),
  unknownObject: oneOf(
    ['refuse', 'accept'],
    'token/object for a Liveboard that is not in the cluster file; `accept` takes any GUID; undocumented',
  ),
  tokenForm: oneOf(
    ['basic', 'jwt', 'mixed'],
    "`basic` is base64 with the user's name, and has `+`, `/` and `=`; `mixed` takes turns",
  ),
  entitlements: oneOf(
    ['user', 'token'],
    'whose the entitlements of a custom mint are: those of the user in the Org, at once for every token, or those of the token',
  ),
  variableConflictMs: whole(
    0,
    UP_TO_AN_HOUR,
    'how long a custom mint updates its variables; a mint that updates one of them meanwhile is 409 (26.9+)',
  ),
  defaultValiditySeconds: whole(300, [1, INT32], 'validity of a token when the request names none'),
  loginAnswers: oneOf(['token', 'cookie'], 'session-v2 login: a bearer token, or a cookie and a blank token'),
  lockOnStaleToken: flag(
    false,
    'a browser sign-in with a dead token locks its user, as reported for some 8.x releases',
  ),
  embedPollMs: whole(5_000, [100, 3_600_000], 'how often the embed page checks its session'),
} satisfies Readonly<Record<string, Switch<unknown>>>;

export type Switches = { [Name in keyof typeof SWITCHES]: (typeof SWITCHES)[Name]['initial'] };

export const DEFAULT_SWITCHES = Object.fromEntries(
  Object.entries(SWITCHES).map(([name, { initial }]) => [name, initial]),
) as Readonly<Switches>;

const isSwitchName = (name: string): name is keyof Switches => Object.hasOwn(SWITCHES, name);

/** What is wrong with a set of switches, one sentence per fault; empty if it can be merged into the current ones. */
export function faultsOfSwitches(patch: unknown): string[] {
  if (!isObject(patch)) return ['switches must be a JSON object, such as {"latencyMs": 200}'];
  return Object.entries(patch).flatMap(([name, value]) => {
    if (!isSwitchName(name)) return [`there is no switch "${name}"; GET /__simulator/switches lists them`];
    return SWITCHES[name].accepts(value) ? [] : [`"${name}" must be ${SWITCHES[name].wants}`];
  });
}

/** The switches with a patch merged in. Throws a TypeError that names every fault of the patch. */
export function withSwitches(current: Readonly<Switches>, patch: unknown): Switches {
  const faults = faultsOfSwitches(patch);
  if (faults.length > 0) throw new TypeError(faults.join('; '));
  return { ...current, ...(patch as Partial<Switches>) };
}
