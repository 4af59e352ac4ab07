import { Failure } from '../../functions/broker/failure.ts';
import type { Credential } from '../../functions/broker/ports.ts';
import { parseSecret } from '../../functions/secrets/credential.ts';
import { Finding } from './checklist.ts';

type Variables = Readonly<Record<string, string | undefined>>;

export interface FoundCredential {
  readonly credential: Credential;
  /** Where it comes from, as text. */
  readonly source: string;
}

/** A credential in the format of the secret. Throws Failure `misconfigured`. */
export function credentialOf(document: object): Credential {
  return parseSecret(JSON.stringify(document), 'doctor').credential;
}

/** The credential in the environment variables; undefined if there is none. Throws Failure `misconfigured`. */
export function credentialInVariables(variables: Variables): FoundCredential | undefined {
  const secretKey = variables['THOUGHTSPOT_SECRET_KEY'];
  const userName = variables['THOUGHTSPOT_USERNAME'];
  const password = variables['THOUGHTSPOT_PASSWORD'];
  if (secretKey) return { credential: credentialOf({ secretKey }), source: 'THOUGHTSPOT_SECRET_KEY' };
  if (userName && password)
    return {
      credential: credentialOf({ userName, password }),
      source: 'THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD',
    };
  return undefined;
}

const ELSEWHERE = 'or set THOUGHTSPOT_SECRET_KEY (or THOUGHTSPOT_USERNAME and THOUGHTSPOT_PASSWORD) for the doctor';

const CURES: Readonly<Record<string, string>> = {
  AccessDeniedException: `The secret's own policy allows only its readers: sign in as a role of secret.readers, ${ELSEWHERE}.`,
  ResourceNotFoundException: `Store a value as docs/deploy.md describes, ${ELSEWHERE}.`,
  CredentialsProviderError: `Sign in to AWS, ${ELSEWHERE}.`,
};

/** The credential in the environment's secret, checked as the functions check it. Throws Finding. */
export async function credentialInSecret(secretId: string, region: string): Promise<FoundCredential> {
  // Loaded on demand: it takes half of the command's start time.
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({ region, maxAttempts: 2 });
  try {
    const { SecretString = '' } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
    return { credential: parseSecret(SecretString, 'doctor').credential, source: `the secret ${secretId}` };
  } catch (error) {
    if (error instanceof Failure)
      throw new Finding(
        `the secret ${secretId} does not have the right format (${error.reason ?? error.code})`,
        'Store it again as docs/deploy.md describes: the functions cannot use it either.',
      );
    const name = error instanceof Error ? error.name : 'unknown';
    throw new Finding(`the secret ${secretId} cannot be read (${name})`, CURES[name] ?? `Find out why, ${ELSEWHERE}.`);
  } finally {
    client.destroy();
  }
}
