import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { knownEnvironments } from '../../infra/environment-list.ts';

/** "To add an environment, copy a file": a copy of the project with one more environment, and nothing else edited. */
const root = path.join(import.meta.dirname, '..', '..');
const copy = mkdtempSync(path.join(os.tmpdir(), 'project-'));
const environments = path.join(copy, 'infra', 'environments');
const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
const npm = (script: string, args: readonly string[] = [], more: Record<string, string> = {}) =>
  execFileSync('npm', ['run', '--silent', script, '--', ...args], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

beforeAll(() => {
  const left = ['node_modules', '.git', '.cache', 'cdk.out', 'assemblies', 'bench'];
  for (const name of readdirSync(root).filter((one) => !left.includes(one)))
    cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  const dev = readFileSync(path.join(environments, 'dev.ts'), 'utf8');
  writeFileSync(path.join(environments, 'qa.ts'), dev.replace('thoughtspot-broker/dev', 'thoughtspot-broker/qa'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test('the workflows get it in their lists', () => {
  const names = [...new Set([...knownEnvironments(), 'qa'])].sort();
  expect(npm('environments')).toBe(`names=${JSON.stringify(names)}\n`);
});

test('it is assembled where it has a target, one that has none is left out, and the rest is told by purpose', () => {
  const target = { account: '111122223333', region: 'eu-central-1' };
  const outputs = npm('assemble', ['assemblies'], { AWS_TARGETS: JSON.stringify({ qa: target }) });
  expect(outputs).toBe('development=["qa"]\nstaging=[]\nproduction=[]\n');
  expect(readdirSync(path.join(copy, 'assemblies'))).toEqual(['qa.tar']);
  const listed = execFileSync('tar', ['-tf', path.join(copy, 'assemblies', 'qa.tar')], { encoding: 'utf8' });
  expect(listed).toContain('./thoughtspot-broker-qa.template.json\n');
  expect(listed.match(/asset\.[0-9a-f]{64}\.zip/g)?.length).toBeGreaterThan(5);
});

test('its schedules are listed wherever it is: its network and its ARNs may be in any region', () => {
  const dev = readFileSync(path.join(environments, 'qa.ts'), 'utf8').replaceAll('broker/qa', 'broker/far');
  const topicArn = 'arn:aws:sns:ap-southeast-2:111122223333:on-call';
  const far = `fixedEgress: { cidr: '10.20.0.0/24', zones: ['ap-southeast-2a'] },\n  alarms: { topicArn: '${topicArn}' }`;
  const file = path.join(environments, 'far.ts');
  writeFileSync(file, dev.replace(/alarms: .*\}/, far));
  try {
    expect(npm('schedules', ['next', '--env', 'far', '--count', '1'])).toMatch(/^end-of-day: .*\n {2}\d.* UTC/);
  } finally {
    rmSync(file);
  }
});

test('its deployment without AWS credentials ends before anything is tried, and speaks of no failed deployment', () => {
  const file = path.join(environments, 'qa.ts');
  const source = readFileSync(file, 'utf8');
  const real = source
    .replace('dev.thoughtspot.example', 'acme.thoughtspot.cloud')
    .replace('login.dev.example.com', 'login.acme.dev')
    .replace("'https://app.dev.example.com'", "'https://app.acme.dev'")
    .replace('broker-dev@example.com', 'on-call@acme.dev')
    .replace('git.example.com', 'git.acme.dev');
  writeFileSync(file, real);
  const nobody = {
    PATH: process.env['PATH'],
    HOME: copy,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_REGION: 'eu-central-1',
  };
  const args = ['run', '--silent', 'deploy', '--', 'qa', '--yes'];
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: copy, encoding: 'utf8', env: nobody });
  writeFileSync(file, source);
  expect(stdout).toContain('deploy qa (development)');
  expect(stdout + stderr).not.toContain('deployment failed');
  expect(stderr).toMatch(/^There are no AWS credentials here, so nothing was tried/);
  expect(status).toBe(1);
});

test.each(['', '[]', '{"qa":{"account":"1"}}'])(
  'targets that are none (%j) end the build, with what they must be',
  (targets) => {
    const { status, stderr } = spawnSync('npm', ['run', '--silent', 'assemble'], {
      cwd: copy,
      encoding: 'utf8',
      env: { ...env, AWS_TARGETS: targets },
    });
    expect(stderr).toContain('AWS_TARGETS must say where each environment is deployed: {"<environment>":');
    expect(status).toBe(1);
  },
);

test('the tests of workflows, commands and policies hold with it as they are', () => {
  const files = ['documents', 'commands', 'environment', 'policy/cli'].map((name) => `test/infra/${name}.test.ts`);
  const which = 'workflow|what is deployed|unknown environment|policies of every environment';
  const args = ['jest', ...files, '-t', which, '--maxWorkers=1'];
  const { stderr, status } = spawnSync('npx', args, { cwd: copy, encoding: 'utf8', env });
  expect(stderr).toMatch(/Tests: .*\d+ passed/);
  expect(status).toBe(0);
});
