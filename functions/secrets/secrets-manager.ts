import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Failure } from '../broker/failure.ts';

export type Stage = 'AWSCURRENT' | 'AWSPENDING';

export interface SecretVersion {
  readonly version: string;
  readonly text: string;
}

/** Secrets Manager denies access, as opposed to being out of reach. */
export class AccessDenied extends Failure {
  constructor(cause: unknown) {
    super('secret-unavailable', { reason: 'Secrets Manager or KMS denies access to the secret', cause });
  }
}

/**
 * Reads one stage of the secret within `timeoutMs`; undefined: AWSPENDING has no version. Throws Failure `not-set-up` where
 * AWSCURRENT has none (the label cannot be removed, so there never was a value: API reference, UpdateSecretVersionStage),
 * `misconfigured` where the secret does not exist or holds no text, AccessDenied, or `secret-unavailable`.
 */
export type ReadSecret = (stage: Stage, timeoutMs: number) => Promise<SecretVersion | undefined>;

export function makeReadSecret(client: Pick<SecretsManagerClient, 'send'>, secretId: string): ReadSecret {
  return async (stage, timeoutMs) => {
    const command = new GetSecretValueCommand({ SecretId: secretId, VersionStage: stage });
    try {
      const answer = await client.send(command, { abortSignal: AbortSignal.timeout(Math.max(1, timeoutMs)) });
      if (answer.SecretString === undefined || answer.VersionId === undefined) {
        throw new Failure('misconfigured', { reason: 'the secret holds no text (SecretString)' });
      }
      return { version: answer.VersionId, text: answer.SecretString };
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (isNamed(error, 'ResourceNotFoundException')) {
        if (stage === 'AWSPENDING') return undefined;
        if (hasNoValue(error))
          throw new Failure('not-set-up', { reason: `the secret ${secretId} has no value yet`, retryAfterMs: 60_000 });
        throw new Failure('misconfigured', { reason: 'the secret does not exist', cause: error });
      }
      // The stage is gone, or the secret is marked for deletion.
      if (isNamed(error, 'InvalidRequestException', 'InvalidParameterException')) {
        if (stage === 'AWSPENDING') return undefined;
        throw new Failure('misconfigured', { reason: 'the secret cannot be read: it may be deleted', cause: error });
      }
      if (isNamed(error, 'AccessDeniedException', 'DecryptionFailure', 'UnrecognizedClientException')) {
        throw new AccessDenied(error);
      }
      throw new Failure('secret-unavailable', { reason: 'Secrets Manager did not answer', cause: error });
    }
  };
}

/** The secret is there, but not this stage of it: Secrets Manager has one name for both and says which in words. */
function hasNoValue(error: unknown): boolean {
  return error instanceof Error && error.message.includes('secret value for staging label');
}

function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}
