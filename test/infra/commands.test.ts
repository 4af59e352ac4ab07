import { announcement, cdkArguments, nextSteps, parseRequest, refusal } from '../../infra/commands.ts';

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
  ['an unknown environment lists the known ones', ['synth', 'qa'], 'Known: dev, prod, staging'],
  ['an unknown command shows the usage', ['explode', 'dev'], 'Usage: npm run synth|diff|deploy|destroy'],
  ['synth without an account says how to name one', ['synth', 'dev'], 'account: is missing'],
])('%s', (_name, argv, expected) => {
  expect(() => parseRequest(argv, region)).toThrow(expected);
});

test('destroy refuses production unless told so by flag', () => {
  expect(refusal(parseRequest(['destroy', 'prod'], region))).toContain('add --production');
  expect(refusal(parseRequest(['destroy', 'prod', '--production'], region))).toBeUndefined();
  expect(refusal(parseRequest(['destroy', 'dev'], region))).toBeUndefined();
  expect(refusal(parseRequest(['deploy', 'prod'], region))).toBeUndefined();
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
    'npm run doctor -- --env dev',
  ])
    expect(text).toContain(part);
});
