import { FUNCTION_NAMES } from './functions.ts';
import type { FunctionName } from './functions.ts';
import type { SignalName } from './signals.ts';

/**
 * What wakes a human, completely: the stack makes exactly these alarms, docs/runbook.md has exactly these headings.
 * An alarm is named `<function>/<signal>` in the runbook and `<environment>-<function>/<signal>` in CloudWatch.
 */

/** Which function can emit which paging signal of signals.ts. */
export const SIGNAL_ALARMS = {
  /** Only a mint presents the credential: revocations present the token itself. */
  'upstream-credential-refused': ['gettoken'],
  'upstream-mismatch': ['gettoken'],
  'orphan-seen': ['gettoken', 'sweep'],
  'access-denied': FUNCTION_NAMES,
  misconfigured: FUNCTION_NAMES,
  'internal-error': FUNCTION_NAMES,
  'schedule-failed': ['revoketoken'],
  'oldest-due-age': ['sweep'],
  'sweep-failed': ['sweep'],
  'probe-failed': ['prober'],
} as const satisfies Partial<Record<SignalName, readonly FunctionName[]>>;

/** What only AWS itself can see: which functions each concerns. */
export const PLATFORM_ALARMS = {
  /** More than 2 % (and at least 3) of the answers in five minutes are 5xx. */
  '5xx-rate': ['gettoken', 'revoketoken', 'sessioninfo', 'leases'],
  /** The slowest percent of answers is near the deadline for three times five minutes. */
  'p99-latency': ['gettoken'],
  /** Lambda turned invocations away: reserved concurrency is used up. A sweep that is turned away shows as missed. */
  throttles: ['gettoken', 'revoketoken', 'sessioninfo', 'leases'],
  /** Invocations that crashed or ran into their timeout. */
  crashes: FUNCTION_NAMES,
  /** Two runs in a row did not happen; missing data counts. */
  missed: ['sweep'],
  /** An event for this function was given up after every retry. */
  'dead-letters': ['revoketoken'],
  /** CloudTrail saw somebody other than the broker's functions ask for the secret (it stands beside gettoken, its user). */
  'secret-read-by-others': ['gettoken'],
} as const satisfies Record<string, readonly FunctionName[]>;

export type PlatformAlarm = keyof typeof PLATFORM_ALARMS;

const headings = (alarms: Readonly<Record<string, readonly FunctionName[]>>): string[] =>
  Object.entries(alarms).flatMap(([signal, names]) => names.map((name) => `${name}/${signal}`));

/** Every alarm as `<function>/<signal>`. */
export const ALARM_HEADINGS: readonly string[] = [...headings(SIGNAL_ALARMS), ...headings(PLATFORM_ALARMS)];
