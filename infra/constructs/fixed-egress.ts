import { CfnOutput, RemovalPolicy } from 'aws-cdk-lib';
import {
  CfnEIP,
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  NatProvider,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import type { ISecurityGroup, IVpc } from 'aws-cdk-lib/aws-ec2';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Environment } from '../environments/environment.ts';

export interface FixedEgressProps {
  readonly prefix: string;
  readonly settings: NonNullable<Environment['fixedEgress']>;
}

/**
 * A network whose outbound traffic has one public address, for ThoughtSpot clusters with an allow list. All calls share
 * the limit of 100 requests per second of that address. Calls to DynamoDB use a free gateway endpoint; all others use the
 * NAT gateway.
 */
export class FixedEgress extends Construct {
  readonly vpc: IVpc;
  readonly securityGroups: ISecurityGroup[];
  /** The one public address. */
  readonly address: string;

  constructor(scope: Construct, id: string, { prefix, settings }: FixedEgressProps) {
    super(scope, id);
    const rejected = new LogGroup(this, 'rejected', {
      logGroupName: `/aws/vpc/${prefix}-rejected`,
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const address = new CfnEIP(this, 'address', { domain: 'vpc' });
    this.address = address.ref;
    const vpc = new Vpc(this, 'vpc', {
      ipAddresses: IpAddresses.cidr(settings.cidr),
      availabilityZones: [...settings.zones],
      natGateways: 1,
      natGatewayProvider: NatProvider.gateway({ eipAllocationIds: [address.attrAllocationId] }),
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, mapPublicIpOnLaunch: false },
        { name: 'functions', subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      ],
      gatewayEndpoints: { dynamodb: { service: GatewayVpcEndpointAwsService.DYNAMODB } },
      flowLogs: {
        rejected: {
          destination: FlowLogDestination.toCloudWatchLogs(rejected),
          trafficType: FlowLogTrafficType.REJECT,
        },
      },
    });
    this.vpc = vpc as IVpc;
    const securityGroup = new SecurityGroup(this, 'functions', {
      vpc: this.vpc,
      description: 'Functions of the token broker: HTTPS out, nothing in',
      allowAllOutbound: false,
    });
    securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'ThoughtSpot and AWS over TLS');
    this.securityGroups = [securityGroup];
    new CfnOutput(this, 'egress-address', {
      value: this.address,
      description: 'Add this address to the allow list of ThoughtSpot',
    });
  }
}
