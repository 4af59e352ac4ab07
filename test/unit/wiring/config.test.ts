import { Failure } from '../../../functions/broker/failure.ts';
import {
  ENVIRONMENT,
  ENVIRONMENT_VARIABLES,
  type EnvironmentVariable,
} from '../../../functions/contract/environment.ts';
import { FUNCTION_NAMES, type FunctionName } from '../../../functions/contract/functions.ts';
import { readConfig, readTelemetryConfig } from '../../../functions/wiring/config.ts';

const ISSUER = {
  url: 'https://login.example.com/',
  audiences: ['broker'],
  scopes: { token: 'broker:token', revoke: 'broker:revoke' },
  algorithms: ['RS256'],
};
const issuers = (change: object) => JSON.stringify([{ ...ISSUER, ...change }]);

const GOOD: Record<EnvironmentVariable, string> = {
  BROKER_ENVIRONMENT: 'prod',
  BROKER_LOG_LEVEL: 'INFO',
  THOUGHTSPOT_HOST: 'https://acme.thoughtspot.cloud',
  THOUGHTSPOT_DIALECT: 'auth-2.0',
  THOUGHTSPOT_REPLIES_WITHOUT_SCOPE: 'false',
  THOUGHTSPOT_SECRET_ID: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:broker/prod-AbCdEf',
  LEDGER_TABLE: 'broker-prod-ledger',
  LEDGER_KEY_ID: 'arn:aws:kms:eu-central-1:123456789012:key/4f1c0d5e-0000-4000-8000-000000000001',
  LEDGER_DUE_SHARDS: '16',
  POLICY_FILE: 'policy.json',
  POLICY_VERSION: 'a'.repeat(43),
  ISSUERS: JSON.stringify([ISSUER]),
  SWEEP_RATE: '50',
  BROKER_URL: 'https://tokens.example.com',
  PROBER_SECRET_ID: 'broker/prod/prober',
};

function reasonOf(environment: NodeJS.ProcessEnv, of: FunctionName = 'revoketoken'): string {
  try {
    readConfig(of, environment);
  } catch (error) {
    if (error instanceof Failure && error.code === 'misconfigured') return error.reason ?? '';
    throw error;
  }
  return '';
}

describe('the environment', () => {
  test.each(FUNCTION_NAMES)('of %s is exactly what the contract gives it', (name) => {
    const read = new Set<string>();
    const environment = new Proxy<NodeJS.ProcessEnv>(
      { ...GOOD },
      {
        get: (all, variable) => {
          read.add(String(variable));
          return all[String(variable)];
        },
      },
    );
    const config = readConfig(name, environment);
    expect([...read].sort()).toEqual([...ENVIRONMENT[name]].sort());
    expect(Object.keys(config).sort()).toEqual([...ENVIRONMENT[name]].sort());
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('is parsed: numbers, an origin, an absolute path', () => {
    const config = readConfig('revoketoken', { ...GOOD, THOUGHTSPOT_HOST: 'https://acme.thoughtspot.cloud/' });
    expect(config).toMatchObject({
      LEDGER_DUE_SHARDS: 16,
      SWEEP_RATE: 50,
      THOUGHTSPOT_HOST: 'https://acme.thoughtspot.cloud',
      POLICY_FILE: expect.stringMatching(/^\/.*policy\.json$/) as string,
    });
  });

  test.each([['http://127.0.0.1:8788'], ['http://localhost:8788'], ['http://[::1]:8788']])(
    'allows %s, which is this machine, without TLS',
    (host) => {
      expect(readConfig('sweep', { ...GOOD, THOUGHTSPOT_HOST: host }).THOUGHTSPOT_HOST).toBe(host);
    },
  );

  test('names every faulty variable at once', () => {
    const reason = reasonOf({});
    for (const variable of ENVIRONMENT.revoketoken) expect(reason).toContain(`${variable} is not set`);
  });

  test.each<[EnvironmentVariable, string]>([
    ['BROKER_ENVIRONMENT', 'Prod!'],
    ['BROKER_LOG_LEVEL', 'verbose'],
    ['THOUGHTSPOT_HOST', 'acme.thoughtspot.cloud'],
    ['THOUGHTSPOT_HOST', 'http://acme.thoughtspot.cloud'],
    ['THOUGHTSPOT_HOST', 'http://127.0.0.1.evil.example'],
    ['THOUGHTSPOT_HOST', 'https://acme.thoughtspot.cloud/api'],
    ['THOUGHTSPOT_HOST', 'https://user:canary-pass@acme.thoughtspot.cloud'],
    ['THOUGHTSPOT_HOST', 'https://acme.thoughtspot.cloud?canary=1'],
    ['THOUGHTSPOT_DIALECT', 'auth-1.0'],
    ['THOUGHTSPOT_SECRET_ID', '{"secretKey":"canary"}'],
    ['LEDGER_TABLE', 'a b'],
    ['LEDGER_KEY_ID', 'alias/x y'],
    ['LEDGER_DUE_SHARDS', '0'],
    ['LEDGER_DUE_SHARDS', '1e2'],
    ['LEDGER_DUE_SHARDS', '257'],
    ['LEDGER_DUE_SHARDS', '-1'],
    ['ISSUERS', 'https://canary.example'],
    ['ISSUERS', '[]'],
    ['ISSUERS', JSON.stringify(ISSUER)],
    ['ISSUERS', issuers({ url: 'http://canary.example' })],
    ['ISSUERS', issuers({ url: undefined })],
    ['ISSUERS', issuers({ audiences: [] })],
    ['ISSUERS', issuers({ audiences: [''] })],
    ['ISSUERS', issuers({ scopes: { revoke: 'broker:revoke' } })],
    ['ISSUERS', issuers({ scopes: { token: 'none', revoke: 'none' } })],
    ['ISSUERS', issuers({ scopes: { token: 'broker:token other', revoke: 'broker:revoke' } })],
    ['ISSUERS', issuers({ algorithms: [] })],
    ['ISSUERS', issuers({ algorithms: ['HS256'] })],
    ['ISSUERS', issuers({ algorithms: ['none'] })],
    ['ISSUERS', issuers({ jwksUri: 'http://canary.example/keys' })],
    ['ISSUERS', issuers({ name: 'first' })],
    ['ISSUERS', JSON.stringify([ISSUER, { ...ISSUER, url: 'https://canary.example' }])],
    ['ISSUERS', JSON.stringify([ISSUER, { ...ISSUER, name: 'partner' }])],
    ['ISSUERS', JSON.stringify([ISSUER, { ...ISSUER, name: 'partner', url: 'https://login.example.com' }])],
    ['ISSUERS', JSON.stringify([ISSUER, { ...ISSUER, name: 'p/q', url: 'https://canary.example' }])],
    ['ISSUERS', issuers({ refuseNonce: 'yes' })],
    ['ISSUERS', issuers({ jwksUrl: 'https://canary.example/keys' })],
    ['SWEEP_RATE', '101'],
    ['SWEEP_RATE', ''],
  ])('refuses %s=%s, and does not repeat what may be a secret', (variable, value) => {
    const reason = reasonOf(
      { ...GOOD, [variable]: value },
      variable === 'THOUGHTSPOT_SECRET_ID' ? 'gettoken' : 'revoketoken',
    );
    expect(reason).toMatch(new RegExp(`^environment variables: ${variable} (must be|is not set)`));
    if (value !== '' && value.length > 4) expect(reason).not.toContain(value);
    expect(reason).not.toContain('canary');
  });

  test('is described for every variable', () => {
    expect(Object.keys(GOOD).sort()).toEqual(Object.keys(ENVIRONMENT_VARIABLES).sort());
  });

  test('gives telemetry something to go by, even if the rest cannot be read', () => {
    expect(readTelemetryConfig({ ...GOOD, BROKER_LOG_LEVEL: 'WARN' })).toEqual({ environment: 'prod', level: 'WARN' });
    expect(readTelemetryConfig({ BROKER_LOG_LEVEL: 'loud', BROKER_ENVIRONMENT: '!' })).toEqual({
      environment: 'unknown',
      level: 'INFO',
    });
  });
});
