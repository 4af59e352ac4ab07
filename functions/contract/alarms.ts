import { FUNCTION_NAMES } from './functions.ts';
import type { FunctionName } from './functions.ts';
import type { SignalName } from './signals.ts';

/**
 * All alarms that page a person: the stack creates exactly these, and docs/runbook.md has exactly these headings. An
 * alarm is named `<function>/<signal>` in the runbook and `<environment>-<function>/<signal>` in CloudWatch.
 */

/** Which function can emit which paging signal of signals.ts. */
export const SIGNAL_ALARMS = {
  /** Only a mint presents the credential: revocations present the token itself. */
  'upstream-credential-refused': ['gettoken'],
  'upstream-mismatch': ['gettoken'],
  'entitlement-conflict': ['gettoken'],
  'mint-limited': ['gettoken'],
  'orphan-seen': ['gettoken', 'sweep'],
  'access-denied': FUNCTION_NAMES,
  'key-unavailable': ['gettoken', 'revoketoken', 'operator', 'backchannellogout', 'sweep'],
  misconfigured: FUNCTION_NAMES,
  'internal-error': FUNCTION_NAMES,
  'schedule-failed': ['revoketoken'],
  'logout-failed': ['backchannellogout'],
  'oldest-due-age': ['sweep'],
  'sweep-failed': ['sweep'],
  'probe-failed': ['prober'],
} as const satisfies Partial<Record<SignalName, readonly FunctionName[]>>;

/** Alarms on AWS's own metrics, each with the functions that it concerns. */
export const PLATFORM_ALARMS = {
  /** At least 2 % (and at least 3) of the answers in five minutes are 5xx. Issuers are answered 400, whatever fails. */
  '5xx-rate': ['gettoken', 'revoketoken', 'sessioninfo', 'operator'],
  /** The slowest percent of answers takes 5 s or more in each of three periods of five minutes. */
  'p99-latency': ['gettoken'],
  /** Lambda rejected invocations: reserved concurrency is used up. A rejected sweep shows as missed. */
  throttles: ['gettoken', 'revoketoken', 'sessioninfo', 'operator', 'backchannellogout'],
  /** Invocations that crashed or ran into their timeout. */
  crashes: FUNCTION_NAMES,
  /** Two runs in a row did not happen; missing data counts. */
  missed: ['sweep'],
  /** An event for this function failed after all retries. */
  'dead-letters': ['revoketoken'],
  /** CloudTrail recorded that another principal requested the secret (listed under gettoken, which uses the secret). */
  'secret-read-by-others': ['gettoken'],
  /** CloudTrail recorded, outside of deployments, a call that gives power over the secret, a key, a function or a role. */
  'changed-by-hand': ['gettoken'],
} as const satisfies Record<string, readonly FunctionName[]>;

export type PlatformAlarm = keyof typeof PLATFORM_ALARMS;

const headings = (alarms: Readonly<Record<string, readonly FunctionName[]>>): string[] =>
  Object.entries(alarms).flatMap(([signal, names]) => names.map((name) => `${name}/${signal}`));

/** Every alarm as `<function>/<signal>`. */
export const ALARM_HEADINGS: readonly string[] = [...headings(SIGNAL_ALARMS), ...headings(PLATFORM_ALARMS)];
