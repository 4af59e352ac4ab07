/** What to do after a command of infra/commands.ts, in the words that it prints. */
import { SECRET_SHAPE } from './constructs/thoughtspot-secret.ts';
import { type DeployedStack, stackName } from './deployed-stack.ts';
import { environmentPolicy, longestSecondsOf } from './environment-policy.ts';
import type { Environment } from './environments/environment.ts';

/** What to do after a deployment, with the outputs of the stack. */
export function nextSteps(
  environment: Environment,
  outputs: Readonly<Record<string, string>>,
  now = Date.now(),
): string {
  const { name, region, ledger } = environment;
  const secret = outputs['SecretName'] ?? '<secret>';
  return [
    `API URL  ${outputs['ApiUrl'] ?? 'unknown'}`,
    `Issuer   ${outputs['Issuer'] ?? 'unknown'}`,
    `Secret   ${secret}`,
    '',
    `Store the credential (once, and again when it changes). Write secret.json, readable only by you, as`,
    `  ${SECRET_SHAPE}`,
    `  aws secretsmanager put-secret-value --region ${region} --secret-id ${secret} --secret-string file://secret.json`,
    `  rm secret.json`,
    `Then check that everything works:`,
    `  npm run doctor -- --env ${name} --region ${region}`,
    ...(ledger === undefined ? [] : afterImport(environment, ledger.import, now)),
  ].join('\n');
}

/** A copy takes tokens for live that have ended since, and knows nothing of those that were made since. */
function afterImport(environment: Environment, table: string, now: number): readonly string[] {
  const seconds = longestSecondsOf(environmentPolicy(environment).policy);
  return [
    '',
    `If ${table} has just been restored, end now what it takes for live, and give suspensions since then again:`,
    `  npm run leases -- revoke --all --keep-sign-in --yes --env ${environment.name}`,
    `Tokens that it has forgotten live until ${new Date(now + seconds * 1_000).toISOString()} at the latest (${seconds} s, the longest of the policy).`,
  ];
}

/** What to do after a deployment that failed, from what CloudFormation says of the stack now. */
export function afterFailure({ name, region }: Environment, stack: DeployedStack | undefined): string {
  const { status } = stack ?? {};
  if (status === undefined) return `Nothing was deployed: there is no stack ${stackName(name)} in ${region}.`;
  if (/^(CREATE_FAILED|ROLLBACK_|REVIEW_|DELETE_)/.test(status))
    return `The first deployment failed (${status}). How to go on: docs/deploy.md, "The first deployment failed".`;
  if (status === 'UPDATE_ROLLBACK_FAILED')
    return (
      `The deployment failed, and so did undoing it. Mend what the output names, then: aws cloudformation ` +
      `continue-update-rollback --region ${region} --stack-name ${stackName(name)}`
    );
  return `The deployment failed; ${stackName(name)} is ${status}, with the code and settings from before.`;
}

/** What to do where production's stack was not destroyed. */
export const stillProtected = ({ name, region }: Environment): string =>
  `If the stack is protected: aws cloudformation update-termination-protection --no-enable-termination-protection ` +
  `--region ${region} --stack-name ${stackName(name)}`;
