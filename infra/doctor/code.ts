import { GetAliasCommand, GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { builtHashes, CODE_HASHES, parseHashes } from '../assembly.ts';
import { stackName } from '../deployed-stack.ts';
import type { Environment } from '../environments/environment.ts';
import { Finding, needed, Skipped } from './checklist.ts';
import type { Examine } from './checklist.ts';

/**
 * Compares the code that each function serves, through its alias, with the code that was built: that of the assembly, or
 * else that which the last deployment by CloudFormation named.
 */
export async function examineCode(
  examine: Examine,
  { name: environment, region }: Environment,
  outputs: Readonly<Record<string, string>> | undefined,
  assembly: string | undefined,
): Promise<void> {
  await examine('deployed code', async () => {
    const stated = needed(outputs, 'stack')[CODE_HASHES];
    if (assembly === undefined && stated === undefined)
      throw new Skipped(
        'the stack does not say what was built: it was deployed by an older version, or give --assembly',
      );
    const built = Object.entries(
      assembly === undefined ? parseHashes(stated ?? '{}') : builtHashes(assembly, environment),
    );
    const source = assembly === undefined ? 'the last deployment' : assembly;
    const client = new LambdaClient({ region, maxAttempts: 2 });
    try {
      const others: string[] = [];
      for (const [name, sha256] of built) {
        const served = await servedBy(client, `${stackName(environment)}-${name}`);
        const wrong = served.filter((one) => one.sha256 !== sha256);
        if (wrong.length > 0 && wrong.length < served.length)
          throw new Finding(
            `${name} is between two versions: ${served.map(({ version }) => version).join(' and ')}`,
            'A gradual deployment is under way. Run the doctor again when it has ended.',
          );
        others.push(...wrong.map((one) => `${name} (version ${one.version}: ${one.sha256}, built: ${sha256})`));
      }
      if (others.length === 0) return [`${built.length} functions run the code of ${source}`, undefined];
      throw new Finding(
        `not the code of ${source}: ${others.join(', ')}`,
        'If nobody deployed something else, somebody changed the code outside of a deployment: look in CloudTrail for ' +
          'UpdateFunctionCode, PublishVersion and UpdateAlias, then deploy what was built.',
      );
    } finally {
      client.destroy();
    }
  });
}

/** The versions that the alias `live` sends calls to: one, or two while a deployment shifts traffic. Throws Finding or Skipped. */
async function servedBy(
  client: LambdaClient,
  FunctionName: string,
): Promise<readonly { version: string; sha256: string }[]> {
  try {
    const { FunctionVersion = '', RoutingConfig } = await client.send(
      new GetAliasCommand({ FunctionName, Name: 'live' }),
    );
    const versions = [FunctionVersion, ...Object.keys(RoutingConfig?.AdditionalVersionWeights ?? {})];
    return await Promise.all(
      versions.map(async (version) => {
        const command = new GetFunctionConfigurationCommand({ FunctionName, Qualifier: version });
        const { CodeSha256 = '' } = await client.send(command);
        return { version, sha256: CodeSha256 };
      }),
    );
  } catch (error) {
    const why = error instanceof Error ? error.name : 'unknown';
    if (why === 'ResourceNotFoundException')
      throw new Finding(`${FunctionName} has no alias live, or does not exist`, 'Deploy the environment again.');
    throw new Skipped(
      `Lambda does not say what it runs (${why}): it needs lambda:GetAlias and GetFunctionConfiguration`,
    );
  }
}
