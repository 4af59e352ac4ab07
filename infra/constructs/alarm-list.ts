import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import type { FunctionName } from '../../functions/contract/functions.ts';
import { SIGNALS } from '../../functions/contract/signals.ts';
import type { SignalName } from '../../functions/contract/signals.ts';

/**
 * All alarms: the stack creates exactly these, and docs/runbook.md has exactly these headings. An alarm is named
 * `<function>/<signal>` in the runbook and `<environment>-<function>/<signal>` in CloudWatch.
 */

/** `page`: somebody must act now. `ticket`: on the next working day. */
export type Severity = 'page' | 'ticket';

/** Which function can emit which signal of signals.ts that somebody must act on. */
export const SIGNAL_ALARMS = {
  /** Only a mint presents the credential: revocations present the token itself. */
  'upstream-credential-refused': ['gettoken'],
  'upstream-mismatch': ['gettoken'],
  'upstream-busy': ['gettoken', 'sweep'],
  'upstream-unavailable': ['gettoken'],
  'entitlement-conflict': ['gettoken'],
  'mint-limited': ['gettoken'],
  'orphan-seen': ['gettoken', 'sweep'],
  'access-denied': FUNCTION_NAMES,
  'key-unavailable': ['gettoken', 'revoketoken', 'operator', 'backchannellogout', 'sweep'],
  /** Every function reads the same secret and the same keys; most requests are to this one. */
  'secret-stale': ['gettoken'],
  'issuer-unavailable': ['gettoken'],
  misconfigured: FUNCTION_NAMES,
  'internal-error': FUNCTION_NAMES,
  'schedule-failed': ['revoketoken'],
  'logout-failed': ['backchannellogout'],
  'oldest-due-age': ['sweep'],
  'sweep-failed': ['sweep'],
  stuck: ['sweep'],
  'index-lag': ['sweep'],
  'probe-failed': ['prober'],
} as const satisfies Partial<Record<SignalName, readonly FunctionName[]>>;

/** Alarms on metrics that AWS makes: its own, or by a filter on the access log. */
export const PLATFORM_ALARMS = {
  /** At least 2 % (and at least 3) of the answers in five minutes are 5xx. Issuers are answered 400, whatever fails. */
  '5xx-rate': ['gettoken', 'revoketoken', 'sessioninfo', 'operator'],
  /** The slowest percent of answers takes 5 s or more in each of three periods of five minutes. */
  'p99-latency': ['gettoken'],
  /** A service level is being missed fast: of gettoken, answers in a second; of the sweep, revocations in two minutes. */
  'fast-burn': ['gettoken', 'sweep'],
  /** The same over six hours, more slowly. */
  'slow-burn': ['gettoken', 'sweep'],
  /** 401 and 403, of the gateway or of the function, for a quarter of an hour. */
  'refused-share': ['gettoken'],
  /** Tokens were handed out in the hour before, and now nobody gets one. */
  'nobody-served': ['gettoken'],
  /** The gateway's own 429: the limit of the whole API bites. */
  'api-throttled': ['gettoken'],
  /** Lambda rejected invocations: reserved concurrency is used up. A rejected sweep shows as missed. */
  throttles: ['gettoken', 'revoketoken', 'sessioninfo', 'operator', 'backchannellogout'],
  /** Invocations that crashed or ran into their timeout. */
  crashes: FUNCTION_NAMES,
  /** Two sweeps, or three probes, in a row did not happen; missing data counts. Of the prober where there is one. */
  missed: ['sweep', 'prober'],
  /** An event for this function failed after all retries. */
  'dead-letters': ['revoketoken'],
  /** CloudTrail recorded that another principal requested the secret (listed under gettoken, which uses the secret). */
  'secret-read-by-others': ['gettoken'],
  /** CloudTrail recorded, outside of deployments, a call that gives power over the secret, a key, a function or a role. */
  'changed-by-hand': ['gettoken'],
} as const satisfies Record<string, readonly FunctionName[]>;

export type SignalAlarm = keyof typeof SIGNAL_ALARMS;
export type PlatformAlarm = keyof typeof PLATFORM_ALARMS;

/** Of the alarms on AWS's metrics, those that can wait: what users feel of them pages as a burn. */
const TICKETS = new Set<string>([
  '5xx-rate',
  'p99-latency',
  'slow-burn',
  'refused-share',
  'api-throttled',
  'throttles',
] satisfies PlatformAlarm[]);

export function severityOf(alarm: SignalAlarm | PlatformAlarm): Severity {
  if (alarm in SIGNAL_ALARMS) return SIGNALS[alarm as SignalAlarm].response === 'page' ? 'page' : 'ticket';
  return TICKETS.has(alarm) ? 'ticket' : 'page';
}

const headings = (alarms: Readonly<Record<string, readonly FunctionName[]>>): string[] =>
  Object.entries(alarms).flatMap(([signal, names]) => names.map((name) => `${name}/${signal}`));

/** Every alarm as `<function>/<signal>`. */
export const ALARM_HEADINGS: readonly string[] = [...headings(SIGNAL_ALARMS), ...headings(PLATFORM_ALARMS)];
