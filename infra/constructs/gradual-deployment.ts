import { Validations } from 'aws-cdk-lib';
import { LambdaApplication, LambdaDeploymentConfig, LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import { Construct } from 'constructs';
import type { Environment } from '../environments/environment.ts';
import type { BrokerAlarms } from './broker-alarms.ts';
import type { BrokerFunction } from './broker-function.ts';

export interface GradualDeploymentProps {
  readonly prefix: string;
  readonly pace: Environment['deployment'];
  readonly functions: readonly BrokerFunction[];
  readonly alarms: BrokerAlarms;
}

/** Moves each function's alias to new code, gradually if configured, and rolls back if the function's own alarms fire. */
export class GradualDeployment extends Construct {
  constructor(scope: Construct, id: string, { prefix, pace, functions, alarms }: GradualDeploymentProps) {
    super(scope, id);
    const application = new LambdaApplication(this, 'application', { applicationName: prefix });
    for (const broker of functions) {
      const group = new LambdaDeploymentGroup(this, broker.name, {
        application,
        deploymentGroupName: broker.name,
        alias: broker.alias,
        deploymentConfig:
          pace === 'canary' ? LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES : LambdaDeploymentConfig.ALL_AT_ONCE,
        alarms: alarms.endingDeployment(broker.name),
        autoRollback: { failedDeployment: true, stoppedDeployment: true, deploymentInAlarm: true },
      });
      Validations.of(group).acknowledge({
        id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited]',
        reason:
          "AWS's own policy for CodeDeploy on Lambda. CodeDeploy may change what it needs, and it cannot read data.",
      });
    }
  }
}
