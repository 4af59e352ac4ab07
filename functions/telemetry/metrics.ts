import { METRIC_NAMESPACE, SIGNALS, type SignalName } from '../contract/signals.ts';

/** CloudWatch takes no more values of a metric in one object. No invocation measures so many. */
const MOST_VALUES = 100;

/**
 * Signals as CloudWatch metrics in the embedded metric format (EMF): one object per `take`, at the end of an invocation.
 * Counts are added up; of what is measured every value is sent. `now`: epoch ms.
 */
export function makeSignals(options: {
  readonly environment: string;
  readonly function: string;
  readonly now: () => number;
}) {
  const stored = new Map<SignalName, number[]>();

  return {
    /** Counts one, or records `value` in the unit of contract/signals.ts. */
    emit(signal: SignalName, value = 1): void {
      const values = stored.get(signal) ?? [];
      if (SIGNALS[signal].unit === 'Count') stored.set(signal, [(values[0] ?? 0) + value]);
      else if (values.length < MOST_VALUES) stored.set(signal, [...values, value]);
    },
    /** All since the last time, as the members of a line; undefined where there are none. */
    take(): object | undefined {
      if (stored.size === 0) return undefined;
      const metrics = [...stored.keys()].map((Name) => ({ Name, Unit: SIGNALS[Name].unit }));
      // An alarm only matches the exact set of dimensions.
      const directive = { Namespace: METRIC_NAMESPACE, Dimensions: [['environment', 'function']], Metrics: metrics };
      const { environment, function: name, now } = options;
      const values = Object.fromEntries([...stored].map(([signal, all]) => [signal, all.length > 1 ? all : all[0]]));
      stored.clear();
      return { _aws: { Timestamp: now(), CloudWatchMetrics: [directive] }, environment, function: name, ...values };
    },
  };
}
