import { Duration } from 'aws-cdk-lib';
import { Dashboard, GraphWidget, Metric, SingleValueWidget, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE, SIGNALS } from '../../functions/contract/signals.ts';
import type { Response, SignalName } from '../../functions/contract/signals.ts';
import type { BrokerFunction } from './broker-function.ts';

const FIVE_MINUTES = Duration.minutes(5);

export interface BrokerDashboardProps {
  readonly prefix: string;
  readonly environment: string;
  readonly functions: readonly BrokerFunction[];
}

/** Whether the broker still waits for a secret, then one row per function: what it did, which pages and tickets it raised, how it ran. */
export class BrokerDashboard extends Construct {
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, { prefix, environment, functions }: BrokerDashboardProps) {
    super(scope, id);
    const counted = (broker: BrokerFunction, responses: readonly Response[]) =>
      (Object.keys(SIGNALS) as SignalName[])
        .filter((signal) => SIGNALS[signal].unit === 'Count' && responses.includes(SIGNALS[signal].response))
        .map(
          (metricName) =>
            new Metric({
              namespace: METRIC_NAMESPACE,
              metricName,
              dimensionsMap: { environment, function: broker.name },
              statistic: 'Sum',
              period: FIVE_MINUTES,
            }),
        );
    this.dashboard = new Dashboard(this, 'dashboard', { dashboardName: prefix });
    this.dashboard.addWidgets(
      new TextWidget({
        markdown:
          '## First run\n`not-set-up` counts what waits for a secret that has never had a value: store the credential ' +
          '(docs/deploy.md). It is no alarm, and it ends with the first value.',
        width: 16,
        height: 3,
      }),
      new SingleValueWidget({
        title: 'waiting for the first value',
        width: 8,
        height: 3,
        metrics: functions.map(
          (broker) =>
            new Metric({
              namespace: METRIC_NAMESPACE,
              metricName: 'not-set-up' satisfies SignalName,
              label: broker.name,
              dimensionsMap: { environment, function: broker.name },
              statistic: 'Sum',
              period: FIVE_MINUTES,
            }),
        ),
      }),
    );
    for (const broker of functions) {
      const lambda = { period: FIVE_MINUTES };
      this.dashboard.addWidgets(new TextWidget({ markdown: `## ${broker.name}`, width: 24, height: 1 }));
      this.dashboard.addWidgets(
        new GraphWidget({ title: 'what it did', width: 8, left: counted(broker, ['none']) }),
        new GraphWidget({ title: 'pages and tickets', width: 8, left: counted(broker, ['page', 'ticket']) }),
        new GraphWidget({
          title: 'how it ran',
          width: 8,
          left: [
            broker.function.metricInvocations(lambda),
            broker.function.metricErrors(lambda),
            broker.function.metricThrottles(lambda),
          ],
          right: [
            broker.function.metricDuration({ ...lambda, statistic: 'p50' }),
            broker.function.metricDuration({ ...lambda, statistic: 'p99' }),
          ],
        }),
      );
    }
  }
}
