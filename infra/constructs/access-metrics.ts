import type { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnMetricFilter } from 'aws-cdk-lib/aws-logs';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { FUNCTIONS, type Trigger } from '../../functions/contract/functions.ts';
import { METRIC_NAMESPACE } from '../../functions/contract/signals.ts';

/** The functions whose routes somebody waits for. */
export const ROUTED = ['gettoken', 'revoketoken', 'sessioninfo', 'operator'] as const;
export type Routed = (typeof ROUTED)[number];

/** All routes of a function, of every issuer: at the root, under /operator and under /i/<name>. */
function routesOf(name: Routed): string {
  const triggers: readonly Trigger[] = FUNCTIONS[name].triggers;
  const paths = triggers.flatMap((one) => (one.kind === 'http' ? one.path.replace(/^\/operator/, '') : []));
  return [...new Set(paths)].map((path) => `($.route = "*${path}")`).join(' || ');
}

const GETTOKEN = '$.route = "*/gettoken"';
const SERVED = `(${GETTOKEN}) && ($.status = "2*")`;

/** A gettoken that is answered in this time is within its service level, ms. */
export const IN_TIME_MS = 1_000;

/**
 * What is counted in the API's access log, which has the gateway's own refusals too, for all issuers together. Values are
 * text there, but for the latency.
 */
const PATTERNS = {
  served: SERVED,
  'served-in-time': `${SERVED} && ($.latencyMs < ${IN_TIME_MS})`,
  refused: `(${GETTOKEN}) && (($.status = "401") || ($.status = "403"))`,
  /** Of any route: a request over the limit may have none. A function that refuses has a latency. */
  throttled: '($.status = "429") && ($.functionLatencyMs = "-")',
} as const;

/** Requests of a function, and those of them that were answered 5xx. */
type OfFunction = `${Routed}-${'requests' | 'failed'}`;
export type AccessMetric = keyof typeof PATTERNS | OfFunction;

const LATENCY = 'gettoken-latency';
const COUNT = { metricValue: '1', defaultValue: 0, unit: 'Count' };
type Measured = Pick<CfnMetricFilter.MetricTransformationProperty, 'metricValue' | 'defaultValue' | 'unit'>;

/** Metrics of the namespace `ThoughtSpotBroker/<environment>`. */
export class AccessMetrics extends Construct {
  readonly #namespace: string;

  constructor(scope: Construct, id: string, { environment, log }: { environment: string; log: ILogGroup }) {
    super(scope, id);
    this.#namespace = `${METRIC_NAMESPACE}/${environment}`;
    const add = (metricName: string, pattern: string, value: Measured) =>
      new CfnMetricFilter(this, metricName, {
        logGroupName: log.logGroupName,
        filterPattern: `{ ${pattern} }`,
        metricTransformations: [{ metricNamespace: this.#namespace, metricName, ...value }],
      });
    for (const [metricName, pattern] of Object.entries(PATTERNS)) add(metricName, pattern, COUNT);
    for (const name of ROUTED) {
      add(`${name}-requests`, routesOf(name), COUNT);
      add(`${name}-failed`, `(${routesOf(name)}) && ($.status = "5*")`, COUNT);
    }
    // Without a value for other requests, which would be counted as fast ones.
    add(LATENCY, GETTOKEN, { metricValue: '$.latencyMs', unit: 'Milliseconds' });
  }

  sum(metricName: AccessMetric, period: Duration): Metric {
    return new Metric({ namespace: this.#namespace, metricName, statistic: 'Sum', period });
  }

  /** How long gettoken took, as callers saw it, ms. */
  latency(statistic: string, period: Duration): Metric {
    return new Metric({ namespace: this.#namespace, metricName: LATENCY, statistic, period });
  }
}
