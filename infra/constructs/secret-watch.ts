import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, ResourcePolicy } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { removalOf } from './removal.ts';
import type { ThoughtSpotSecret } from './thoughtspot-secret.ts';

export interface SecretWatchProps {
  readonly prefix: string;
  readonly secret: ThoughtSpotSecret;
  readonly retain: boolean;
}

/**
 * Detects every attempt to read the secret by a principal other than the functions, including refused attempts. It needs
 * a CloudTrail trail that records read events in this account and region. Reads reach EventBridge only then, and only
 * through a rule in the state that is used here. A log group keeps the events, for the person who answers the alarm.
 */
export class SecretWatch extends Construct {
  readonly seen: Metric;

  constructor(scope: Construct, id: string, { prefix, secret, retain }: SecretWatchProps) {
    super(scope, id);
    const ruleName = `${prefix}-secret-read-by-others`;
    const evidence = new LogGroup(this, 'evidence', {
      // EventBridge delivers to log groups under this prefix only.
      logGroupName: `/aws/events/${ruleName}`,
      retention: 365,
      removalPolicy: removalOf(retain),
    });
    new ResourcePolicy(this, 'delivery', {
      resourcePolicyName: ruleName,
      policyStatements: [
        new PolicyStatement({
          principals: [
            new ServicePrincipal('events.amazonaws.com'),
            new ServicePrincipal('delivery.logs.amazonaws.com'),
          ],
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [evidence.logGroupArn],
        }),
      ],
    });
    new CfnRule(this, 'rule', {
      name: ruleName,
      description: 'A principal other than the broker requested the ThoughtSpot credential',
      state: 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS',
      eventPattern: {
        source: ['aws.secretsmanager'],
        'detail-type': ['AWS API Call via CloudTrail'],
        detail: {
          eventName: ['GetSecretValue'],
          requestParameters: { secretId: secret.spellings },
          // Without a session issuer it is a user or the account's root, certainly not a function.
          userIdentity: {
            sessionContext: { sessionIssuer: { arn: [{ 'anything-but': secret.readerArns }, { exists: false }] } },
          },
        },
      },
      targets: [
        {
          id: 'evidence',
          arn: Stack.of(this).formatArn({
            service: 'logs',
            resource: 'log-group',
            resourceName: evidence.logGroupName,
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        },
      ],
    });
    this.seen = new Metric({
      namespace: 'AWS/Events',
      metricName: 'MatchedEvents',
      dimensionsMap: { RuleName: ruleName },
      statistic: 'Sum',
    });
  }
}
