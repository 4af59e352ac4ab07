import { RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { ImportedSecret, NamedSecret, SecretConstruct } from '../token-broker-props.ts';
import { grantItsKey, idOf, importedSecret, readableArn } from './imported-secret.ts';
import { acknowledgeRotationByHand } from './rotated-by-hand.ts';

/**
 * The prober's own secret: its client at the OIDC issuer (functions/probe/credential.ts defines the format). A new one is
 * created empty and with AWS's own key, because it gives no more access than a caller of the broker has. Of the functions,
 * only the prober may read it.
 */
export class ProberSecret extends Construct {
  /** Name or ARN, as the prober asks for it. */
  readonly id: string;
  readonly #arn: string;
  readonly #imported: ISecret | undefined;

  constructor(
    scope: Construct,
    id: string,
    { secret }: { readonly secret: NamedSecret | ImportedSecret | SecretConstruct },
  ) {
    super(scope, id);
    if ('create' in secret) {
      const created = new CfnSecret(this, 'secret', {
        name: secret.create,
        description: "Client of the token broker's prober at the OIDC issuer. Shape: docs/deploy.md, A prober",
      });
      created.applyRemovalPolicy(RemovalPolicy.DESTROY);
      acknowledgeRotationByHand(created);
      this.id = secret.create;
      this.#arn = created.ref;
      return;
    }
    this.#imported = importedSecret(this, secret);
    this.id = idOf(this.#imported);
    this.#arn = readableArn(this.#imported);
  }

  grantRead(role: IRole): void {
    grantItsKey(this.#imported, role);
    role.addToPrincipalPolicy(
      new PolicyStatement({ sid: 'Secret', actions: ['secretsmanager:GetSecretValue'], resources: [this.#arn] }),
    );
  }
}
