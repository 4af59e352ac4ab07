import type { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

export type Stage = 'AWSCURRENT' | 'AWSPENDING';
type Stored = { readonly version: string; readonly text: string } | Error | undefined;

/** An error as the SDK throws it, with this name. */
export function awsError(name: string, message = `${name} (test)`): Error {
  return Object.assign(new Error(message), { name });
}

/** One secret with its stages, behind the SDK's `send`. Reads wait at the `gate` if there is one. */
export function secretStore(initial: Partial<Record<Stage, Stored>>) {
  const stages: Partial<Record<Stage, Stored>> = { ...initial };
  const reads: Stage[] = [];
  let gate: (() => Promise<void>) | undefined;
  const send = async (command: GetSecretValueCommand) => {
    const stage = command.input.VersionStage as Stage;
    reads.push(stage);
    // The answer is decided when the request arrives, as in the real store.
    const stored = stages[stage];
    await gate?.();
    if (stored instanceof Error) throw stored;
    if (stored === undefined) {
      const message = `Secrets Manager can't find the specified secret value for staging label: ${stage}`;
      throw awsError('ResourceNotFoundException', message);
    }
    return { VersionId: stored.version, SecretString: stored.text, $metadata: {} };
  };
  return {
    client: { send } as unknown as Pick<SecretsManagerClient, 'send'>,
    reads,
    put: (stage: Stage, stored: Stored) => void (stages[stage] = stored),
    holdReads: (wait: (() => Promise<void>) | undefined) => void (gate = wait),
  };
}

export function secretText(secretKey: string, more: object = {}): string {
  return JSON.stringify({ secretKey, ...more });
}
