import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Environment } from '../environments/environment.ts';
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

  constructor(
    scope: Construct,
    id: string,
    { secret }: { readonly secret: NonNullable<Environment['prober']>['secret'] },
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
    this.id = secret.import;
    const arn = Stack.of(this).formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: secret.import,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    // If the secret is given by name, its ARN ends in six more characters that only AWS knows.
    this.#arn = secret.import.startsWith('arn:') ? secret.import : `${arn}-??????`;
  }

  grantRead(role: IRole): void {
    role.addToPrincipalPolicy(
      new PolicyStatement({ sid: 'Secret', actions: ['secretsmanager:GetSecretValue'], resources: [this.#arn] }),
    );
  }
}
