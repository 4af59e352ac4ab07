import { Failure } from '../../functions/broker/failure.ts';
import type { Credential } from '../../functions/broker/ports.ts';
import { parseSecret } from '../../functions/secrets/credential.ts';
import { Finding } from './checklist.ts';

type Variables = Readonly<Record<string, string | undefined>>;

export interface FoundCredential {
  readonly credential: Credential;
  /** Where it comes from. */
  readonly source: string;
}

/** The ledger's part of a secret, which the doctor has no use for. */
const NO_DIGESTS = Buffer.alloc(32).toString('base64');

/** A credential as the secret would hold it. Throws Failure `misconfigured`. */
export function credentialOf(document: object): Credential {
  return parseSecret(JSON.stringify({ ...document, digestKey: NO_DIGESTS }), 'doctor').credential;
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
  AccessDeniedException: `The secret's own policy lets none but its readers in: sign in as a role of secret.readers, ${ELSEWHERE}.`,
  ResourceNotFoundException: `Put a value, as docs/deploy.md says, ${ELSEWHERE}.`,
  CredentialsProviderError: `Sign in to AWS, ${ELSEWHERE}.`,
};

/** The credential in the environment's secret, checked as the functions check it. Throws Finding. */
export async function credentialInSecret(secretId: string, region: string): Promise<FoundCredential> {
  // On demand: half of the command's start.
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({ region, maxAttempts: 2 });
  try {
    const { SecretString = '' } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
    return { credential: parseSecret(SecretString, 'doctor').credential, source: `the secret ${secretId}` };
  } catch (error) {
    if (error instanceof Failure)
      throw new Finding(
        `the secret ${secretId} does not have the right shape (${error.reason ?? error.code})`,
        'Put it again, as docs/deploy.md says: the functions cannot work with it either.',
      );
    const name = error instanceof Error ? error.name : 'unknown';
    throw new Finding(`the secret ${secretId} cannot be read (${name})`, CURES[name] ?? `Look into it, ${ELSEWHERE}.`);
  } finally {
    client.destroy();
  }
}
