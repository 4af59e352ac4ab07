import { Duration, Validations } from 'aws-cdk-lib';
import { Role, ServicePrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Alias, Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { IFunction, IVersion } from 'aws-cdk-lib/aws-lambda';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { BUNDLE_HANDLER } from '../../functions/contract/bundle.ts';
import { FUNCTIONS } from '../../functions/contract/functions.ts';
import type { FunctionName } from '../../functions/contract/functions.ts';
import { packFolder } from '../deployment-package.ts';
import type { Environment } from '../environments/environment.ts';
import type { NetworkProps } from '../token-broker-props.ts';
import { removalOf } from './removal.ts';

export interface BrokerFunctionProps {
  readonly name: FunctionName;
  readonly prefix: string;
  /** The folder that contains the bundle and the policy. */
  readonly bundle: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly environment: Environment;
  readonly network: NetworkProps | undefined;
  /** Encrypts its log group, which holds the audit. */
  readonly logKey: IKey;
}

export const logGroupName = (prefix: string, name: FunctionName): string => `/aws/lambda/${prefix}-${name}`;

/**
 * A Lambda of the contract. It has its own role, which at first allows only its logs, its own log group, and
 * reserved concurrency if the environment says so. All callers use the alias `live`, so that a deployment can shift traffic gradually.
 */
export class BrokerFunction extends Construct {
  readonly name: FunctionName;
  readonly role: Role;
  readonly function: LambdaFunction;
  readonly alias: Alias;
  readonly logGroup: LogGroup;
  /** Of the package, as Lambda says it (CodeSha256). */
  readonly codeSha256: string;

  constructor(scope: Construct, props: BrokerFunctionProps) {
    const { name, prefix, environment, network } = props;
    super(scope, name);
    this.name = name;
    const { memoryMb, timeoutSeconds } = FUNCTIONS[name];
    const { reserved, provisioned } = environment.concurrency?.[name] ?? {};

    this.logGroup = new LogGroup(this, 'logs', {
      logGroupName: logGroupName(prefix, name),
      encryptionKey: props.logKey,
      retention: environment.logRetentionDays,
      removalPolicy: removalOf(environment.purpose === 'production'),
    });
    this.role = new Role(this, 'role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `What ${prefix}-${name} may do`,
    });
    this.logGroup.grantWrite(this.role);
    if (network) this.#allowNetworkInterfaces();

    const code = packFolder(props.bundle);
    this.codeSha256 = code.sha256;
    this.function = new LambdaFunction(this, 'function', {
      functionName: `${prefix}-${name}`,
      description: `ThoughtSpot token broker, ${environment.name}: ${name}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(code.file),
      // Lambda publishes the version only if it has the code that was built.
      currentVersionOptions: { codeSha256: code.sha256 },
      handler: BUNDLE_HANDLER,
      memorySize: memoryMb,
      timeout: Duration.seconds(timeoutSeconds),
      environment: { ...props.variables },
      ...(reserved === undefined ? {} : { reservedConcurrentExecutions: reserved }),
      logGroup: this.logGroup,
      role: this.role,
      ...(network && { vpc: network.vpc }),
      ...(network?.subnets && { vpcSubnets: network.subnets }),
      ...(network?.securityGroups && { securityGroups: network.securityGroups }),
    });
    this.alias = new Alias(this, 'live', {
      aliasName: 'live',
      version: this.function.currentVersion as IVersion,
      ...(provisioned === undefined ? {} : { provisionedConcurrentExecutions: provisioned }),
    });
  }

  /** What callers invoke. The cast is needed because the library's types do not support exactOptionalPropertyTypes. */
  get live(): IFunction {
    return this.alias as IFunction;
  }

  /** Those of AWS's own policy AWSLambdaVPCAccessExecutionRole, whose other part is for logs. */
  #allowNetworkInterfaces(): void {
    this.role.addToPrincipalPolicy(
      new PolicyStatement({
        sid: 'NetworkInterfaces',
        actions: [
          'CreateNetworkInterface',
          'DescribeNetworkInterfaces',
          'DeleteNetworkInterface',
          'DescribeSubnets',
          'AssignPrivateIpAddresses',
          'UnassignPrivateIpAddresses',
        ].map((action) => `ec2:${action}`),
        resources: ['*'],
      }),
    );
    Validations.of(this.role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'The network interfaces of Lambda in a VPC have no resource that a policy could name.',
    });
  }
}
