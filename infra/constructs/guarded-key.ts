import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccountRootPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IPrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

/**
 * AWS's list of a key administrator (KMS developer guide) less CreateGrant, by which an administrator could lend out
 * the use of the key without touching this policy.
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
  /** What the account's own principals may do, as far as their IAM policies say so too, through one AWS service only. */
  readonly accountVia?: { readonly service: string; readonly actions: readonly string[] };
}

/**
 * A key whose policy alone says who may use it. The account administers it, but IAM policies cannot hand out its use:
 * not even an administrator decrypts with it without changing this policy, which CloudTrail records.
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
      removalPolicy: props.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      pendingWindow: Duration.days(props.retain ? 30 : 7),
    });
  }

  /** Lets somebody use the key for these KMS operations where every condition holds. */
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
