import { ArnFormat, Lazy, Stack } from 'aws-cdk-lib';
import { ArnPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { CfnResourcePolicy, CfnRotationSchedule, CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Environment } from '../environments/environment.ts';
import type { SecretConstruct } from '../token-broker-props.ts';
import { GuardedKey, viaService } from './guarded-key.ts';
import { grantItsKey, idOf, importedSecret, readableArn } from './imported-secret.ts';
import { removalOf } from './removal.ts';
import { acknowledgeRotationByHand } from './rotated-by-hand.ts';

/** The format of the value that the operator stores. The description of the secret contains it too. */
export const SECRET_SHAPE =
  '{"secretKey":"<ThoughtSpot secret key>"}, with "orgs":{"<id>":{"secretKey":"..."}} for keys per organisation, ' +
  'or {"userName":"...","password":"..."}';

export interface ThoughtSpotSecretProps {
  readonly prefix: string;
  readonly settings: Environment['secret'] | SecretConstruct;
  readonly rotation: Environment['rotation'];
  readonly retain: boolean;
}

/**
 * The credential with which the broker can become any ThoughtSpot user. The secret is created empty, so its value never
 * passes through this code. Its own policy refuses every reader except gettoken, whatever IAM policies allow. An
 * imported secret keeps the key and the policy of its owner.
 */
export class ThoughtSpotSecret extends Construct {
  /** Name or ARN, as the functions ask for it. */
  readonly id: string;
  /** ARN for IAM policies. For a secret imported by name it ends in wildcards for six characters that only AWS knows. */
  readonly arn: string;
  /** All identifiers that a caller can use for it: name, ARN, ARN without its last six characters. */
  readonly spellings: readonly (string | { readonly prefix: string })[];
  readonly #roles: IRole[] = [];
  readonly #others: readonly string[];
  readonly #key: GuardedKey | undefined;
  readonly #imported: ISecret | undefined;

  constructor(scope: Construct, id: string, props: ThoughtSpotSecretProps) {
    super(scope, id);
    const { settings, rotation, retain, prefix } = props;
    this.#others = 'create' in settings ? (settings.readers ?? []) : [];
    const partialArn = (name: string) =>
      Stack.of(this).formatArn({
        service: 'secretsmanager',
        resource: 'secret',
        resourceName: name,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
    if (!('create' in settings)) {
      const secret = importedSecret(this, settings);
      this.#imported = secret;
      this.id = idOf(secret);
      this.arn = readableArn(secret);
      const partial = partialArn(secret.secretName);
      this.spellings = [secret.secretName, partial, secret.secretFullArn ?? { prefix: `${partial}-` }];
    } else {
      this.#key = new GuardedKey(this, 'key', {
        alias: `${prefix}-secret`,
        description: `Encrypts the ThoughtSpot credential of ${prefix}`,
        retain,
        // Operators store a value through Secrets Manager. The secret's own policy does not let them read it.
        accountVia: { service: 'secretsmanager', actions: ['GenerateDataKey', 'Decrypt', 'DescribeKey'] },
      });
      const secret = new CfnSecret(this, 'secret', {
        name: settings.create,
        description: `ThoughtSpot credential of the token broker. Shape: ${SECRET_SHAPE}`,
        kmsKeyId: this.#key.key.keyArn,
      });
      secret.applyRemovalPolicy(removalOf(retain));
      this.id = settings.create;
      this.arn = secret.ref;
      this.spellings = [settings.create, partialArn(settings.create), secret.ref];
      this.#refuseOthers();
      if (!rotation) acknowledgeRotationByHand(secret);
    }
    if (rotation)
      new CfnRotationSchedule(this, 'rotation', {
        secretId: 'create' in settings ? this.arn : this.id,
        rotationLambdaArn: rotation.functionArn,
        rotationRules: { automaticallyAfterDays: rotation.everyDays },
        rotateImmediatelyOnUpdate: false,
      });
  }

  /** ARNs of the roles that may read it. */
  get readerArns(): string[] {
    return Lazy.list({ produce: () => [...this.#roles.map((role) => role.roleArn), ...this.#others] });
  }

  grantRead(role: IRole): void {
    this.#roles.push(role);
    this.#key?.allow(role, ['Decrypt'], viaService(this, 'secretsmanager'));
    grantItsKey(this.#imported, role);
    role.addToPrincipalPolicy(
      new PolicyStatement({ sid: 'Secret', actions: ['secretsmanager:GetSecretValue'], resources: [this.arn] }),
    );
  }

  /** An explicit deny overrides every permission. The list of roles is lazy, so that roles added later are exempt too. */
  #refuseOthers(): void {
    new CfnResourcePolicy(this, 'policy', {
      secretId: this.arn,
      blockPublicPolicy: true,
      resourcePolicy: {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: 'OnlyTheBrokerReads',
            Effect: 'Deny',
            Principal: '*',
            Action: 'secretsmanager:GetSecretValue',
            Resource: '*',
            Condition: { ArnNotEquals: { 'aws:PrincipalArn': this.readerArns } },
          },
        ],
      },
    });
    for (const arn of this.#others)
      this.#key?.allow(new ArnPrincipal(arn), ['Decrypt'], viaService(this, 'secretsmanager'));
  }
}
