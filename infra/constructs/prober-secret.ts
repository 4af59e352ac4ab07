import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

/**
 * The prober's own secret: its client at the OIDC issuer (functions/probe/credential.ts defines the format). The operator
 * creates and owns it, because it gives no more access than a caller of the broker has. Of the functions, only the prober
 * may read it.
 */
export class ProberSecret extends Construct {
  /** Name or ARN, as the prober asks for it. */
  readonly id: string;
  readonly #arn: string;

  constructor(scope: Construct, id: string, { secret }: { readonly secret: string }) {
    super(scope, id);
    this.id = secret;
    const arn = Stack.of(this).formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: secret,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    // If the secret is given by name, its ARN ends in six more characters that only AWS knows.
    this.#arn = secret.startsWith('arn:') ? secret : `${arn}-??????`;
  }

  grantRead(role: IRole): void {
    role.addToPrincipalPolicy(
      new PolicyStatement({ sid: 'Secret', actions: ['secretsmanager:GetSecretValue'], resources: [this.#arn] }),
    );
  }
}
