import {
  Alarm,
  AlarmRule as Rule,
  AlarmState,
  ComparisonOperator,
  CompositeAlarm,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { AlarmBase, IAlarmRule } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { FunctionName } from '../../functions/contract/functions.ts';
import { PLATFORM_ALARMS, severityOf, SIGNAL_ALARMS } from './alarm-list.ts';
import type { PlatformAlarm, Severity, SignalAlarm } from './alarm-list.ts';
import { platformRule, signalRule } from './alarm-rules.ts';
import type { AlarmRule, AlarmSources, CombinedRule } from './alarm-rules.ts';
import type { AlarmTopic } from './alarm-topic.ts';
import type { BrokerFunction } from './broker-function.ts';

export interface BrokerAlarmsProps extends AlarmSources {
  readonly functions: readonly BrokerFunction[];
  /** Whether the prober runs at all. */
  readonly probed: boolean;
  /** Address of the runbook's page. */
  readonly runbookUrl: string;
  readonly topics: Readonly<Record<Severity, AlarmTopic>>;
}

/** Exactly the alarms of alarm-list.ts, each named as its heading in docs/runbook.md. */
export class BrokerAlarms extends Construct {
  readonly #props: BrokerAlarmsProps;
  readonly #alarms = new Map<FunctionName, Map<string, AlarmBase>>();

  constructor(scope: Construct, id: string, props: BrokerAlarmsProps) {
    super(scope, id);
    this.#props = props;
    for (const broker of props.functions) {
      this.#alarms.set(broker.name, new Map());
      for (const signal of concerning(SIGNAL_ALARMS, broker.name))
        this.#add(broker, signal, signalRule(props.environment, broker, signal));
      for (const alarm of concerning(PLATFORM_ALARMS, broker.name))
        if (alarm !== 'missed' || broker.name !== 'prober' || props.probed)
          this.#add(broker, alarm, platformRule(props, broker, alarm));
    }
  }

  /** All of them, without the parts of those that are combined. */
  get all(): AlarmBase[] {
    return [...this.#alarms.values()].flatMap((ofFunction) => [...ofFunction.values()]);
  }

  /** The alarms of a function that stop its deployment and roll back to the old version. */
  endingDeployment(name: FunctionName): AlarmBase[] {
    return ['crashes', '5xx-rate', 'misconfigured', 'access-denied', 'internal-error'].flatMap(
      (signal) => this.#alarms.get(name)?.get(signal) ?? [],
    );
  }

  #add({ name }: BrokerFunction, signal: SignalAlarm | PlatformAlarm, rule: AlarmRule | CombinedRule): void {
    const { environment, runbookUrl, topics } = this.#props;
    const heading = `${name}/${signal}`;
    const id = `${name}-${signal}`;
    const alarmName = `${environment}-${heading}`;
    const named = {
      alarmName,
      // GitHub's anchor of a heading drops the slash.
      alarmDescription: `${rule.meaning}. What to do: ${runbookUrl}#${heading.replace('/', '')}`,
    };
    const alarm =
      'parts' in rule
        ? new CompositeAlarm(this, id, {
            ...named,
            compositeAlarmName: alarmName,
            alarmRule: this.#allOf(heading, rule),
          })
        : this.#alarm(id, named, rule);
    const { action } = topics[severityOf(signal)];
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
    this.#alarms.get(name)?.set(signal, alarm);
  }

  #allOf(heading: string, { parts, unless }: CombinedRule): IAlarmRule {
    const rules = Object.entries(parts).map(([part, rule]) => {
      const alarmName = `${this.#props.environment}-${heading}/${part}`;
      const alarmDescription = `A part of ${heading}, which tells people.`;
      const alarm = this.#alarm(`${heading.replace('/', '-')}-${part}`, { alarmName, alarmDescription }, rule);
      return Rule.fromAlarm(alarm, AlarmState.ALARM);
    });
    const heard = unless && this.#alarms.get('gettoken')?.get(unless);
    return Rule.allOf(...rules, ...(heard ? [Rule.not(Rule.fromAlarm(heard, AlarmState.ALARM))] : []));
  }

  #alarm(id: string, named: object, { metric, threshold, periods = 1, datapoints, below }: Omit<AlarmRule, 'meaning'>) {
    return new Alarm(this, id, {
      ...named,
      metric,
      threshold,
      evaluationPeriods: periods,
      ...(datapoints !== undefined && { datapointsToAlarm: datapoints }),
      comparisonOperator: below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: below ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
  }
}

function concerning<Name extends string>(alarms: Record<Name, readonly FunctionName[]>, name: FunctionName): Name[] {
  return (Object.keys(alarms) as Name[]).filter((alarm) => alarms[alarm].includes(name));
}
