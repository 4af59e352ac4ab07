import { ArnFormat, Stack } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, ResourcePolicy } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { BrokerFunction } from './broker-function.ts';
import { removalOf } from './removal.ts';
import type { ThoughtSpotSecret } from './thoughtspot-secret.ts';

export interface SecretWatchProps {
  readonly prefix: string;
  readonly secret: ThoughtSpotSecret;
  readonly keys: readonly IKey[];
  readonly functions: readonly BrokerFunction[];
  readonly retain: boolean;
}

/** Services that change what is ours as a part of a deployment; CloudTrail names them as the source, as no caller can. */
const DEPLOYERS = ['cloudformation', 'codedeploy', 'dynamodb'].map((service) => `${service}.amazonaws.com`);

/** Calls that give somebody power over what is ours. CloudTrail puts an API version behind the names of Lambda's. */
const POWER = {
  value: ['PutSecretValue', 'UpdateSecret', 'UpdateSecretVersionStage'],
  secret: ['PutResourcePolicy', 'DeleteResourcePolicy', 'RotateSecret', 'ReplicateSecretToRegions', 'DeleteSecret'],
  keys: ['PutKeyPolicy', 'CreateGrant', 'DisableKey', 'ScheduleKeyDeletion'],
  functions: [
    ...['UpdateFunctionCode', 'UpdateFunctionConfiguration', 'UpdateAlias', 'AddPermission'],
    ...['CreateFunctionUrlConfig', 'UpdateFunctionUrlConfig'],
  ].map((prefix) => ({ prefix })),
  roles: [
    ...['UpdateAssumeRolePolicy', 'PutRolePolicy', 'DeleteRolePolicy', 'AttachRolePolicy', 'DetachRolePolicy'],
    ...['PutRolePermissionsBoundary', 'DeleteRolePermissionsBoundary'],
  ],
};

/**
 * Detects every attempt to read the secret by a principal other than the functions, including refused attempts. It needs
 * a CloudTrail trail that records read events in this account and region. Reads reach EventBridge only then, and only
 * through a rule in the state that is used here. A log group keeps the events, for the person who answers the alarm.
 * It also sees, outside of deployments, the calls of POWER on the secret, the keys, the functions and their roles. IAM's
 * calls reach EventBridge in us-east-1 only: elsewhere the rule needs a forwarding one there (docs/deploy.md).
 */
export class SecretWatch extends Construct {
  readonly seen: Metric;
  /** Calls that gave power by hand. */
  readonly changed: IMetric;

  constructor(scope: Construct, id: string, { prefix, secret, keys, functions, retain }: SecretWatchProps) {
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
    const targets = [
      {
        id: 'evidence',
        arn: Stack.of(this).formatArn({
          service: 'logs',
          resource: 'log-group',
          resourceName: evidence.logGroupName,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      },
    ];
    // Without a session issuer it is a user or the account's root, certainly not a function.
    const others = {
      sessionContext: { sessionIssuer: { arn: [{ 'anything-but': secret.readerArns }, { exists: false }] } },
    };
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
          userIdentity: others,
        },
      },
      targets,
    });
    this.seen = new Metric({
      namespace: 'AWS/Events',
      metricName: 'MatchedEvents',
      dimensionsMap: { RuleName: ruleName },
      statistic: 'Sum',
    });

    // Names as callers may write them: name, ARN or a part of it, with or without a version or alias.
    const named = functions.flatMap(({ function: { functionName: name } }) => [
      { suffix: name },
      { wildcard: `*${name}:*` },
    ]);
    const watched: Record<keyof typeof POWER, readonly [source: string, detail: object]> = {
      // Whoever may read the value may also rotate it: a rotation function is one of the readers.
      value: ['secretsmanager', { requestParameters: { secretId: secret.spellings }, userIdentity: others }],
      secret: ['secretsmanager', { requestParameters: { secretId: secret.spellings } }],
      keys: ['kms', { requestParameters: { keyId: keys.flatMap(({ keyId, keyArn }) => [keyId, keyArn]) } }],
      functions: ['lambda', { requestParameters: { functionName: named } }],
      roles: ['iam', { requestParameters: { roleName: functions.map(({ role }) => role.roleName) } }],
    };
    const counts = Object.entries(POWER).map(([what, eventName]) => {
      const [source, detail] = watched[what as keyof typeof POWER];
      const rule = new CfnRule(this, `changed-${what}`, {
        description: `Somebody changed by hand who has power over ${prefix}: ${what}`,
        state: 'ENABLED',
        eventPattern: {
          source: [`aws.${source}`],
          'detail-type': ['AWS API Call via CloudTrail'],
          detail: { eventName, sourceIPAddress: [{ 'anything-but': DEPLOYERS }], ...detail },
        },
        targets,
      });
      const dimensionsMap = { RuleName: rule.ref };
      return [
        what,
        new Metric({ namespace: 'AWS/Events', metricName: 'MatchedEvents', dimensionsMap, statistic: 'Sum' }),
      ];
    });
    this.changed = new MathExpression({
      expression: Object.keys(POWER)
        .map((what) => `FILL(${what}, 0)`)
        .join(' + '),
      usingMetrics: Object.fromEntries(counts) as Record<string, Metric>,
    });
  }
}
