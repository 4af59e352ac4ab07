/** Where the drive takes place: a copy of the project, and what answers in the place of AWS, ThoughtSpot and the issuer. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PROJECT_ROOT } from '../../infra/bundles.ts';
import { startEmulator } from './emulator.ts';
import { fromPage, type Command } from './page.ts';
import { run, start, type Ended } from './processes.ts';

export const NAME = 'emulated';
export const REGION = 'eu-central-1';
export const STACK = `thoughtspot-broker-${NAME}`;
export const SECRET = `thoughtspot-broker/${NAME}`;
export type Values = readonly (readonly [from: string, to: string])[];

/** A copy of the project in which environments can be added and changed. */
function copyProject(copy: string): string {
  mkdirSync(copy);
  const left = ['node_modules', '.git', '.cache', 'cdk.out', 'bench'];
  for (const name of readdirSync(PROJECT_ROOT).filter((one) => !left.includes(one)))
    cpSync(path.join(PROJECT_ROOT, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(PROJECT_ROOT, 'node_modules'), path.join(copy, 'node_modules'));
  return copy;
}

export function edit(file: string, changes: readonly (readonly [from: string | RegExp, to: string])[]): void {
  const text = changes.reduce((source, [from, to]) => source.replace(from, to), readFileSync(file, 'utf8'));
  writeFileSync(file, text);
}

/** "To add an environment, copy a file": dev's, with real values where it has made-up ones. */
export function addEnvironment(folder: string, thoughtSpot: string, issuer: string): void {
  const file = path.join(folder, `${NAME}.ts`);
  cpSync(path.join(folder, 'dev.ts'), file);
  edit(file, [
    ['https://dev.thoughtspot.example', thoughtSpot],
    ['https://login.dev.example.com/', issuer],
    ['https://app.dev.example.com', 'http://127.0.0.1:8787'],
    ['policy.dev.json', `policy.${NAME}.json`],
    ["'thoughtspot-broker/dev'", `'${SECRET}'`],
    ['broker-dev@example.com', 'on-call@acme.dev'],
    ['git.example.com', 'git.acme.dev'],
    [
      /revocationSchedules: \[[^]*?\n {2}\],/,
      `revocationSchedules: [
    { name: 'minutely', expression: 'rate(1 minute)', timeZone: 'UTC', select: { userName: 'nobody' } },
  ],
  deprovisionedEvents: { source: 'dev.acme.identity' },`,
    ],
  ]);
  for (const kind of ['json', 'cases.json']) {
    cpSync(path.join(PROJECT_ROOT, 'local', `policy.${kind}`), path.join(folder, `policy.${NAME}.${kind}`));
    edit(path.join(folder, `policy.${NAME}.${kind}`), [['"../docs', '"../../docs']]);
  }
}

/** Production needs https, which neither the simulator nor the issuer of this drive has: it is deployed, and not called. */
export function settleProduction(folder: string): void {
  edit(path.join(folder, 'prod.ts'), [
    ['https://analytics.thoughtspot.example', 'https://acme.thoughtspot.cloud'],
    ['https://login.example.com/', 'https://login.acme.dev/'],
    ['https://app.example.com', 'https://app.acme.dev'],
    ['com.example.identity', 'dev.acme.identity'],
    ['broker-oncall@example.com', 'on-call@acme.dev'],
    ['broker-team@example.com', 'team@acme.dev'],
    ['git.example.com', 'git.acme.dev'],
  ]);
}

/** Starts the emulator, a ThoughtSpot and an issuer. `endAll` ends them. */
export async function makeWorld(bin: string, folder: string) {
  const project = copyProject(path.join(folder, 'project'));
  const environments = path.join(project, 'infra', 'environments');
  const endpoint = await startEmulator(bin, folder);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${path.dirname(process.execPath)}:${bin}:${process.env['PATH'] ?? ''}`,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_DEFAULT_REGION: REGION,
    AWS_EC2_METADATA_DISABLED: 'true',
    NODE_OPTIONS: `--import=${path.join(import.meta.dirname, 'localhost.ts')}`,
    FORCE_COLOR: '0',
  };
  const say = (command: string, more: NodeJS.ProcessEnv = {}, input = ''): Promise<Ended> =>
    run('sh', ['-c', command], { cwd: project, env: { ...env, ...more }, input });
  const npm = (words: string, more: NodeJS.ProcessEnv = {}, input = '') =>
    say(`npm run --silent ${words}`, more, input);
  const aws = (words: string) => say(`aws --region ${REGION} ${words}`);
  /** A command of the page; what it says of dev is meant for the environment of the drive. */
  const page = (command: Command, values: Values = [], more: NodeJS.ProcessEnv = {}, input = '') => {
    const said = fromPage(command, values).replace(/(-- |--env |broker\/)dev\b/, `$1${NAME}`);
    return say(said, more, input);
  };
  /** Its address, on a port that is free. */
  const background = async (script: string): Promise<string> => {
    const said = await start(
      'npm',
      ['run', '--silent', script, '--', '--port', '0'],
      { cwd: project, env },
      /stops it/,
    );
    return /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0] ?? '';
  };
  const [thoughtSpot, issuer] = await Promise.all([background('simulator'), background('issuer')]);
  const { secretKey } = JSON.parse(
    readFileSync(path.join(project, 'local', 'thoughtspot', 'cluster.json'), 'utf8'),
  ) as { secretKey: string };
  const jwtOf = async (user: string) => {
    const body = new URLSearchParams({ grant_type: 'password', username: user });
    const answer = await fetch(`${issuer}/token`, { method: 'POST', body });
    return ((await answer.json()) as { access_token: string }).access_token;
  };

  const stack = (name: string) => aws(`cloudformation describe-stacks --stack-name ${name}`);
  const tablesOf = async (stackOf: string) => {
    const { TableNames } = JSON.parse((await aws('dynamodb list-tables')).text) as { TableNames: string[] };
    return TableNames.filter((name) => name.startsWith(`${stackOf}-`));
  };

  return { project, environments, thoughtSpot, issuer, secretKey, say, npm, aws, page, jwtOf, stack, tablesOf };
}

export type World = Awaited<ReturnType<typeof makeWorld>>;
