import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { stackName } from './broker-stack.ts';
import { PROJECT_ROOT } from './bundles.ts';
import { SECRET_SHAPE } from './constructs/thoughtspot-secret.ts';
import { loadEnvironment } from './environment-files.ts';
import type { Environment, Target } from './environments/environment.ts';

/** `npm run synth|diff|deploy|destroy -- <environment>`: prints what it will change, then runs `cdk`. */
const COMMANDS = ['synth', 'diff', 'deploy', 'destroy'] as const;
type Command = (typeof COMMANDS)[number];

export interface Request {
  readonly command: Command;
  readonly environment: Environment;
  /** Whether the account was given; otherwise it is the account of the caller's AWS credentials. */
  readonly accountKnown: boolean;
  readonly yes: boolean;
  readonly production: boolean;
}

const USAGE = `Usage: npm run ${COMMANDS.join('|')} -- <environment> [--account <12 digits>] [--region <region>] [--yes]
  --yes         do not ask for confirmation (deploy, destroy)
  --production  allow destroy for an environment whose purpose is production`;

/** Parses the command line. Throws with the usage, the known environments, or every fault of the environment. */
export function parseRequest(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Request {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      account: { type: 'string' },
      region: { type: 'string' },
      yes: { type: 'boolean', default: false },
      production: { type: 'boolean', default: false },
    },
  });
  const [word, name, ...more] = positionals;
  const command = COMMANDS.find((known) => known === word);
  if (command === undefined || more.length > 0) throw new Error(USAGE);
  const target: Target = {
    account: values.account ?? env['BROKER_ACCOUNT'] ?? env['CDK_DEFAULT_ACCOUNT'],
    region: values.region ?? env['BROKER_REGION'] ?? env['CDK_DEFAULT_REGION'] ?? env['AWS_REGION'],
  };
  const accountKnown = target.account !== undefined;
  // Without an account, cdk uses that of the AWS credentials. synth needs no credentials, so it needs the account.
  const assumed = accountKnown || command === 'synth' ? target.account : '000000000000';
  const environment = loadEnvironment(name, { ...target, account: assumed });
  return { command, environment, accountKnown, yes: values.yes, production: values.production };
}

/** What a command will change, as lines of text. */
export function announcement({ command, environment, accountKnown }: Request): string {
  const { account, region, thoughtSpot, issuer, secret, policyFile, purpose } = environment;
  const origin = 'create' in secret ? `created empty if new: ${secret.create}` : `imported: ${secret.import}`;
  return [
    `${command} ${environment.name} (${purpose})`,
    `  stack        ${stackName(environment.name)}`,
    `  account      ${accountKnown ? account : 'that of your AWS credentials'}`,
    `  region       ${region}`,
    `  ThoughtSpot  ${thoughtSpot.host} (${thoughtSpot.dialect})`,
    `  issuer       ${issuer.url}`,
    `  secret       ${origin}`,
    `  policy       infra/environments/${policyFile}`,
  ].join('\n');
}

/** Why a destroy is refused, or undefined. */
export function refusal({ command, environment, production }: Request): string | undefined {
  if (command !== 'destroy' || environment.purpose !== 'production' || production) return undefined;
  return (
    `${environment.name} is production: add --production to destroy it. Its table, keys, secret and logs are kept. ` +
    `Its stack has termination protection, which you must switch off first.`
  );
}

/** What to do after a deployment, with the outputs of the stack. */
export function nextSteps(environment: Environment, outputs: Readonly<Record<string, string>>): string {
  const secret = outputs['SecretName'] ?? '<secret>';
  return [
    `API URL  ${outputs['ApiUrl'] ?? 'unknown'}`,
    `Issuer   ${outputs['Issuer'] ?? 'unknown'}`,
    `Secret   ${secret}`,
    '',
    `Store the credential (once, and again when it changes). Write secret.json, readable only by you, as`,
    `  ${SECRET_SHAPE}`,
    `  aws secretsmanager put-secret-value --region ${environment.region} --secret-id ${secret} --secret-string file://secret.json`,
    `  rm secret.json`,
    `Then check that everything works:`,
    `  npm run doctor -- --env ${environment.name}`,
  ].join('\n');
}

/** Arguments for the cdk command line. */
export function cdkArguments({ command, environment, yes }: Request): string[] {
  const stack = stackName(environment.name);
  const output = ['--output', path.join('cdk.out', environment.name)];
  switch (command) {
    case 'synth':
      return ['synth', '--quiet', '--no-lookups', ...output];
    case 'diff':
      return ['diff', ...output, stack];
    case 'deploy':
      return [
        'deploy',
        ...output,
        '--outputs-file',
        outputsFile(environment),
        ...(yes ? ['--require-approval', 'never'] : []),
        stack,
      ];
    case 'destroy':
      return ['destroy', '--force', ...output, stack];
  }
}

const outputsFile = ({ name }: Environment): string => path.join('cdk.out', `${name}.outputs.json`);

async function confirmed({ environment }: Request): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await lines.question(`Type the environment's name to destroy it: `);
  lines.close();
  return answer.trim() === environment.name;
}

async function main(): Promise<number> {
  const request = parseRequest(process.argv.slice(2), process.env);
  const { command, environment } = request;
  console.log(announcement(request));
  const refused = refusal(request);
  if (refused !== undefined) throw new Error(refused);
  if (command === 'destroy' && !request.yes && !(await confirmed(request))) throw new Error('Nothing destroyed.');
  const started = Date.now();
  const { status } = spawnSync(path.join('node_modules', '.bin', 'cdk'), cdkArguments(request), {
    cwd: PROJECT_ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      BROKER_ENVIRONMENT: environment.name,
      BROKER_REGION: environment.region,
      ...(request.accountKnown ? { BROKER_ACCOUNT: environment.account } : {}),
    },
  });
  if (status !== 0) return status ?? 1;
  if (command === 'synth')
    console.log(
      `Synthesized into cdk.out/${environment.name} in ${((Date.now() - started) / 1000).toFixed(1)} s; no finding of cdk-nag is open.`,
    );
  const file = path.join(PROJECT_ROOT, outputsFile(environment));
  if (command === 'deploy' && existsSync(file)) {
    const outputs = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>;
    console.log(`\n${nextSteps(environment, outputs[stackName(environment.name)] ?? {})}`);
  }
  return 0;
}

if (process.argv[1] === import.meta.filename) {
  main().then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    },
  );
}
