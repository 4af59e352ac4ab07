import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../local/command.ts';
import { afterFailure, nextSteps, stillProtected } from './advice.ts';
import { targetOf, templateOf } from './assembly.ts';
import { PROJECT_ROOT } from './bundles.ts';
import { deployedStack, regionIn, regionOfProfile, stackName } from './deployed-stack.ts';
import { ENTITLEMENTS, entitlementsOf, PACE, type Pace, paceOf, PACES } from './deployment-pace.ts';
import { loadEnvironment } from './environment-files.ts';
import { environmentPolicy } from './environment-policy.ts';
import type { Environment, Target } from './environments/environment.ts';
import { placeholders } from './placeholders.ts';

/** `npm run bootstrap|synth|diff|deploy|destroy -- <environment>`: prints what it will change, then runs `cdk`. */
const COMMANDS = ['bootstrap', 'synth', 'diff', 'deploy', 'destroy'] as const;
type Command = (typeof COMMANDS)[number];

export interface Request {
  readonly command: Command;
  readonly environment: Environment;
  /** Whether the account was given; otherwise it is the account of the caller's AWS credentials. */
  readonly accountKnown: boolean;
  readonly yes: boolean;
  readonly production: boolean;
  /** Take over resources that an earlier stack of this name left behind. */
  readonly importExisting: boolean;
  /** The folder of an assembly that is deployed as it is; otherwise it is built first. */
  readonly assembly: string | undefined;
}

const USAGE = `Usage: npm run ${COMMANDS.join('|')} -- <environment> [--account <12 digits>] [--region <region>] [--yes]
  --yes                        do not ask for confirmation (deploy, destroy)
  --production                 allow destroy for an environment whose purpose is production
  --import-existing-resources  take over what an earlier stack left behind (deploy)
  --assembly <folder>          take what synth wrote there, for its account and region; build nothing (diff, deploy)
  --help                       print this text`;

/** Parses the command line. Throws with the usage, the known environments, or every fault of the environment. */
export function parseRequest(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Request {
  const { values, positionals } = parse(argv);
  const [word, name, ...more] = positionals;
  const command = COMMANDS.find((known) => known === word);
  if (command === undefined || more.length > 0) throw new UsageError(USAGE);
  const { assembly } = values;
  if (assembly !== undefined && (name === undefined || (command !== 'diff' && command !== 'deploy')))
    throw new UsageError(USAGE);
  const built = assembly === undefined || name === undefined ? undefined : targetOf(assembly, name);
  for (const [what, given] of [['account', values.account] as const, ['region', values.region] as const])
    if (built !== undefined && given !== undefined && given !== built[what])
      throw new Error(`${assembly} was built for the ${what} ${built[what]}, not for ${given}`);
  const target: Target = built ?? {
    account: values.account ?? env['BROKER_ACCOUNT'] ?? env['CDK_DEFAULT_ACCOUNT'],
    region: values.region ?? regionIn(env),
  };
  const accountKnown = target.account !== undefined;
  // Without an account, cdk uses that of the AWS credentials. synth needs no credentials, so it needs the account.
  const assumed = accountKnown || command === 'synth' ? target.account : '000000000000';
  const environment = loadEnvironment(name, { ...target, account: assumed });
  const { yes, production, 'import-existing-resources': importExisting } = values;
  return { command, environment, accountKnown, yes, production, importExisting, assembly };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        account: { type: 'string' },
        region: { type: 'string' },
        yes: { type: 'boolean', default: false },
        production: { type: 'boolean', default: false },
        'import-existing-resources': { type: 'boolean', default: false },
        assembly: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\n\n${USAGE}`);
  }
}

/** What a command will change, as lines of text. */
export function announcement({ command, environment, accountKnown, assembly }: Request): string {
  const { account, region, thoughtSpot, issuers, secret, ledger, policyFile, purpose } = environment;
  const origin = 'create' in secret ? `created empty if new: ${secret.create}` : `imported: ${secret.import}`;
  const where = [
    `  account      ${accountKnown ? account : 'that of your AWS credentials'}`,
    `  region       ${region}`,
  ];
  if (command === 'bootstrap') return [`bootstrap the account and region of ${environment.name}`, ...where].join('\n');
  return [
    `${command} ${environment.name} (${purpose})`,
    `  stack        ${stackName(environment.name)}`,
    ...where,
    `  ThoughtSpot  ${thoughtSpot.host} (${thoughtSpot.dialect})`,
    ...issuers.map(({ name, url }) => `  issuer       ${url}${name === undefined ? '' : ` at /i/${name}`}`),
    `  secret       ${origin}`,
    ...(ledger === undefined ? [] : [`  ledger       imported: ${ledger.import}`]),
    `  policy       ${assembly === undefined ? `infra/environments/${policyFile}` : 'that of the assembly'}`,
    ...(assembly === undefined ? [] : [`  assembly     ${assembly}`]),
  ].join('\n');
}

/** Why a command is refused, or undefined. */
export function refusal({ command, environment, production }: Request): string | undefined {
  const { name, purpose } = environment;
  const madeUp = command === 'deploy' ? placeholders(environment) : [];
  if (madeUp.length > 0)
    return `${name} still has made-up values. Replace them in infra/environments/${name}.ts:\n${madeUp.map((one) => `  - ${one}`).join('\n')}`;
  if (command !== 'destroy' || purpose !== 'production' || production) return undefined;
  return (
    `${name} is production: add --production to destroy it. Its table, keys, secret and logs are kept. ` +
    `Its stack has termination protection, which you must switch off first.`
  );
}

/** The commands that ask AWS for something. Undefined if there are credentials; otherwise what to do. */
async function credentialsMissing({ command }: Request): Promise<string | undefined> {
  if (command === 'synth') return undefined;
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  const reason = await defaultProvider()().then(() => undefined, messageOf);
  return reason === undefined
    ? undefined
    : `There are no AWS credentials here, so nothing was tried: sign in (aws sso login, aws configure) or set AWS_PROFILE. (${reason})`;
}

/** How fast a deployment comes to callers; says so where the environment says otherwise. */
async function paceOfDeployment({ environment, assembly }: Request): Promise<Pace> {
  const { name, region } = environment;
  const next =
    assembly === undefined
      ? entitlementsOf(environmentPolicy(environment))
      : templateOf(assembly, name).Outputs[ENTITLEMENTS].Value;
  const pace = await paceOf(environment, next, () => deployedStack(name, region));
  if (pace.because !== undefined) console.log(`This deployment goes all at once, not by a canary: ${pace.because}.`);
  return pace;
}

/** Arguments for the cdk command line. */
export function cdkArguments({ command, environment, yes, importExisting, assembly }: Request, pace?: Pace): string[] {
  const stack = stackName(environment.name);
  const output =
    assembly === undefined ? ['--output', path.join('cdk.out', environment.name)] : ['--app', path.resolve(assembly)];
  switch (command) {
    case 'bootstrap':
      return ['bootstrap', ...output];
    case 'synth':
      return ['synth', '--quiet', '--no-lookups', ...output];
    case 'diff':
      return ['diff', ...output, stack];
    case 'deploy':
      return [
        'deploy',
        ...output,
        ...(yes ? ['--require-approval', 'never'] : []),
        ...(importExisting ? ['--import-existing-resources'] : []),
        ...(pace === undefined ? [] : ['--parameters', `${PACE}=${PACES[pace.pace]}`]),
        stack,
      ];
    case 'destroy':
      return ['destroy', '--force', ...output, stack];
  }
}

async function confirmed({ environment }: Request): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  // Ctrl-C, or an input that ends, is no answer.
  const left = new AbortController();
  lines.once('close', () => left.abort());
  const question = lines.question(`Type the environment's name to destroy it: `, { signal: left.signal });
  const answer = await question.catch(() => '');
  lines.close();
  return answer.trim() === environment.name;
}

/** Throws where the functions could not work with the table, and prints what it lacks. */
async function examineLedger({ region, purpose }: Environment, table: string): Promise<void> {
  const { DynamoDBClient } = await import('@aws-sdk/client-dynamodb');
  const { examineTable } = await import('./imported-table.ts');
  const { faults, lacks } = await examineTable(new DynamoDBClient({ region }), table, purpose === 'production');
  const listed = (all: readonly string[]) => all.map((one) => `\n  - ${one}`).join('');
  if (faults.length > 0) throw new Error(`ledger.import: ${table} cannot be the ledger:${listed(faults)}`);
  if (lacks.length > 0) console.warn(`ledger.import: ${table} works, but as a restored copy it lacks:${listed(lacks)}`);
}

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help') || argv.includes('-h')) {
    console.log(USAGE);
    return 0;
  }
  const region = regionIn(process.env) ?? (argv.includes('--region') ? undefined : await regionOfProfile());
  const request = parseRequest(argv, { ...process.env, BROKER_REGION: region });
  const { command, environment } = request;
  console.log(announcement(request));
  const refused = refusal(request);
  if (refused !== undefined) throw new Error(refused);
  if (command === 'destroy' && !request.yes && !(await confirmed(request))) throw new Error('Nothing destroyed.');
  const missing = await credentialsMissing(request);
  if (missing !== undefined) throw new Error(missing);
  if (command === 'deploy' && environment.ledger !== undefined)
    await examineLedger(environment, environment.ledger.import);
  if (command !== 'bootstrap' && request.assembly === undefined)
    console.log('Bundling, synthesizing and checking with cdk-nag: about ten seconds.');
  const pace = command === 'deploy' ? await paceOfDeployment(request) : undefined;
  const started = Date.now();
  const { status } = spawnSync(path.join('node_modules', '.bin', 'cdk'), cdkArguments(request, pace), {
    cwd: PROJECT_ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      BROKER_ENVIRONMENT: environment.name,
      BROKER_REGION: environment.region,
      AWS_REGION: environment.region,
      ...(request.accountKnown ? { BROKER_ACCOUNT: environment.account } : {}),
    },
  });
  if (status !== 0) {
    if (command === 'deploy')
      console.error(
        await deployedStack(environment.name, environment.region).then(
          (stack) => afterFailure(environment, stack),
          (error: unknown) => `CloudFormation does not say whether anything was deployed: ${messageOf(error)}`,
        ),
      );
    if (command === 'destroy' && environment.purpose === 'production') console.error(stillProtected(environment));
    return status ?? 1;
  }
  if (command === 'synth')
    console.log(
      `Synthesized into cdk.out/${environment.name} in ${((Date.now() - started) / 1000).toFixed(1)} s; no finding of cdk-nag is open.`,
    );
  if (command === 'deploy') {
    // The deployment is done; that its outputs cannot be read does not make it a failure.
    const stack = await deployedStack(environment.name, environment.region).catch(() => undefined);
    console.log(`\n${nextSteps(environment, stack?.outputs ?? {})}`);
  }
  return 0;
}

if (process.argv[1] === import.meta.filename) {
  main().then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      console.error(messageOf(error));
      process.exitCode = error instanceof UsageError ? 2 : 1;
    },
  );
}
