import { Stack } from 'aws-cdk-lib';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { ViaServicePrincipal } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { ImportedSecret, SecretConstruct } from '../token-broker-props.ts';

/** A secret that is there already. */
export function importedSecret(scope: Construct, settings: ImportedSecret | SecretConstruct): ISecret {
  if ('secret' in settings) return settings.secret;
  return settings.import.startsWith('arn:')
    ? Secret.fromSecretCompleteArn(scope, 'imported', settings.import)
    : Secret.fromSecretNameV2(scope, 'imported', settings.import);
}

/** ARN for IAM policies. For a secret given by name it ends in wildcards for six characters that only AWS knows. */
export const readableArn = (secret: ISecret): string => secret.secretFullArn ?? `${secret.secretArn}-??????`;

/** As functions ask for it. */
export const idOf = (secret: ISecret): string => secret.secretFullArn ?? secret.secretName;

/** Lets a role decrypt the secret, if it names a key of its owner. */
export function grantItsKey(secret: ISecret | undefined, role: IRole): void {
  secret?.encryptionKey?.grantDecrypt(
    new ViaServicePrincipal(`secretsmanager.${Stack.of(role).region}.amazonaws.com`, role),
  );
}
