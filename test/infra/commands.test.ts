import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CURRENTLY_RECOMMENDED_FLAGS } from 'aws-cdk-lib/cx-api';
import { afterFailure, nextSteps } from '../../infra/advice.ts';
import { announcement, cdkArguments, parseRequest, refusal } from '../../infra/commands.ts';
import { knownEnvironments } from '../../infra/environment-list.ts';
import { regionIn } from '../../infra/deployed-stack.ts';
import { parseOptions } from '../../infra/doctor/options.ts';
import { synthesizedEnvironments } from '../support/synthesized.ts';

const region = { AWS_REGION: 'eu-central-1' };

test('a command says what it is about to touch', () => {
  const text = announcement(parseRequest(['deploy', 'staging', '--account', '111122223333'], region));
  for (const part of [
    'deploy staging (staging)',
    'thoughtspot-broker-staging',
    '111122223333',
    'eu-central-1',
    'https://staging.thoughtspot.example',
    'infra/environments/policy.staging.json',
  ])
    expect(text).toContain(part);
});

test('without an account, deploy uses that of the credentials and says so', () => {
  expect(announcement(parseRequest(['deploy', 'dev'], region))).toContain('that of your AWS credentials');
});

test.each([
  ['an unknown environment lists the known ones', ['synth', 'no-such'], `Known: ${knownEnvironments().join(', ')}`],
  ['an unknown command shows the usage', ['explode', 'dev'], 'Usage: npm run bootstrap|synth|diff|deploy|destroy'],
  ['synth without an account says how to name one', ['synth', 'dev'], 'account: is missing'],
])('%s', (_name, argv, expected) => {
  expect(() => parseRequest(argv, region)).toThrow(expected);
});

test('destroy refuses production unless told so by flag', () => {
  expect(refusal(parseRequest(['destroy', 'prod'], region))).toContain('add --production');
  expect(refusal(parseRequest(['destroy', 'prod', '--production'], region))).toBeUndefined();
  expect(refusal(parseRequest(['destroy', 'dev'], region))).toBeUndefined();
});

test('destroy takes an input that ends for no answer', () => {
  const { status, stderr } = spawnSync(process.execPath, ['infra/commands.ts', 'destroy', 'dev'], {
    env: { PATH: process.env['PATH'], ...region },
    input: '',
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([1, 'Nothing destroyed.\n']);
});

test('synth never looks anything up, and only --yes skips the approval of a deployment', () => {
  expect(cdkArguments(parseRequest(['synth', 'dev', '--account', '111122223333'], region))).toContain('--no-lookups');
  expect(cdkArguments(parseRequest(['deploy', 'dev'], region))).not.toContain('never');
  expect(cdkArguments(parseRequest(['deploy', 'dev', '--yes'], region))).toContain('never');
});

test('after a deployment come the outputs and the exact commands that follow', () => {
  const { environment } = parseRequest(['deploy', 'dev'], region);
  const text = nextSteps(environment, {
    ApiUrl: 'https://api.example',
    Issuer: 'https://login.example/',
    SecretName: 'thoughtspot-broker/dev',
  });
  for (const part of [
    'https://api.example',
    'https://login.example/',
    'aws secretsmanager put-secret-value --region eu-central-1 --secret-id thoughtspot-broker/dev --secret-string file://secret.json',
    'npm run doctor -- --env dev --region eu-central-1',
  ])
    expect(text).toContain(part);
  // It works as it stands: the doctor takes every option in it.
  const [, command = ''] = /npm run doctor -- (.*)/.exec(text) ?? [];
  expect(parseOptions(command.split(' '), {}, () => '')).toMatchObject({ environment: 'dev', region: 'eu-central-1' });
});

test('after a deployment on an imported ledger come what ends of before, and until when the rest lives', () => {
  const { environment } = parseRequest(['deploy', 'dev'], region);
  const now = Date.UTC(2026, 10, 27, 12);
  expect(nextSteps(environment, {}, now)).not.toContain('restored');
  const text = nextSteps({ ...environment, ledger: { import: 'copy' } }, {}, now);
  expect(text).toContain('npm run leases -- revoke --all --keep-sign-in --yes --env dev');
  expect(text).toContain('live until 2026-11-27T13:00:00.000Z at the latest (3600 s, the longest of the policy)');
});

test.each([
  [undefined, 'Nothing was deployed: there is no stack thoughtspot-broker-dev in eu-central-1.'],
  ['ROLLBACK_COMPLETE', 'docs/deploy.md, "The first deployment failed"'],
  ['ROLLBACK_FAILED', 'docs/deploy.md, "The first deployment failed"'],
  ['UPDATE_ROLLBACK_COMPLETE', 'with the code and settings from before'],
  ['UPDATE_COMPLETE', 'thoughtspot-broker-dev is UPDATE_COMPLETE'],
  ['UPDATE_ROLLBACK_FAILED', 'continue-update-rollback --region eu-central-1 --stack-name thoughtspot-broker-dev'],
])('after a deployment that failed, a stack that is %s gets its own advice', (status, expected) => {
  const { environment } = parseRequest(['deploy', 'dev'], region);
  const text = afterFailure(environment, status === undefined ? undefined : { status, outputs: {} });
  expect(text).toContain(expected);
  expect(text.includes('The first deployment failed')).toBe(expected.includes('The first'));
});

test.each(['bootstrap', 'diff', 'destroy'])('%s without AWS credentials ends before it tries anything', (command) => {
  const env = { PATH: process.env['PATH'], HOME: '/nowhere', AWS_EC2_METADATA_DISABLED: 'true', ...region };
  const { status, stderr, stdout } = spawnSync(process.execPath, ['infra/commands.ts', command, 'dev', '--yes'], {
    env,
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/^There are no AWS credentials here, so nothing was tried: sign in \(aws sso login/);
  expect(stdout).not.toContain('Bundling');
  expect(status).toBe(1);
});

test('deploy refuses an environment whose values are made up, and names them; the other commands do not', () => {
  expect(refusal(parseRequest(['deploy', 'dev'], region))).toBe(
    'dev still has made-up values. Replace them in infra/environments/dev.ts:\n' +
      '  - thoughtSpot.host: https://dev.thoughtspot.example\n' +
      '  - issuers.0.url: https://login.dev.example.com/\n' +
      '  - allowedOrigins.1: https://app.dev.example.com\n' +
      '  - alarms.email: broker-dev@example.com\n' +
      '  - runbookUrl: https://git.example.com/token-broker/docs/runbook.md',
  );
  for (const command of ['bootstrap', 'synth', 'diff', 'destroy'])
    expect(refusal(parseRequest([command, 'dev', '--account', '111122223333'], region))).toBeUndefined();
});

test('bootstrap prepares the account and region of an environment', () => {
  const request = parseRequest(['bootstrap', 'prod', '--account', '111122223333'], region);
  expect(announcement(request)).toBe(
    'bootstrap the account and region of prod\n  account      111122223333\n  region       eu-central-1',
  );
  expect(cdkArguments(request)).toEqual(['bootstrap', '--output', 'cdk.out/prod']);
});

test('what an earlier stack left behind is taken over only when asked for', () => {
  const importing = ['deploy', 'prod', '--import-existing-resources'];
  expect(cdkArguments(parseRequest(importing, region))).toContain('--import-existing-resources');
  expect(cdkArguments(parseRequest(['deploy', 'prod'], region))).not.toContain('--import-existing-resources');
});

describe('the region', () => {
  test.each([
    ['of our own commands', { BROKER_REGION: 'eu-west-1', AWS_REGION: 'eu-west-2' }, 'eu-west-1'],
    ['of the SDKs', { AWS_REGION: 'eu-west-2', AWS_DEFAULT_REGION: 'eu-west-3' }, 'eu-west-2'],
    ['of the AWS CLI', { AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-west-3' }, 'eu-west-3'],
    ['that nothing names', {}, undefined],
  ])('%s', (_name, variables, expected) => {
    expect(regionIn(variables)).toBe(expected);
  });

  test('of an AWS profile counts', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'profile-'));
    const file = path.join(folder, 'config');
    writeFileSync(file, '[default]\nregion = eu-west-1\n[profile work]\nregion = eu-south-2\n');
    const run = (profile?: string) =>
      spawnSync(process.execPath, ['infra/commands.ts', 'destroy', 'prod', '--account', '111122223333'], {
        env: {
          PATH: process.env['PATH'],
          AWS_CONFIG_FILE: file,
          AWS_SHARED_CREDENTIALS_FILE: path.join(folder, 'none'),
          ...(profile === undefined ? {} : { AWS_PROFILE: profile }),
        },
        encoding: 'utf8',
      }).stdout;
    expect(run()).toContain('region       eu-west-1');
    expect(run('work')).toContain('region       eu-south-2');
    rmSync(folder, { recursive: true });
  });
});

describe('an assembly', () => {
  let assembly = '';
  beforeAll(() => {
    assembly = synthesizedEnvironments().find(({ name }) => name === 'dev')?.assembly ?? '';
  });
  const ask = (...argv: string[]) => parseRequest([...argv, '--assembly', assembly], {});

  test.each(['diff', 'deploy'])('is what %s takes, for its own account and region; nothing is built', (command) => {
    const request = ask(command, 'dev');
    const words = cdkArguments(request);
    expect(words.slice(0, 3)).toEqual([command, '--app', assembly]);
    expect(words).not.toContain('--output');
    const text = announcement(request);
    for (const part of ['111122223333', 'eu-central-1', assembly, 'that of the assembly']) expect(text).toContain(part);
  });

  test('is refused for another environment, account or region, and for commands that take none', () => {
    expect(() => ask('deploy', 'staging')).toThrow(
      `${assembly} is no assembly of staging: build one with npm run synth -- staging`,
    );
    expect(() => ask('deploy', 'dev', '--account', '444455556666')).toThrow(
      'was built for the account 111122223333, not for 444455556666',
    );
    expect(() => ask('deploy', 'dev', '--region', 'eu-west-1')).toThrow('was built for the region eu-central-1');
    expect(() => ask('synth', 'dev')).toThrow('Usage:');
    expect(() => parseRequest(['deploy', 'dev', '--assembly', '/nowhere'], {})).toThrow('/nowhere is no assembly');
  });
});

test('cdk itself, without an environment, is told the commands of the project', () => {
  const { stderr, status } = spawnSync(process.execPath, ['infra/app.ts'], {
    env: { PATH: process.env['PATH'] },
    encoding: 'utf8',
  });
  expect(stderr).toContain('run npm run bootstrap, synth, diff, deploy or destroy -- <environment>');
  expect(status).toBe(1);
});

test('every feature flag that the CDK recommends is set in cdk.json, and nothing else is', () => {
  const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
  const { 'cli-telemetry': _telemetry, ...flags } = context;
  expect(flags).toEqual(CURRENTLY_RECOMMENDED_FLAGS);
});

test('the app has these flags however it is started', () => {
  for (const { assembly } of synthesizedEnvironments()) {
    const { artifacts } = JSON.parse(readFileSync(path.join(assembly, 'manifest.json'), 'utf8')) as {
      artifacts: Record<string, { type: string; properties: { flags: Record<string, { userValue?: unknown }> } }>;
    };
    const [report] = Object.values(artifacts).filter(({ type }) => type === 'cdk:feature-flag-report');
    const set = Object.entries(report?.properties.flags ?? {}).map(([name, { userValue }]) => [name, userValue]);
    expect(Object.fromEntries(set)).toMatchObject(CURRENTLY_RECOMMENDED_FLAGS);
  }
});
