import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { PlatformAlarm } from '../../functions/contract/alarms.ts';
import { METRIC_NAMESPACE, SIGNALS } from '../../functions/contract/signals.ts';
import type { SignalName } from '../../functions/contract/signals.ts';
import type { BrokerEvents } from './broker-events.ts';
import type { BrokerFunction } from './broker-function.ts';
import type { SecretWatch } from './secret-watch.ts';
import { httpTriggers } from './token-api.ts';
import type { TokenApi } from './token-api.ts';

const MINUTE = Duration.minutes(1);
const FIVE_MINUTES = Duration.minutes(5);

export interface AlarmRule {
  readonly metric: IMetric;
  /** The alarm fires at this value or above; with `below`, under it. */
  readonly threshold: number;
  readonly periods?: number;
  readonly below?: boolean;
  readonly meaning: string;
}

/** The constructs whose AWS metrics the alarms use. */
export interface AlarmSources {
  readonly api: TokenApi;
  readonly events: BrokerEvents;
  readonly secretWatch: SecretWatch;
}

/** Counts of a minute that are no trouble one by one. */
const FIRES_AT: Partial<Record<SignalName, number>> = { 'mint-limited': 20 };

/** The rule of a paging signal: a count fires at one unless FIRES_AT says more, an age at five minutes. */
export function signalRule(environment: string, broker: BrokerFunction, signal: SignalName): AlarmRule {
  const { unit, meaning } = SIGNALS[signal];
  const seconds = unit === 'Seconds';
  return {
    metric: new Metric({
      namespace: METRIC_NAMESPACE,
      metricName: signal,
      dimensionsMap: { environment, function: broker.name },
      statistic: seconds ? 'Maximum' : 'Sum',
      period: MINUTE,
    }),
    threshold: seconds ? FIVE_MINUTES.toSeconds() : (FIRES_AT[signal] ?? 1),
    meaning,
  };
}

/** The rule of an alarm on one of AWS's own metrics. */
export function platformRule(
  { api, events, secretWatch }: AlarmSources,
  broker: BrokerFunction,
  alarm: PlatformAlarm,
): AlarmRule {
  const lambda = { period: MINUTE, statistic: 'Sum' };
  switch (alarm) {
    case '5xx-rate':
      return {
        metric: new MathExpression({
          expression: 'IF(failures >= 3, 100 * failures / answers, 0)',
          usingMetrics: {
            failures: routeMetric(api, broker, '5xx', 'Sum'),
            answers: routeMetric(api, broker, 'Count', 'Sum'),
          },
          period: FIVE_MINUTES,
        }),
        threshold: 2,
        meaning: 'At least 2 % of the answers are server errors',
      };
    case 'p99-latency':
      return {
        metric: routeMetric(api, broker, 'Latency', 'p99'),
        threshold: 5000,
        periods: 3,
        meaning: 'One answer in a hundred takes five seconds or more',
      };
    case 'throttles':
      return {
        metric: broker.function.metricThrottles(lambda),
        threshold: 1,
        meaning: 'Lambda rejected invocations',
      };
    case 'crashes':
      return {
        metric: broker.alias.metricErrors(lambda),
        threshold: 1,
        meaning: 'An invocation crashed or ran out of time',
      };
    case 'missed':
      return {
        metric: broker.alias.metricInvocations(lambda),
        threshold: 1,
        periods: 2,
        below: true,
        meaning: 'Two sweeps in a row did not run',
      };
    case 'dead-letters':
      return {
        metric: events.deadLetters.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: 'Maximum' }),
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

function routeMetric(api: TokenApi, broker: BrokerFunction, metricName: string, statistic: string): Metric {
  const [route] = httpTriggers(broker);
  if (route === undefined) throw new Error(`${broker.name} has no route to measure`);
  return new Metric({
    namespace: 'AWS/ApiGateway',
    metricName,
    dimensionsMap: { ApiId: api.api.apiId, Stage: '$default', Method: route.method, Resource: route.path },
    statistic,
    period: FIVE_MINUTES,
  });
}
