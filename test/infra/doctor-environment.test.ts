import { startLocalBroker, type LocalBroker } from '../../local/local-broker.ts';
import type { Simulator } from '../../local/thoughtspot/simulator.ts';
import { startCloudFormation, type FakeCloudFormation } from '../support/cloudformation.ts';
import { leaksIn } from '../support/canaries.ts';
import { containing, named, report } from '../support/doctor.ts';
import { makeSigningKeys } from '../support/signing.ts';

let broker: LocalBroker;
let simulator: Simulator;
beforeAll(async () => {
  broker = await startLocalBroker({ sweepEveryMs: null });
  if (broker.simulator === undefined) throw new Error('the local broker has no simulator');
  simulator = broker.simulator;
});
afterAll(() => broker.close());
afterEach(() => simulator.reset());

describe('an environment', () => {
  const SECRET = 'thoughtspot-broker/dev';
  const KEYS = 'https://login.dev.example.com/.well-known/jwks.json';
  let stack: FakeCloudFormation;
  let outputs: Readonly<Record<string, string>> | undefined;
  let status = 'UPDATE_COMPLETE';
  let variables: Record<string, string>;
  const reads: string[] = [];

  /** The issuer of the environment dev, which exists only here: it calls itself so. */
  const issuerCalledSo = (issuer: string) =>
    '--import=data:text/javascript,' +
    encodeURIComponent(
      'const real = globalThis.fetch; globalThis.fetch = (url, ...rest) => String(url).startsWith("https://login.dev.example.com/.well-known/") ' +
        `? Promise.resolve(Response.json(${JSON.stringify({ issuer, jwks_uri: KEYS, keys: [makeSigningKeys('k').jwk] })})) : real(url, ...rest);`,
    );

  beforeAll(async () => {
    stack = await startCloudFormation(
      () => outputs,
      () => status,
    );
    variables = {
      AWS_ENDPOINT_URL_SECRETS_MANAGER: broker.aws.secrets.url,
      AWS_ENDPOINT_URL_CLOUDFORMATION: stack.url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'eu-central-1',
      NODE_OPTIONS: issuerCalledSo('https://login.dev.example.com/'),
    };
    // The broker's own functions read their own secret.
    broker.aws.secrets.faults.inject(({ operation, input }) =>
      input['SecretId'] === SECRET ? void reads.push(operation) : undefined,
    );
  });
  afterAll(() => {
    stack.close();
    broker.aws.secrets.faults.clear();
  });
  beforeEach(() => void reads.splice(0));
  const stored = (document: object) => broker.aws.secrets.put(SECRET, JSON.stringify(document));
  const good = () => ({ secretKey: simulator.secretKey() });

  test('that is not deployed, or whose secret is not there, is told so with the cure', async () => {
    outputs = undefined;
    const { code, checks } = await report(['--env', 'dev'], variables);
    expect(named(checks, 'stack', 'environment')).toMatchObject({
      status: 'failed',
      detail: 'there is no stack thoughtspot-broker-dev in eu-central-1',
      cure: 'Deploy it: npm run deploy -- dev.',
    });
    expect(named(checks, 'secret has a value', 'environment')).toMatchObject({ status: 'failed' });
    expect(code).toBe(1);
  });

  test.each(['ROLLBACK_COMPLETE', 'CREATE_IN_PROGRESS', 'REVIEW_IN_PROGRESS'])(
    'whose stack is %s was never deployed',
    async (state) => {
      [outputs, status] = [{}, state];
      const { code, checks } = await report(['--env', 'dev'], variables);
      status = 'UPDATE_COMPLETE';
      expect(named(checks, 'stack', 'environment')).toMatchObject({
        status: 'failed',
        detail: `thoughtspot-broker-dev was never deployed to its end (${state})`,
        cure: containing('docs/deploy.md, "The first deployment failed"'),
      });
      expect(code).toBe(1);
    },
  );

  test('in its first run has a secret without a value, which the doctor says without reading it', async () => {
    outputs = { ApiUrl: `${broker.url}/` };
    broker.aws.secrets.empty(SECRET);
    const { checks } = await report(['--env', 'dev', '--origin', broker.url], variables);
    expect(named(checks, 'secret has a value', 'environment')).toMatchObject({
      status: 'failed',
      detail: containing('first run: thoughtspot-broker/dev has no value yet'),
      cure: containing('Store the credential'),
    });
    expect(reads).toEqual(['DescribeSecret']);
  });

  test('is examined by the command that deploy prints: no credential, no read of the secret, the address from CloudFormation', async () => {
    outputs = { ApiUrl: `${broker.url}/` };
    stored(good());
    const outcome = await report(['--env', 'dev', '--region', 'eu-central-1', '--origin', broker.url], variables);
    expect(outcome).toMatchObject({ code: 0, healthy: true, broker: broker.url });
    expect(named(outcome.checks, 'credential')).toMatchObject({ status: 'skipped', detail: containing('--user') });
    expect(named(outcome.checks, 'gettoken', 'broker')?.status).toBe('passed');
    expect(reads).toEqual(['DescribeSecret']);
  });

  test('whose issuer calls itself something else is told the difference, down to a slash', async () => {
    outputs = { ApiUrl: broker.url };
    const slashless = { ...variables, NODE_OPTIONS: issuerCalledSo('https://login.dev.example.com') };
    const { code, checks } = await report(['--env', 'dev'], slashless);
    expect(named(checks, 'issuer', 'environment')).toMatchObject({
      status: 'failed',
      detail:
        'the issuer calls itself https://login.dev.example.com, the environment calls it https://login.dev.example.com/',
      cure: containing('to the letter'),
    });
    expect(code).toBe(1);
  });

  test('lets a reader of its secret use it, checked as the functions check it', async () => {
    outputs = { ApiUrl: broker.url };
    const args = ['--env', 'dev', '--read-secret', '--host', simulator.url, '--user', 'alice', '--org', '1'];
    args.push('--origin', broker.url);
    broker.aws.secrets.empty(SECRET);
    const missing = await report(args, variables);
    expect(named(missing.checks, 'credential')).toMatchObject({ status: 'failed', cure: containing('Store a value') });
    stored({ secretKey: simulator.secretKey(), orgs: { acme: {} } });
    const malformed = await report(args, variables);
    expect(named(malformed.checks, 'credential')?.detail).toContain('$.orgs.acme');
    expect(leaksIn(malformed.text, { key: simulator.secretKey() })).toEqual([]);
    stored(good());
    // Of somebody else: alice has had as many new tokens as she may within a minute.
    const ofBob = { ...variables, BROKER_JWT: await broker.issuer.accessToken('bob') };
    expect(await report(args, ofBob)).toMatchObject({ code: 0, healthy: true });
  });

  test('of which AWS says nothing is examined as far as it goes', async () => {
    const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, ...anonymous } = variables;
    const nowhere = {
      ...anonymous,
      AWS_CONFIG_FILE: '/nowhere',
      AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
      BROKER_JWT: await broker.issuer.accessToken('bob'),
    };
    const { checks, code } = await report(['--env', 'dev', '--broker', broker.url, '--origin', broker.url], nowhere);
    expect(named(checks, 'stack', 'environment')).toMatchObject({
      status: 'skipped',
      detail: containing('sign in to AWS'),
    });
    expect(named(checks, 'gettoken', 'broker')?.status).toBe('passed');
    expect(code).toBe(0);
  });
});
