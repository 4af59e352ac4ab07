import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { PLATFORM_ALARMS, SIGNAL_ALARMS } from '../../functions/contract/alarms.ts';
import type { FunctionName } from '../../functions/contract/functions.ts';
import { platformRule, signalRule } from './alarm-rules.ts';
import type { AlarmRule, AlarmSources } from './alarm-rules.ts';
import type { BrokerFunction } from './broker-function.ts';

export interface BrokerAlarmsProps extends AlarmSources {
  readonly environment: string;
  readonly functions: readonly BrokerFunction[];
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
        this.#alarm(broker, signal, signalRule(props.environment, broker, signal));
      for (const alarm of concerning(PLATFORM_ALARMS, broker.name))
        this.#alarm(broker, alarm, platformRule(props, broker, alarm));
    }
  }

  /** All of them. */
  get all(): Alarm[] {
    return [...this.#alarms.values()].flatMap((ofFunction) => [...ofFunction.values()]);
  }

  /** The alarms of a function that stop its deployment and roll back to the old version. */
  endingDeployment(name: FunctionName): Alarm[] {
    return ['crashes', '5xx-rate', 'misconfigured', 'access-denied', 'internal-error'].flatMap(
      (signal) => this.#alarms.get(name)?.get(signal) ?? [],
    );
  }

  #alarm(broker: BrokerFunction, signal: string, rule: AlarmRule): void {
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
}

function concerning<Name extends string>(alarms: Record<Name, readonly FunctionName[]>, name: FunctionName): Name[] {
  return (Object.keys(alarms) as Name[]).filter((alarm) => alarms[alarm].includes(name));
}
