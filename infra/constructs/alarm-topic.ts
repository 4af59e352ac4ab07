import { Stack } from 'aws-cdk-lib';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { AlarmDestination } from '../token-broker-props.ts';
import type { Severity } from './alarm-list.ts';

export interface AlarmTopicProps {
  readonly prefix: string;
  readonly severity: Severity;
  readonly destination: AlarmDestination;
}

/** Where the alarms of a severity go: a new topic with one subscriber, or an existing topic. */
export class AlarmTopic extends Construct {
  readonly topic: ITopic;
  readonly action: SnsAction;

  constructor(scope: Construct, id: string, { prefix, severity, destination }: AlarmTopicProps) {
    super(scope, id);
    this.topic = this.#topic(`${prefix}-${severity}s`, destination);
    this.action = new SnsAction(this.topic);
  }

  #topic(topicName: string, destination: AlarmDestination): ITopic {
    if ('topic' in destination) return destination.topic;
    if ('topicArn' in destination) return Topic.fromTopicArn(this, 'topic', destination.topicArn);
    const topic = new Topic(this, 'topic', { topicName, enforceSSL: true });
    topic.addSubscription(new EmailSubscription(destination.email));
    // A topic with its own policy (here the one that requires TLS) must also name its publishers.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsPublish',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    return topic;
  }
}
