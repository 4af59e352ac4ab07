import { deployedStack, stackName } from '../deployed-stack.ts';
import type { Environment } from '../environments/environment.ts';
import { Finding, Skipped } from './checklist.ts';
import type { Examine } from './checklist.ts';
import { examineIssuers } from './issuers.ts';

/** Name or ARN of the environment's secret. */
export function secretIdOf({ secret }: Pick<Environment, 'secret'>): string {
  return 'create' in secret ? secret.create : secret.import;
}

/**
 * Examines what is between the parts: the stack, whether its code is the built one, whether its secret has a value (by its
 * description, which raises no alarm), and whether each issuer calls itself what the environment calls it and publishes keys.
 * Resolves with the address of the broker.
 */
export async function examineEnvironment(
  examine: Examine,
  environment: Environment,
  assembly: string | undefined,
): Promise<{ readonly url: string | undefined }> {
  const { name, region, issuers } = environment;
  const outputs = await examine('stack', async () => {
    const found = await deployedStack(name, region).catch((error: unknown) => {
      throw new Skipped(`CloudFormation cannot be asked (${nameOf(error)}): sign in to AWS, or give --broker <url>`);
    });
    if (found === undefined)
      throw new Finding(`there is no stack ${stackName(name)} in ${region}`, `Deploy it: npm run deploy -- ${name}.`);
    const { status, outputs } = found;
    if (/^(ROLLBACK|DELETE|REVIEW|CREATE_IN|CREATE_FAILED)/.test(status))
      throw new Finding(
        `${stackName(name)} was never deployed to its end (${status})`,
        'Wait while it is in progress; otherwise see docs/deploy.md, "The first deployment failed".',
      );
    return [`${stackName(name)} in ${region}`, outputs];
  });
  const { examineCode } = await import('./code.ts');
  await examineCode(examine, environment, outputs, assembly);
  await examine('secret has a value', async () => {
    const id = secretIdOf(environment);
    if (await hasValue(id, region)) return [id, undefined];
    throw new Finding(
      `first run: ${id} has no value yet, and until it has one every request for a token is answered 503 not-set-up`,
      'Store the credential as docs/deploy.md describes (4. Store the credential).',
    );
  });
  await examineIssuers(examine, issuers);
  return { url: outputs?.['ApiUrl']?.replace(/\/$/, '') };
}

/** Whether a value was ever stored. Throws Finding or Skipped. */
async function hasValue(secretId: string, region: string): Promise<boolean> {
  const { DescribeSecretCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({ region, maxAttempts: 2 });
  try {
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId: secretId }));
    return Object.values(VersionIdsToStages).some((stages) => stages.includes('AWSCURRENT'));
  } catch (error) {
    if (nameOf(error) === 'ResourceNotFoundException')
      throw new Finding(`there is no secret ${secretId} in ${region}`, 'Deploy the environment, which creates it.');
    throw new Skipped(`Secrets Manager does not say (${nameOf(error)})`);
  } finally {
    client.destroy();
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
