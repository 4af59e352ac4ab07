/** An environment's stack as it is in AWS: its name, its region and its outputs. */
import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';

type Variables = Readonly<Record<string, string | undefined>>;

/** Name of an environment's stack, with which the names of its functions and of most of its resources begin. */
export const stackName = (environment: string): string => `thoughtspot-broker-${environment}`;

/** The region that the variables name: those of our own commands and of cdk first, then those of the AWS CLI. */
export function regionIn(variables: Variables): string | undefined {
  const names = ['BROKER_REGION', 'CDK_DEFAULT_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION'];
  return names.map((name) => variables[name]).find((region) => region !== undefined && region !== '');
}

/** The region of the AWS profile (AWS_PROFILE, or the default one); undefined if it has none. */
export async function regionOfProfile(): Promise<string | undefined> {
  const client = await cloudFormation();
  return client.config.region().catch(() => undefined);
}

export interface DeployedStack {
  /** Such as UPDATE_COMPLETE. */
  readonly status: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/**
 * An environment's stack as CloudFormation has it now; undefined if there is none. Rejects with the error of the AWS SDK
 * if CloudFormation cannot be asked.
 */
export async function deployedStack(environment: string, region: string): Promise<DeployedStack | undefined> {
  const { DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation');
  const client = await cloudFormation(region);
  try {
    const { Stacks: [stack] = [] } = await client.send(
      new DescribeStacksCommand({ StackName: stackName(environment) }),
    );
    const outputs = (stack?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]);
    return { status: stack?.StackStatus ?? '', outputs: Object.fromEntries(outputs) as Record<string, string> };
  } catch (error) {
    if (error instanceof Error && error.name === 'ValidationError' && / does not exist/.test(error.message))
      return undefined;
    throw error;
  } finally {
    client.destroy();
  }
}

/** Loaded on demand: most commands end before they need it. */
async function cloudFormation(region?: string): Promise<CloudFormationClient> {
  const { CloudFormationClient } = await import('@aws-sdk/client-cloudformation');
  return new CloudFormationClient({ ...(region === undefined ? {} : { region }), maxAttempts: 2 });
}
