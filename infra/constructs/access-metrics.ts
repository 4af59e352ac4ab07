import type { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnMetricFilter } from 'aws-cdk-lib/aws-logs';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE } from '../../functions/contract/signals.ts';

/** Of every issuer: the one at the root, and those under /i/<name>. */
const GETTOKEN = '$.route = "*/gettoken"';
const SERVED = `(${GETTOKEN}) && ($.status = "2*")`;

/** A gettoken that is answered in this time is within its service level, ms. */
export const IN_TIME_MS = 1_000;

/**
 * What is counted in the API's access log, which has the gateway's own refusals too, for all issuers together. Values are
 * text there, but for the latency.
 */
const PATTERNS = {
  requests: GETTOKEN,
  served: SERVED,
  'served-in-time': `${SERVED} && ($.latencyMs < ${IN_TIME_MS})`,
  failed: `(${GETTOKEN}) && ($.status = "5*")`,
  refused: `(${GETTOKEN}) && (($.status = "401") || ($.status = "403"))`,
  /** Of any route: a request over the limit may have none. A function that refuses has a latency. */
  throttled: '($.status = "429") && ($.functionLatencyMs = "-")',
} as const;

export type AccessMetric = keyof typeof PATTERNS;

/** Metrics of the namespace `ThoughtSpotBroker/<environment>`. */
export class AccessMetrics extends Construct {
  readonly #namespace: string;

  constructor(scope: Construct, id: string, { environment, log }: { environment: string; log: ILogGroup }) {
    super(scope, id);
    this.#namespace = `${METRIC_NAMESPACE}/${environment}`;
    for (const [metricName, pattern] of Object.entries(PATTERNS))
      new CfnMetricFilter(this, metricName, {
        logGroupName: log.logGroupName,
        filterPattern: `{ ${pattern} }`,
        metricTransformations: [
          { metricNamespace: this.#namespace, metricName, metricValue: '1', defaultValue: 0, unit: 'Count' },
        ],
      });
  }

  sum(metricName: AccessMetric, period: Duration): Metric {
    return new Metric({ namespace: this.#namespace, metricName, statistic: 'Sum', period });
  }
}
