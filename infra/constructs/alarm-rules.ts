import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { FunctionName } from '../../functions/contract/functions.ts';
import { METRIC_NAMESPACE, SIGNALS } from '../../functions/contract/signals.ts';
import type { SignalName } from '../../functions/contract/signals.ts';
import { type AccessMetrics, ROUTED, type Routed } from './access-metrics.ts';
import type { PlatformAlarm, SignalAlarm } from './alarm-list.ts';
import type { BrokerEvents } from './broker-events.ts';
import type { BrokerFunction } from './broker-function.ts';
import type { SecretWatch } from './secret-watch.ts';

const minutes = (count: number) => Duration.minutes(count);

export interface AlarmRule {
  readonly metric: IMetric;
  /** The alarm fires at this value or above; with `below`, under it. */
  readonly threshold: number;
  /** Periods that are looked at; all of them, or at least `datapoints`, must be so. */
  readonly periods?: number;
  readonly datapoints?: number;
  readonly below?: boolean;
  readonly meaning: string;
}

/** Fires while all of its parts do, unless that alarm of gettoken does, which is heard already for the same reason. */
export interface CombinedRule {
  readonly parts: Readonly<Record<string, Omit<AlarmRule, 'meaning'>>>;
  readonly unless?: SignalAlarm;
  readonly meaning: string;
}

/** The constructs whose metrics the alarms use. */
export interface AlarmSources {
  readonly environment: string;
  readonly access: AccessMetrics;
  readonly events: BrokerEvents;
  readonly secretWatch: SecretWatch;
}

/** How many are no trouble yet, in which time. A count fires at one in a minute, an age at five minutes, unless it says more. */
const SIGNAL_RULES: Partial<Record<SignalAlarm, { threshold?: number; period?: Duration } & Partial<AlarmRule>>> = {
  'mint-limited': { threshold: 20 },
  'upstream-busy': { threshold: 20, period: minutes(5) },
  // It lasts: some of it in five minutes of ten.
  'upstream-unavailable': { periods: 10, datapoints: 5 },
  // One failed run is made good by the next.
  'sweep-failed': { periods: 5, datapoints: 3 },
  stuck: { period: minutes(15) },
  'secret-stale': { period: minutes(5) },
  'issuer-unavailable': { period: minutes(5) },
  'probe-failed': { threshold: 2 },
};
/** Three runs of the prober, so that no alarm of it clears between two of them. */
const PROBER_PERIOD = minutes(15);

/** The rule of an alarm on a signal of ours. */
export function signalRule(
  environment: string,
  { name }: BrokerFunction,
  signal: SignalAlarm,
): AlarmRule | CombinedRule {
  const { unit, meaning } = SIGNALS[signal];
  const seconds = unit === 'Seconds';
  const { period = name === 'prober' ? PROBER_PERIOD : minutes(1), ...rule } = SIGNAL_RULES[signal] ?? {};
  const statistic = seconds ? 'Maximum' : 'Sum';
  const one: AlarmRule = {
    metric: signalMetric(environment, name, signal, { statistic, period }),
    threshold: seconds ? minutes(5).toSeconds() : 1,
    meaning,
    ...rule,
  };
  return signal === 'probe-failed' ? { parts: { twice: one }, unless: 'upstream-unavailable', meaning } : one;
}

export function signalMetric(
  environment: string,
  name: FunctionName,
  metricName: SignalName,
  how: { readonly statistic: string; readonly period: Duration; readonly label?: string },
): Metric {
  return new Metric({
    namespace: METRIC_NAMESPACE,
    metricName,
    dimensionsMap: { environment, function: name },
    ...how,
  });
}

/** The share that may miss a service level, in percent: docs/runbook.md states both. */
const BUDGET_PERCENT = 1;
/** Times the budget: all of 28 days' in two days, and in under five. */
const BURN = { fast: 14.4, slow: 6 };

/** The rule of an alarm on metrics of AWS. */
export function platformRule(
  sources: AlarmSources,
  broker: BrokerFunction,
  alarm: PlatformAlarm,
): AlarmRule | CombinedRule {
  const { access, events, secretWatch } = sources;
  const lambda = { period: minutes(1), statistic: 'Sum' };
  switch (alarm) {
    case '5xx-rate':
      return {
        metric: new MathExpression({
          expression: 'IF(failures >= 3, 100 * failures / answers, 0)',
          usingMetrics: {
            failures: access.sum(`${routed(broker)}-failed`, minutes(5)),
            answers: access.sum(`${routed(broker)}-requests`, minutes(5)),
          },
          period: minutes(5),
        }),
        threshold: 2,
        meaning: 'At least 2 % of the answers are server errors',
      };
    case 'p99-latency':
      return {
        metric: access.latency('p99', minutes(5)),
        threshold: 5000,
        periods: 3,
        meaning: 'One answer in a hundred takes five seconds or more',
      };
    case 'fast-burn':
      return {
        parts: {
          hour: { metric: missedShare(sources, broker, minutes(60), 50), threshold: BURN.fast * BUDGET_PERCENT },
          now: { metric: missedShare(sources, broker, minutes(5), 5), threshold: BURN.fast * BUDGET_PERCENT },
        },
        ...(broker.name === 'gettoken' && { unless: 'upstream-unavailable' }),
        meaning: `At least ${BURN.fast * BUDGET_PERCENT} % of an hour missed the service level of ${broker.name}`,
      };
    case 'slow-burn':
      return {
        metric: missedShare(sources, broker, minutes(360), 200),
        threshold: BURN.slow * BUDGET_PERCENT,
        meaning: `At least ${BURN.slow * BUDGET_PERCENT} % of six hours missed the service level of ${broker.name}`,
      };
    case 'refused-share':
      return {
        metric: new MathExpression({
          expression: 'IF(refused >= 20, 100 * refused / requests, 0)',
          usingMetrics: {
            refused: access.sum('refused', minutes(5)),
            requests: access.sum('gettoken-requests', minutes(5)),
          },
          period: minutes(5),
        }),
        threshold: 25,
        periods: 3,
        meaning: 'For a quarter of an hour, a quarter of the requests or more were answered 401 or 403',
      };
    case 'nobody-served':
      // The prober alone is served four times in a quarter of an hour.
      return {
        parts: {
          'hour-before': { metric: access.sum('served', minutes(60)), threshold: 240 },
          'quarter-now': { metric: access.sum('served', minutes(15)), threshold: 8, below: true },
        },
        unless: 'upstream-unavailable',
        meaning: 'Hundreds of tokens were handed out in an hour, and in its last quarter hardly one',
      };
    case 'api-throttled':
      return {
        metric: access.sum('throttled', minutes(5)),
        threshold: 20,
        meaning: 'The gateway refused requests, since there were more than the whole API may have',
      };
    case 'throttles':
      return {
        metric: broker.function.metricThrottles(lambda),
        threshold: 1,
        meaning: 'Lambda rejected invocations',
      };
    case 'crashes':
      return {
        metric: broker.alias.metricErrors(broker.name === 'prober' ? { ...lambda, period: PROBER_PERIOD } : lambda),
        threshold: 1,
        meaning: 'An invocation crashed or ran out of time',
      };
    case 'missed': {
      const prober = broker.name === 'prober';
      return {
        metric: broker.alias.metricInvocations({ ...lambda, period: minutes(prober ? 5 : 1) }),
        threshold: 1,
        periods: prober ? 3 : 2,
        below: true,
        meaning: `${prober ? 'Three probes' : 'Two sweeps'} in a row did not run`,
      };
    }
    case 'dead-letters':
      return {
        metric: events.deadLetters.metricApproximateNumberOfMessagesVisible({ ...lambda, statistic: 'Maximum' }),
        threshold: 1,
        meaning: 'A revocation event failed after all retries',
      };
    case 'secret-read-by-others':
      return {
        metric: secretWatch.seen,
        threshold: 1,
        meaning: 'A principal other than the broker requested the ThoughtSpot credential',
      };
    case 'changed-by-hand':
      return {
        metric: secretWatch.changed,
        threshold: 1,
        meaning: 'Outside of a deployment somebody changed the secret, a key, a function or a role of the broker',
      };
  }
}

/** Percent of what missed its service level; 0 where fewer than `atLeast` were counted. */
export function missedShare(
  { access, environment }: Pick<AlarmSources, 'access' | 'environment'>,
  { name }: Pick<BrokerFunction, 'name'>,
  period: Duration,
  atLeast: number,
  label = 'missed, %',
): MathExpression {
  const share = (missed: string, all: string, usingMetrics: Record<string, Metric>) =>
    new MathExpression({
      expression: `IF(${all} >= ${atLeast}, 100 * (${missed}) / (${all}), 0)`,
      usingMetrics,
      period,
      label,
    });
  if (name === 'gettoken')
    return share('FILL(served, 0) + FILL(failed, 0) - FILL(in_time, 0)', 'FILL(served, 0) + FILL(failed, 0)', {
      served: access.sum('served', period),
      failed: access.sum('gettoken-failed', period),
      in_time: access.sum('served-in-time', period),
    });
  const revoked = (['revoketoken', 'operator', 'backchannellogout', 'sweep'] as const).map((by): [string, Metric] => [
    by,
    signalMetric(environment, by, 'revoked', { statistic: 'Sum', period }),
  ]);
  return share('FILL(late, 0)', revoked.map(([by]) => `FILL(${by}, 0)`).join(' + '), {
    late: signalMetric(environment, 'sweep', 'revoked-late', { statistic: 'Sum', period }),
    ...Object.fromEntries(revoked),
  });
}

function routed({ name }: Pick<BrokerFunction, 'name'>): Routed {
  const found = ROUTED.find((one) => one === name);
  if (found === undefined) throw new Error(`${name} has no route to measure`);
  return found;
}
