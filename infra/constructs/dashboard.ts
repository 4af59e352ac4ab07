import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  Metric,
  SingleValueWidget,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { AlarmBase, IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { FunctionName } from '../../functions/contract/functions.ts';
import { SIGNALS } from '../../functions/contract/signals.ts';
import type { SignalName } from '../../functions/contract/signals.ts';
import { SIGNAL_ALARMS } from './alarm-list.ts';
import { ROUTED } from './access-metrics.ts';
import { missedShare, signalMetric } from './alarm-rules.ts';
import type { AlarmSources } from './alarm-rules.ts';
import type { BrokerFunction } from './broker-function.ts';
import type { TokenApi } from './token-api.ts';
import type { TokenLedger } from './token-ledger.ts';

const period = Duration.minutes(5);

export interface BrokerDashboardProps extends AlarmSources {
  readonly api: TokenApi;
  readonly prefix: string;
  readonly functions: readonly BrokerFunction[];
  readonly ledger: TokenLedger;
  readonly alarms: readonly AlarmBase[];
}

/**
 * From the top: all alarms, and what still waits for a secret; service levels, answers and times; what ThoughtSpot and AWS
 * throttle; then one row per function: what it did, which pages and tickets it raised, how it ran.
 */
export class BrokerDashboard extends Construct {
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: BrokerDashboardProps) {
    super(scope, id);
    const { prefix, environment, api, access, functions, ledger, alarms } = props;
    const signal = (name: FunctionName, metricName: SignalName, statistic = 'Sum', label?: string) =>
      signalMetric(environment, name, metricName, { statistic, period, ...(label !== undefined && { label }) });
    const counts = (Object.keys(SIGNALS) as SignalName[]).filter((one) => SIGNALS[one].unit === 'Count');
    const done = counts.filter((one) => SIGNALS[one].response === 'none');
    const alarming = (name: FunctionName) =>
      counts.filter((one) => (SIGNAL_ALARMS as Partial<Record<SignalName, readonly string[]>>)[one]?.includes(name));
    const graph = (title: string, left: IMetric[], right: IMetric[] = []) =>
      new GraphWidget({ title, width: 8, left, right });
    const usage = (metricName: string) =>
      new Metric({
        namespace: 'AWS/Usage',
        metricName,
        dimensionsMap: { Service: 'KMS', Type: 'API', Class: 'None', Resource: 'CryptographicOperationsSymmetric' },
        statistic: 'Sum',
        period,
        label: `KMS ${metricName}, of the whole account`,
      });
    const table = (metricName: string) => ledger.table.metric(metricName, { statistic: 'Sum', period });
    const api4xx = api.api.metricClientError({ period, label: '4xx, whole API' });
    const failed = ROUTED.map((name) => access.sum(`${name}-failed`, period).with({ label: `${name} 5xx` }));
    const missed = (name: 'gettoken' | 'sweep', label: string) =>
      missedShare(props, { name }, Duration.hours(1), 1, label);

    this.dashboard = new Dashboard(this, 'dashboard', { dashboardName: prefix });
    this.dashboard.addWidgets(
      new AlarmStatusWidget({ title: 'alarms', width: 16, height: 8, alarms: [...alarms] }),
      new SingleValueWidget({
        title: 'no alarm: waits for the first value of a secret (docs/deploy.md)',
        width: 8,
        height: 8,
        metrics: functions.map(({ name }) => signal(name, 'not-set-up', 'Sum', name)),
      }),
    );
    this.dashboard.addWidgets(
      graph('missed service levels, % of an hour (1 is what may be)', [
        missed('gettoken', 'gettoken, not in a second'),
        missed('sweep', 'revocations, not in two minutes'),
      ]),
      graph(
        'gettoken, whatever the issuer',
        (['gettoken-requests', 'served', 'refused', 'gettoken-failed', 'throttled'] as const).map((one) =>
          access.sum(one, period),
        ),
      ),
      graph('4xx and 5xx', [api4xx], failed),
    );
    this.dashboard.addWidgets(
      graph(
        'time to mint, ms',
        ['p50', 'p99'].map((one) => signal('gettoken', 'mint-latency', one, `ThoughtSpot ${one}`)),
        ['p50', 'p99'].map((one) => access.latency(one, period).with({ label: `gettoken ${one}` })),
      ),
      graph('oldest due, s', [signal('sweep', 'oldest-due-age', 'Maximum'), signal('sweep', 'index-lag', 'Maximum')]),
      graph("ThoughtSpot's clock minus ours, s", [
        signal('gettoken', 'upstream-clock-offset', 'Maximum', 'most'),
        signal('gettoken', 'upstream-clock-offset', 'Minimum', 'least'),
      ]),
    );
    this.dashboard.addWidgets(
      graph(
        'ThoughtSpot: busy (429), unavailable',
        (['upstream-busy', 'upstream-unavailable'] as const).flatMap((one) =>
          (['gettoken', 'sweep'] as const).map((name) => signal(name, one, 'Sum', `${name} ${one}`)),
        ),
      ),
      graph('DynamoDB: throttled', [table('ReadThrottleEvents'), table('WriteThrottleEvents')]),
      graph('KMS: throttled', [usage('ThrottleCount')], [usage('CallCount')]),
    );
    for (const broker of functions) {
      const lambda = { period };
      this.dashboard.addWidgets(new TextWidget({ markdown: `## ${broker.name}`, width: 24, height: 1 }));
      this.dashboard.addWidgets(
        graph(
          'what it did',
          done.map((one) => signal(broker.name, one)),
        ),
        graph(
          'pages and tickets',
          alarming(broker.name).map((one) => signal(broker.name, one)),
        ),
        graph(
          'how it ran',
          [
            broker.function.metricInvocations(lambda),
            broker.function.metricErrors(lambda),
            broker.function.metricThrottles(lambda),
          ],
          [
            broker.function.metricDuration({ ...lambda, statistic: 'p50' }),
            broker.function.metricDuration({ ...lambda, statistic: 'p99' }),
          ],
        ),
      );
    }
  }
}
