/** docs/deploy.md as the drive follows it: the commands of the page, and which of them are not run. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const PAGE = path.join(import.meta.dirname, '..', '..', 'docs', 'deploy.md');

/** What the drive runs, as the page writes it. */
export const COMMANDS = [
  'npm run synth -- dev --account <12 digits>',
  'npm run schedules -- next --env prod',
  'npm run schedules -- fire <name> --env prod',
  'npm run schedules -- replay --env prod',
  'npm run bootstrap -- dev',
  `aws events put-rule --region us-east-1 --name iam-to-<region> --event-pattern '{"source":["aws.iam"],"detail-type":["AWS API Call via CloudTrail"]}'`,
  "aws events put-targets --region us-east-1 --rule iam-to-<region> --targets 'Id=bus,Arn=arn:aws:events:<region>:<account>:event-bus/default,RoleArn=arn:aws:iam::<account>:role/<role>'",
  'npm run diff -- dev',
  'npm run deploy -- dev',
  'aws secretsmanager put-secret-value --secret-id thoughtspot-broker/dev --secret-string file://secret.json',
  'rm secret.json',
  'npm run doctor -- --env dev',
  'THOUGHTSPOT_SECRET_KEY=... npm run doctor -- --env dev --user <a ThoughtSpot user> --org <id>',
  'npm run doctor -- --host https://<cluster> --user <name> --org <id>',
  'curl -X POST https://<api>/gettoken -H "Authorization: Bearer <access token>"',
  'BROKER_JWT=... BROKER_UNENTITLED_JWT=... npm run accept -- --env dev',
  'npm run leases -- ... --env <environment>',
  'npm run deploy -- <environment> --assembly <folder>',
  'npm run deploy -- prod',
  'npm run doctor -- --env prod',
  'aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name thoughtspot-broker-prod',
  'aws dynamodb update-table --no-deletion-protection-enabled --table-name <table>',
  'aws dynamodb delete-table --table-name <table>',
  'npm run deploy -- prod --import-existing-resources',
  'npm run destroy -- dev',
  'npm run destroy -- prod --production',
  'aws secretsmanager delete-secret --force-delete-without-recovery --secret-id thoughtspot-broker/prod',
] as const;
export type Command = (typeof COMMANDS)[number];

/** What the page also names and the drive does not run, with the reason and what runs it instead. */
export const NOT_RUN: Readonly<Record<string, string>> = {
  'npm run doctor': 'named without arguments: it is run with them',
  'npm run accept': 'named without arguments: it is run with them',
  'npm run test:deploy': 'is the drive itself',
  'aws secretsmanager put-secret-value': "of the prober's secret: as in step 4",
  'npm run sbom': 'has nothing to do with AWS: test/infra/sbom.test.ts',
  'npm pack -w @thoughtspot-token-broker/cdk': 'has nothing to do with AWS: test/infra/cdk-package.test.ts',
  'gh attestation verify prod.tar --repo <owner>/<repository> --signer-workflow <owner>/<repository>/.github/workflows/deploy.yml':
    'needs a run on GitHub: .github/workflows/deploy-one.yml runs it before each deployment',
  'npm run bench -- cost': 'measures, and takes minutes: the page has its last run',
  'npm run bench -- memory': 'measures, and takes minutes: docs/performance.md has its last run',
};

/** Every command of a page: the lines of its blocks, and what is in backquotes in its text. */
export function commandsIn(text: string): readonly string[] {
  const blocks = [...text.matchAll(/^ {4}((?:[A-Z_]+=\S+ )*(?:npm|aws|curl|rm|gh) (?:.*\\\n)*.*)$/gm)];
  const spans = [...text.matchAll(/`((?:npm (?:run|pack)|aws|curl|gh) [^`]+)`/g)];
  return [...blocks, ...spans].map(([, command = '']) => command.replace(/\s*\\?\n\s*/g, ' ').trim());
}

/** What the drive has taken from the page so far. */
export const taken = new Set<string>();
const onPage = new Set(commandsIn(readFileSync(PAGE, 'utf8')));

/** A command of the page, with the drive's own values in it. Throws if the page does not have it any more. */
export function fromPage(command: Command, values: readonly (readonly [from: string, to: string])[] = []): string {
  if (!onPage.has(command)) throw new Error(`docs/deploy.md does not have this command: ${command}`);
  taken.add(command);
  return values.reduce<string>((said, [from, to]) => {
    if (!said.includes(from)) throw new Error(`${command} has no ${from}`);
    return said.replaceAll(from, to);
  }, command);
}
