import { Duration } from 'aws-cdk-lib';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import {
  ContextAttribute,
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
} from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { RemovalPolicy, Stack, TimeZone, Validations } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { FUNCTIONS } from '../../functions/contract/functions.ts';
import type { Environment } from '../environments/environment.ts';
import type { BrokerFunction } from './broker-function.ts';

export interface BrokerEventsProps {
  readonly prefix: string;
  readonly environment: Environment;
  readonly revoketoken: BrokerFunction;
  readonly sweep: BrokerFunction;
  readonly prober: BrokerFunction;
}

/**
 * Everything that calls the functions, except HTTP: the sweep every minute, the prober every five minutes if the
 * environment has one, the environment's revocation schedules, and the identity provider's `user.deprovisioned`. A
 * revocation is retried for an hour, then kept in the dead-letter queue. A sweep is not retried: the next one comes within
 * a minute and finds the same rows due.
 */
export class BrokerEvents extends Construct {
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, props: BrokerEventsProps) {
    super(scope, id);
    const { prefix, environment, revoketoken, sweep, prober } = props;
    this.deadLetters = new Queue(this, 'dead-letters', {
      queueName: `${prefix}-revoketoken-dead-letters`,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(this.deadLetters).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'This is the dead-letter queue itself; its alarm fires on the first message.',
    });
    revoketoken.live.configureAsyncInvoke({
      retryAttempts: 2,
      maxEventAge: Duration.hours(1),
      onFailure: new SqsDestination(this.deadLetters),
    });
    const missable = { retryAttempts: 0, maxEventAge: Duration.minutes(1) };
    sweep.live.configureAsyncInvoke(missable);
    prober.live.configureAsyncInvoke(missable);

    const group = new ScheduleGroup(this, 'group', { scheduleGroupName: prefix, removalPolicy: RemovalPolicy.DESTROY });
    const role = new Role(this, 'scheduler', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
      description: `Calls the sweep and the revocations of ${prefix}, nothing else`,
    });
    const descriptions = { sweep: 'Whatever is due in the ledger', prober: 'The life of a token, from outside' };
    for (const broker of environment.prober ? [sweep, prober] : [sweep]) {
      const name = broker === sweep ? 'sweep' : 'prober';
      const [trigger] = FUNCTIONS[name].triggers;
      new Schedule(this, name, {
        scheduleName: `${prefix}-${name}`,
        description: descriptions[name],
        scheduleGroup: group,
        schedule: ScheduleExpression.rate(Duration.minutes(trigger.everyMinutes)),
        target: new LambdaInvoke(broker.live, {
          role,
          ...missable,
          input: ScheduleTargetInput.fromObject({
            source: 'schedule',
            name,
            scheduledTime: ContextAttribute.scheduledTime,
          }),
        }),
      });
    }
    for (const { name, expression, timeZone, select } of environment.revocationSchedules) {
      new Schedule(this, `revoke-${name}`, {
        scheduleName: `${prefix}-revoke-${name}`,
        description: `Revokes ${JSON.stringify(select)}`.slice(0, 512),
        scheduleGroup: group,
        schedule: ScheduleExpression.expression(expression, TimeZone.of(timeZone)),
        target: new LambdaInvoke(revoketoken.live, {
          role,
          deadLetterQueue: this.deadLetters,
          retryAttempts: 10,
          maxEventAge: Duration.hours(1),
          // The time of the schedule, not of the delivery, so that a second delivery is the same revocation.
          input: ScheduleTargetInput.fromObject({
            source: 'schedule',
            name,
            scheduledTime: ContextAttribute.scheduledTime,
            select,
          }),
        }),
      });
    }
    if (environment.deprovisionedEvents) {
      const { source, eventBusName } = environment.deprovisionedEvents;
      new Rule(this, 'deprovisioned', {
        ruleName: `${prefix}-deprovisioned`,
        description: 'A user left: revoke every token of that user',
        ...(eventBusName === undefined ? {} : { eventBus: EventBus.fromEventBusName(this, 'bus', eventBusName) }),
        eventPattern: { source: [source], detailType: ['user.deprovisioned'] },
        targets: [
          new LambdaFunction(revoketoken.live, {
            deadLetterQueue: this.deadLetters,
            retryAttempts: 10,
            maxEventAge: Duration.hours(1),
          }),
        ],
      });
    }
  }
}
