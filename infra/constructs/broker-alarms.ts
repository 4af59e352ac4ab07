import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, MathExpression, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { PLATFORM_ALARMS, SIGNAL_ALARMS } from '../../functions/contract/alarms.ts';
import type { PlatformAlarm } from '../../functions/contract/alarms.ts';
import type { FunctionName } from '../../functions/contract/functions.ts';
import { METRIC_NAMESPACE, SIGNALS } from '../../functions/contract/signals.ts';
import type { SignalName } from '../../functions/contract/signals.ts';
import type { BrokerEvents } from './broker-events.ts';
import type { BrokerFunction } from './broker-function.ts';
import type { SecretWatch } from './secret-watch.ts';
import { httpTriggers } from './token-api.ts';
import type { TokenApi } from './token-api.ts';

const MINUTE = Duration.minutes(1);
const FIVE_MINUTES = Duration.minutes(5);

interface Rule {
  readonly metric: IMetric;
  /** The alarm fires at this value or above (below, for `missed`). */
  readonly threshold: number;
  readonly periods?: number;
  readonly below?: boolean;
  readonly meaning: string;
}

export interface BrokerAlarmsProps {
  readonly environment: string;
  readonly functions: readonly BrokerFunction[];
  readonly api: TokenApi;
  readonly events: BrokerEvents;
  readonly secretWatch: SecretWatch;
  readonly topic: ITopic;
}

/** Exactly the alarms of contract/alarms.ts, each named as its heading in docs/runbook.md. */
export class BrokerAlarms extends Construct {
  readonly #props: BrokerAlarmsProps;
  readonly #alarms = new Map<FunctionName, Map<string, Alarm>>();

  constructor(scope: Construct, id: string, props: BrokerAlarmsProps) {
    super(scope, id);
    this.#props = props;
    for (const broker of props.functions) {
      for (const signal of concerning(SIGNAL_ALARMS, broker.name))
        this.#alarm(broker, signal, this.#signal(broker, signal));
      for (const alarm of concerning(PLATFORM_ALARMS, broker.name))
        this.#alarm(broker, alarm, this.#platform(broker, alarm));
    }
  }

  /** The alarms of a function that end a deployment of it and bring the old version back. */
  endingDeployment(name: FunctionName): Alarm[] {
    return ['crashes', '5xx-rate', 'misconfigured', 'access-denied', 'internal-error'].flatMap(
      (signal) => this.#alarms.get(name)?.get(signal) ?? [],
    );
  }

  #alarm(broker: BrokerFunction, signal: string, rule: Rule): void {
    const heading = `${broker.name}/${signal}`;
    const alarm = new Alarm(this, `${broker.name}-${signal}`, {
      alarmName: `${this.#props.environment}-${heading}`,
      // GitHub's anchor of a heading drops the slash.
      alarmDescription: `${rule.meaning}. What to do: docs/runbook.md#${heading.replace('/', '')}`,
      metric: rule.metric,
      threshold: rule.threshold,
      evaluationPeriods: rule.periods ?? 1,
      comparisonOperator: rule.below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: rule.below ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.#props.topic));
    alarm.addOkAction(new SnsAction(this.#props.topic));
    const ofFunction = this.#alarms.get(broker.name) ?? new Map<string, Alarm>();
    this.#alarms.set(broker.name, ofFunction.set(signal, alarm));
  }

  #signal(broker: BrokerFunction, signal: SignalName): Rule {
    const { unit, meaning } = SIGNALS[signal];
    const seconds = unit === 'Seconds';
    return {
      metric: new Metric({
        namespace: METRIC_NAMESPACE,
        metricName: signal,
        dimensionsMap: { environment: this.#props.environment, function: broker.name },
        statistic: seconds ? 'Maximum' : 'Sum',
        period: MINUTE,
      }),
      threshold: seconds ? FIVE_MINUTES.toSeconds() : 1,
      meaning,
    };
  }

  #platform(broker: BrokerFunction, alarm: PlatformAlarm): Rule {
    const { api, events, secretWatch } = this.#props;
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
          meaning: 'More than 2 % of the answers are server errors',
        };
      case 'p99-latency':
        return {
          metric: routeMetric(api, broker, 'Latency', 'p99'),
          threshold: 5000,
          periods: 3,
          meaning: 'One answer in a hundred takes over five seconds',
        };
      case 'throttles':
        return {
          metric: broker.function.metricThrottles(lambda),
          threshold: 1,
          meaning: 'Lambda turned invocations away',
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
          meaning: 'A revocation event was given up after every retry',
        };
      case 'secret-read-by-others':
        return {
          metric: secretWatch.seen,
          threshold: 1,
          meaning: 'Somebody else asked for the ThoughtSpot credential',
        };
    }
  }
}

function concerning<Name extends string>(alarms: Record<Name, readonly FunctionName[]>, name: FunctionName): Name[] {
  return (Object.keys(alarms) as Name[]).filter((alarm) => alarms[alarm].includes(name));
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
