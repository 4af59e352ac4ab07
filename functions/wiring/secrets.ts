/** Secrets Manager: only for gettoken, and for the prober's own secret. */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { makeCredentialSource } from '../secrets/credential-source.ts';
import { AccessDenied, makeReadSecret } from '../secrets/secrets-manager.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { AWS_CLIENT_OPTIONS, clock } from './system.ts';

/** ThoughtSpot's credential. */
export function wireCredentials(secretId: string, telemetry: Telemetry) {
  const client = new SecretsManagerClient(AWS_CLIENT_OPTIONS);
  const credentials = makeCredentialSource({ ...telemetry, client, secretId, clock });
  return { ...credentials, warm: (deadline: number) => credentials.current(deadline) };
}

/** Reads the text of a secret that is not ThoughtSpot's. Throws Failure as ReadSecret does. */
export function wireSecretText(secretId: string, { signals }: Telemetry) {
  const readSecret = makeReadSecret(new SecretsManagerClient(AWS_CLIENT_OPTIONS), secretId);
  return async (deadline: number): Promise<string> => {
    const stored = await readSecret('AWSCURRENT', deadline - clock.now()).catch((error: unknown) => {
      if (error instanceof AccessDenied) signals.emit('access-denied');
      throw error;
    });
    return stored?.text ?? '';
  };
}
