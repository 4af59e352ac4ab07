import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { Environment } from '../environments/environment.ts';

export interface AlarmTopicProps {
  readonly prefix: string;
  readonly settings: Environment['alarms'] | { readonly topic: ITopic };
}

/** Where alarms go: a new topic with one subscriber, or an existing topic. */
export class AlarmTopic extends Construct {
  readonly topic: ITopic;

  constructor(scope: Construct, id: string, { prefix, settings }: AlarmTopicProps) {
    super(scope, id);
    if ('topic' in settings) {
      this.topic = settings.topic;
      return;
    }
    if ('topicArn' in settings) {
      this.topic = Topic.fromTopicArn(this, 'topic', settings.topicArn);
      return;
    }
    const topic = new Topic(this, 'topic', { topicName: `${prefix}-alarms`, enforceSSL: true });
    topic.addSubscription(new EmailSubscription(settings.email));
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
    this.topic = topic;
  }
}
