/** The alarms, the saved queries and the dashboard as they are in the template of each environment. */
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import { METRIC_NAMESPACE, SIGNALS } from '../../functions/contract/signals.ts';
import { ALARM_HEADINGS, PLATFORM_ALARMS, SIGNAL_ALARMS, severityOf } from '../../infra/constructs/alarm-list.ts';
import type { PlatformAlarm } from '../../infra/constructs/alarm-list.ts';
import { SAVED_QUERIES } from '../../infra/constructs/saved-queries.ts';
import { asArray, text } from '../support/iam-evaluator.ts';
import { resources, synthesizedEnvironments } from '../support/synthesized.ts';
import type { Synthesized } from '../support/synthesized.ts';

const properties = (synthesized: Synthesized, type: string) => resources(synthesized, type).map(([, one]) => one);

describe.each(synthesizedEnvironments())('the stack of $name', (synthesized) => {
  const { environment } = synthesized;

  test('has exactly the alarms of the list; each reaches the topic of its severity and names its place in the runbook', () => {
    const single = properties(synthesized, 'AWS::CloudWatch::Alarm');
    const combined = properties(synthesized, 'AWS::CloudWatch::CompositeAlarm');
    const heard = [...single, ...combined].filter((alarm) => 'AlarmActions' in alarm);
    expect(heard.map(({ AlarmName }) => AlarmName).sort()).toEqual(
      ALARM_HEADINGS.filter((heading) => heading !== 'prober/missed' || environment.prober)
        .map((heading) => `${synthesized.name}-${heading}`)
        .sort(),
    );
    const topics = new Set<string>();
    for (const { AlarmName, AlarmActions, OKActions, AlarmDescription } of heard) {
      const [, signal = ''] = String(AlarmName).split('/');
      const severity = severityOf(signal as PlatformAlarm);
      expect(OKActions).toEqual(AlarmActions);
      expect(AlarmActions).toHaveLength(1);
      const topic = text(asArray(AlarmActions)[0]);
      topics.add(`${severity} ${topic}`);
      const anchor = String(AlarmName)
        .slice(synthesized.name.length + 1)
        .replace('/', '');
      expect(AlarmDescription).toMatch(/^.+\. What to do: https:\/\/\S+$/);
      expect(String(AlarmDescription).split(' ').at(-1)).toBe(`${environment.runbookUrl}#${anchor}`);
    }
    expect(topics.size).toBe(2);
    for (const { AlarmName, TreatMissingData } of single)
      expect([AlarmName, TreatMissingData]).toEqual([
        AlarmName,
        /\/missed$|\/quarter-now$/.test(String(AlarmName)) ? 'breaching' : 'notBreaching',
      ]);
    // A part of a combined alarm tells nobody, and is of some combined alarm.
    const parts = single.filter((alarm) => !('AlarmActions' in alarm)).map(({ AlarmName }) => String(AlarmName));
    const rules = combined.map(({ AlarmRule }) => JSON.stringify(AlarmRule)).join();
    expect(parts.length).toBeGreaterThanOrEqual(combined.length);
    for (const [id, { AlarmName }] of resources(synthesized, 'AWS::CloudWatch::Alarm'))
      if (parts.includes(String(AlarmName))) expect(rules).toContain(id);
  });

  test('saves the queries of the runbook, over the log groups that they are for', () => {
    const saved = properties(synthesized, 'AWS::Logs::QueryDefinition');
    expect(saved.map(({ Name }) => Name).sort()).toEqual(
      Object.keys(SAVED_QUERIES)
        .map((name) => `thoughtspot-broker-${synthesized.name}/${name}`)
        .sort(),
    );
    for (const { LogGroupNames } of saved) expect([1, FUNCTION_NAMES.length]).toContain(asArray(LogGroupNames).length);
  });

  test('measures each signal with the very dimensions that the functions emit', () => {
    const own = properties(synthesized, 'AWS::CloudWatch::Alarm').filter(
      ({ Namespace }) => Namespace === METRIC_NAMESPACE,
    );
    expect(own).toHaveLength(Object.values(SIGNAL_ALARMS).flat().length);
    for (const { AlarmName, MetricName, Dimensions } of own) {
      const [name, signal] = String(AlarmName)
        .slice(synthesized.name.length + 1)
        .split('/');
      expect(MetricName).toBe(signal);
      expect(Dimensions).toEqual(
        expect.arrayContaining([
          { Name: 'environment', Value: synthesized.name },
          { Name: 'function', Value: name },
        ]),
      );
      expect(Dimensions).toHaveLength(2);
    }
  });
});

test('every signal that somebody must act on has an alarm, and no other has one', () => {
  const acted = Object.entries(SIGNALS).filter(([, { response }]) => response !== 'none');
  expect(Object.keys(SIGNAL_ALARMS).sort()).toEqual(acted.map(([name]) => name).sort());
  expect(Object.keys(PLATFORM_ALARMS).filter((name) => name in SIGNALS)).toEqual([]);
});
