/**
 * As much of CloudWatch as the stack uses: metrics of EMF lines and of filters on the access log, alarms with their missing
 * data, combined alarms, metric math. It takes alarms, filters and dashboard from a synthesized template, so what is tried
 * here is what is deployed.
 */
import { runInNewContext } from 'node:vm';
import { asArray } from './iam-evaluator.ts';
import { matchesPattern } from './filter-pattern.ts';
import { resources, type Synthesized } from './synthesized.ts';

export interface Datum {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions?: Readonly<Record<string, string>>;
  readonly value: number;
  /** Epoch ms. */
  readonly at: number;
}

/** A metric of a template, or of a widget: its name and how it is measured. */
export interface Measured {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly statistic: string;
  readonly periodMs: number;
}

export interface Heard {
  /** `<function>/<signal>`. */
  readonly alarm: string;
  readonly severity: 'page' | 'ticket';
  readonly to: 'ALARM' | 'OK';
  readonly at: number;
}

interface MetricJson {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions?: readonly { Name: string; Value: unknown }[];
}
interface QueryJson {
  readonly Id: string;
  readonly Expression?: string;
  readonly ReturnData?: boolean;
  readonly MetricStat?: { readonly Metric: MetricJson; readonly Period: number; readonly Stat: string };
}
interface AlarmJson extends MetricJson {
  readonly AlarmName: string;
  readonly AlarmActions?: readonly unknown[];
  readonly Metrics?: readonly QueryJson[];
  readonly Period?: number;
  readonly Statistic?: string;
  readonly ExtendedStatistic?: string;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm?: number;
  readonly Threshold: number;
  readonly ComparisonOperator: string;
  readonly TreatMissingData: string;
}

const COMPARE: Readonly<Record<string, (value: number, threshold: number) => boolean>> = {
  GreaterThanOrEqualToThreshold: (value, threshold) => value >= threshold,
  LessThanThreshold: (value, threshold) => value < threshold,
};

export type CloudWatch = ReturnType<typeof makeCloudWatch>;

export function makeCloudWatch(synthesized: Synthesized) {
  const { template, name: environment } = synthesized;
  const data = new Map<string, { at: number; value: number }[]>();
  const keyOf = ({ namespace, name, dimensions = {} }: Pick<Datum, 'namespace' | 'name' | 'dimensions'>) =>
    JSON.stringify([namespace, name, Object.entries(dimensions).sort(([one], [other]) => (one < other ? -1 : 1))]);

  function put(datum: Datum): void {
    const key = keyOf(datum);
    const all = data.get(key) ?? [];
    data.set(key, all);
    all.push({ at: datum.at, value: datum.value });
  }

  /** What CloudFormation would put for the intrinsic functions in our alarms: names, or else logical ids. */
  function resolve(value: unknown): string {
    if (typeof value !== 'object' || value === null) return String(value);
    const [[how, what] = ['', '']] = Object.entries(value) as [string, unknown][];
    if (how === 'Ref') {
      const { FunctionName, QueueName, Name } = template.Resources[String(what)]?.Properties ?? {};
      return String(FunctionName ?? QueueName ?? Name ?? what);
    }
    if (how === 'Fn::GetAtt') {
      const [id = ''] = what as string[];
      const { QueueName = id } = template.Resources[id]?.Properties ?? {};
      return String(QueueName);
    }
    if (how !== 'Fn::Join') throw new Error(`unknown: ${how}`);
    const [separator, parts] = what as [string, unknown[]];
    return parts.map(resolve).join(separator);
  }

  const measured = (metric: MetricJson, statistic: string, seconds: number): Measured => ({
    namespace: metric.Namespace,
    name: metric.MetricName,
    dimensions: Object.fromEntries((metric.Dimensions ?? []).map(({ Name, Value }) => [Name, resolve(Value)])),
    statistic,
    periodMs: seconds * 1_000,
  });

  /** The statistic over [from, to); undefined where there is no data. */
  function value(metric: Measured, from: number, to: number): number | undefined {
    const values = (data.get(keyOf(metric)) ?? []).filter(({ at }) => at >= from && at < to).map((one) => one.value);
    return values.length === 0 ? undefined : statisticOf(values, metric.statistic);
  }

  const alarms = resources(synthesized, 'AWS::CloudWatch::Alarm').map(([id, json]) => {
    const alarm = json as unknown as AlarmJson;
    const main = alarm.Metrics?.find(({ ReturnData }) => ReturnData !== false);
    const seconds = alarm.Period ?? alarm.Metrics?.find(({ MetricStat }) => MetricStat)?.MetricStat?.Period ?? 300;
    const parts = (alarm.Metrics ?? []).flatMap(({ Id, MetricStat }) =>
      MetricStat ? [[Id, measured(MetricStat.Metric, MetricStat.Stat, MetricStat.Period)] as const] : [],
    );
    const single = alarm.Metrics
      ? undefined
      : measured(alarm, alarm.Statistic ?? alarm.ExtendedStatistic ?? 'Sum', seconds);
    const valueIn = (from: number, to: number): number | undefined => {
      if (single) return value(single, from, to);
      if (main?.Expression === undefined) return parts[0] && value(parts[0][1], from, to);
      return calculate(main.Expression, new Map(parts.map(([part, metric]) => [part, value(metric, from, to)])));
    };
    return { id, alarm, periodMs: seconds * 1_000, valueIn };
  });

  function rings({ alarm, periodMs, valueIn }: (typeof alarms)[number], at: number): boolean {
    const { EvaluationPeriods, DatapointsToAlarm = EvaluationPeriods, Threshold, TreatMissingData } = alarm;
    const compare = COMPARE[alarm.ComparisonOperator];
    if (compare === undefined) throw new Error(`unknown: ${alarm.ComparisonOperator}`);
    const breaching = Array.from({ length: EvaluationPeriods }, (_, back) => {
      const to = at - back * periodMs;
      const found = valueIn(to - periodMs, to);
      return found === undefined ? TreatMissingData === 'breaching' : compare(found, Threshold);
    });
    return breaching.filter(Boolean).length >= DatapointsToAlarm;
  }

  const combined = resources(synthesized, 'AWS::CloudWatch::CompositeAlarm').map(([id, json]) => ({
    id,
    alarm: json as unknown as AlarmJson,
    rule: resolve(json['AlarmRule']),
  }));

  /** The names of all alarms that ring at this time, parts of combined ones too. */
  function ringing(at: number): Set<string> {
    const now = new Map(alarms.map((one) => [one.id, rings(one, at)]));
    const names = alarms.filter(({ id }) => now.get(id)).map(({ alarm }) => alarm.AlarmName);
    for (const { alarm, rule } of combined) {
      const expression = rule
        .replace(/ALARM\("(\w+)"\)/g, (_, id: string) => String(now.get(id) ?? false))
        .replaceAll('AND', '&&')
        .replaceAll('NOT', '!');
      if (runInNewContext(expression) === true) names.push(alarm.AlarmName);
    }
    return new Set(names.map((name) => name.slice(environment.length + 1)));
  }

  const filters = resources(synthesized, 'AWS::Logs::MetricFilter').map(([, json]) => {
    const [transformation] = json['MetricTransformations'] as {
      MetricNamespace: string;
      MetricName: string;
      MetricValue: string;
      DefaultValue?: number;
    }[];
    if (transformation === undefined) throw new Error('a filter without a metric');
    const { MetricNamespace: namespace, MetricName: name, MetricValue, DefaultValue } = transformation;
    /** What is put for a line; nothing where it does not match and there is no default. */
    const valueOf = (line: Readonly<Record<string, unknown>>) => {
      if (!matchesPattern(String(json['FilterPattern']), line)) return DefaultValue;
      return Number(MetricValue.startsWith('$.') ? line[MetricValue.slice(2)] : MetricValue);
    };
    return { namespace, name, valueOf };
  });

  /** Those that somebody hears, by name. */
  const severities = new Map(
    [...alarms, ...combined].flatMap(({ alarm: { AlarmName, AlarmActions } }) => {
      const [topic] = asArray(AlarmActions);
      if (topic === undefined) return [];
      const severity = resolve(topic).startsWith('page') ? ('page' as const) : ('ticket' as const);
      return [[AlarmName.slice(environment.length + 1), severity] as const];
    }),
  );
  let rangBefore = new Set<string>();

  return {
    environment,
    synthesized,
    severities,
    put,
    value,
    resolve,
    ringing,
    /** A line that a function has written; metrics of EMF count for the environment of the template. */
    takeLine(text: string, at: number): void {
      if (!text.startsWith('{"_aws"')) return;
      const line = JSON.parse(text) as Record<string, unknown> & { _aws: { CloudWatchMetrics: EmfDirective[] } };
      for (const { Namespace, Dimensions, Metrics } of line._aws.CloudWatchMetrics)
        for (const names of Dimensions)
          for (const { Name } of Metrics) {
            const dimensions = Object.fromEntries(
              names.map((one) => [one, one === 'environment' ? environment : String(line[one])]),
            );
            for (const one of asArray(line[Name]))
              put({ namespace: Namespace, name: Name, dimensions, value: Number(one), at });
          }
    },
    /** A line of the access log. */
    takeAccess(text: string, at: number): void {
      const line = JSON.parse(text) as Record<string, unknown>;
      for (const { namespace, name, valueOf } of filters) {
        const value = valueOf(line);
        if (value !== undefined) put({ namespace, name, value, at });
      }
    },
    /** Who is told what at this time: alarms that began to ring since the last look, and those that fell silent. */
    look(at: number): Heard[] {
      const now = ringing(at);
      const changed = [...severities].flatMap(([alarm, severity]): Heard[] => {
        if (now.has(alarm) === rangBefore.has(alarm)) return [];
        return [{ alarm, severity, to: now.has(alarm) ? 'ALARM' : 'OK', at }];
      });
      rangBefore = now;
      return changed;
    },
  };
}

interface EmfDirective {
  readonly Namespace: string;
  readonly Dimensions: readonly string[][];
  readonly Metrics: readonly { readonly Name: string }[];
}

export function statisticOf(values: readonly number[], statistic: string): number {
  const sum = values.reduce((total, one) => total + one, 0);
  if (statistic === 'Sum') return sum;
  if (statistic === 'SampleCount') return values.length;
  if (statistic === 'Average') return sum / values.length;
  if (statistic === 'Maximum') return Math.max(...values);
  if (statistic === 'Minimum') return Math.min(...values);
  const [, percent] = /^p(\d+)$/.exec(statistic) ?? [];
  if (percent === undefined) throw new Error(`unknown: ${statistic}`);
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil((Number(percent) / 100) * sorted.length) - 1)] ?? NaN;
}

/** Metric math over one period. What is missing makes all missing, unless FILL fills it or IF passes it over. */
export function calculate(expression: string, metrics: ReadonlyMap<string, number | undefined>): number | undefined {
  const known = Object.fromEntries([...metrics].map(([id, value]) => [id, value ?? NaN]));
  const IF = (condition: boolean, yes: number, no: number) => (condition ? yes : no);
  const FILL = (value: number, filler: number) => (Number.isNaN(value) ? filler : value);
  const result = Number(runInNewContext(expression.replaceAll(' AND ', ' && '), { ...known, IF, FILL }));
  return Number.isNaN(result) ? undefined : result;
}
