import { Validations } from 'aws-cdk-lib';
import type { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';

/** Acknowledges that nothing rotates a secret, with the reason. */
export function acknowledgeRotationByHand(secret: CfnSecret): void {
  Validations.of(secret).acknowledge({
    id: 'AwsSolutions-SMG4',
    reason:
      "ThoughtSpot has no API to rotate a secret key, and the issuer makes the prober's client: an administrator creates a new one " +
      'and puts it here (see the runbook). An environment may configure its own rotation function.',
  });
}
