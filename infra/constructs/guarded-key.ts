import { Duration, Stack } from 'aws-cdk-lib';
import { AccountRootPrincipal, PolicyDocument, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IPrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { removalOf } from './removal.ts';

/**
 * The permissions that AWS lists for a key administrator (KMS developer guide), without CreateGrant. With CreateGrant an
 * administrator could grant the use of the key to others without changing this policy.
 */
const ADMINISTRATION = [
  ...['Describe', 'Enable', 'List', 'Put', 'Update', 'Revoke', 'Disable', 'Get', 'Delete'].map(
    (verb) => `kms:${verb}*`,
  ),
  ...[
    'CreateAlias',
    'TagResource',
    'UntagResource',
    'ScheduleKeyDeletion',
    'CancelKeyDeletion',
    'RotateKeyOnDemand',
  ].map((verb) => `kms:${verb}`),
];

export interface GuardedKeyProps {
  readonly alias: string;
  readonly description: string;
  readonly retain: boolean;
  /** What principals of the account may do through one AWS service only, if their IAM policies allow it too. */
  readonly accountVia?: { readonly service: string; readonly actions: readonly string[] };
}

/**
 * A key for which only its own policy decides who may use it. The account administers the key, but IAM policies cannot
 * grant its use. Even an administrator must change this policy before decrypting with the key, and CloudTrail records that.
 */
export class GuardedKey extends Construct {
  readonly key: Key;
  #uses = 0;

  constructor(scope: Construct, id: string, props: GuardedKeyProps) {
    super(scope, id);
    const account = new AccountRootPrincipal();
    const statements = [
      new PolicyStatement({ sid: 'Administer', principals: [account], actions: ADMINISTRATION, resources: ['*'] }),
    ];
    if (props.accountVia)
      statements.push(
        use('AccountViaService', account, props.accountVia.actions, viaService(this, props.accountVia.service)),
      );
    this.key = new Key(this, 'key', {
      alias: `alias/${props.alias}`,
      description: props.description,
      enableKeyRotation: true,
      policy: new PolicyDocument({ statements }),
      removalPolicy: removalOf(props.retain),
      pendingWindow: Duration.days(props.retain ? 30 : 7),
    });
  }

  /** Lets CloudWatch Logs encrypt these log groups, and no others, with the key. */
  allowLogGroups(names: readonly string[]): void {
    const { partition, region, account } = Stack.of(this);
    const arns = names.map((name) => `arn:${partition}:logs:${region}:${account}:log-group:${name}`);
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'LogGroups',
        principals: [new ServicePrincipal(`logs.${region}.amazonaws.com`)],
        actions: ['Encrypt*', 'Decrypt*', 'ReEncrypt*', 'GenerateDataKey*', 'Describe*'].map((verb) => `kms:${verb}`),
        resources: ['*'],
        conditions: { ArnEquals: { 'kms:EncryptionContext:aws:logs:arn': arns } },
      }),
    );
  }

  /** Lets a principal use the key for these KMS operations if every condition holds. */
  allow(principal: IPrincipal, operations: readonly string[], conditions: Readonly<Record<string, string>>): void {
    this.#uses += 1;
    this.key.addToResourcePolicy(use(`Use${this.#uses}`, principal, operations, conditions));
  }
}

/** Holds for calls that an AWS service of this region makes on the caller's behalf, and for no others. */
export function viaService(scope: Construct, service: string): Record<string, string> {
  return { 'kms:ViaService': `${service}.${Stack.of(scope).region}.amazonaws.com` };
}

function use(
  sid: string,
  principal: IPrincipal,
  operations: readonly string[],
  conditions: Readonly<Record<string, string>>,
): PolicyStatement {
  return new PolicyStatement({
    sid,
    principals: [principal],
    actions: operations.map((operation) => `kms:${operation}`),
    resources: ['*'],
    conditions: { StringEquals: conditions },
  });
}
