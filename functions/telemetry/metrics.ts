import { Metrics } from '@aws-lambda-powertools/metrics';
import { METRIC_NAMESPACE, SIGNALS, type SignalName } from '../contract/signals.ts';

/** Signals as CloudWatch metrics in the embedded format (EMF): one object per `take`, at the end of an invocation. */
export function makeSignals(options: { readonly environment: string; readonly function: string }) {
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  // Powertools' own warnings (nothing to publish) are no concern of an operator.
  const metrics = new Metrics({ namespace: METRIC_NAMESPACE, serviceName: options.function, logger: silent });
  // Powertools adds its own dimension `service`, and an alarm only matches the exact set of dimensions.
  metrics.clearDefaultDimensions();
  metrics.setDefaultDimensions({ environment: options.environment, function: options.function });

  return {
    /** Counts one, or records `value` in the unit of contract/signals.ts. */
    emit(signal: SignalName, value = 1): void {
      metrics.addMetric(signal, SIGNALS[signal].unit, value);
    },
    /** All since the last time, as the members of a line; undefined where there are none. */
    take(): object | undefined {
      if (!metrics.hasStoredMetrics()) return undefined;
      const stored = metrics.serializeMetrics();
      metrics.clearMetrics();
      return stored;
    },
  };
}
