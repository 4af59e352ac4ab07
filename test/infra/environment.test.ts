import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ENVIRONMENTS_FOLDER, knownEnvironments, loadEnvironment } from '../../infra/environment-files.ts';
import { EnvironmentError, parseEnvironment } from '../../infra/environments/environment.ts';
import dev from '../../infra/environments/dev.ts';
import prod from '../../infra/environments/prod.ts';
import { environmentPolicy } from '../../infra/environment-policy.ts';
import { isCron, isRate, isTimeZone } from '../../infra/schedule-expression.ts';

const target = { account: '111122223333', region: 'eu-central-1' };

function faultsOf(attempt: () => unknown): readonly string[] {
  try {
    attempt();
    return [];
  } catch (error) {
    if (error instanceof EnvironmentError) return error.faults;
    throw error;
  }
}

test.each(knownEnvironments())('the environment %s and its policy are sound', (name) => {
  expect(() => environmentPolicy(loadEnvironment(name, target))).not.toThrow();
});

test('an unknown environment is answered with the known ones', () => {
  expect(() => loadEnvironment('prd', target)).toThrow('Unknown environment prd. Known: dev, prod, staging.');
  expect(() => loadEnvironment(undefined, target)).toThrow('No environment named. Known: dev, prod, staging.');
});

const schedule = { name: 'nightly', expression: 'cron(0 20 * * ? *)', timeZone: 'UTC', select: { all: true } };
const faulty: [string, object, { account?: string; region?: string }, string][] = [
  ['a missing account', {}, { region: 'eu-central-1' }, 'account: is missing; pass -- --account'],
  ['a missing region', {}, { account: '111122223333' }, 'region: is missing; pass -- --region'],
  ['an account that is none', {}, { ...target, account: '1234' }, 'account: an AWS account has 12 digits'],
  ['an origin of *', { allowedOrigins: ['*'] }, target, 'allowedOrigins.0: a wildcard would let any site request'],
  ['a partial wildcard', { allowedOrigins: ['https://*.example.com'] }, target, 'allowedOrigins.0: a wildcard'],
  [
    'an origin with a path',
    { allowedOrigins: ['https://a.example/app'] },
    target,
    'allowedOrigins.0: is not an origin',
  ],
  [
    'an http origin',
    { allowedOrigins: ['https://a.example', 'http://localhost:1'] },
    target,
    'allowedOrigins.1: must be https outside development',
  ],
  [
    'an issuer without https',
    { issuer: { ...prod.issuer, url: 'http://login.example' } },
    target,
    'issuer.url: must be https',
  ],
  ['no audience', { issuer: { ...prod.issuer, audiences: [] } }, target, 'issuer.audiences: name at least one'],
  [
    'no scope for operators',
    { issuer: { ...prod.issuer, scopes: { token: 'none', revoke: 'none' } } },
    target,
    'issuer.scopes.revoke: operators always need',
  ],
  [
    'a ThoughtSpot host without https',
    { thoughtSpot: { ...prod.thoughtSpot, host: 'http://ts.example' } },
    target,
    'thoughtSpot.host: must be an origin',
  ],
  [
    'a dialect whose replies have no scope, unless it is said that they do not',
    { thoughtSpot: { ...prod.thoughtSpot, dialect: 'session-v2' } },
    target,
    'thoughtSpot.repliesWithoutScope: must be true with session-v2',
  ],
  [
    'a schedule that is no cron',
    { revocationSchedules: [{ ...schedule, expression: 'cron(0 20 * * * *)' }] },
    target,
    'revocationSchedules.0.expression: is not a valid schedule',
  ],
  [
    'a time zone that is none',
    { revocationSchedules: [{ ...schedule, timeZone: 'Europe/Atlantis' }] },
    target,
    'revocationSchedules.0.timeZone: is not an IANA time zone',
  ],
  [
    'a selection of two kinds',
    { revocationSchedules: [{ ...schedule, select: { all: true, orgId: 1 } }] },
    target,
    'revocationSchedules.0.select: select exactly one',
  ],
  [
    'two schedules of one name',
    { revocationSchedules: [schedule, schedule] },
    target,
    'revocationSchedules: two schedules have the same name',
  ],
  [
    'a retention that CloudWatch has not',
    { logRetentionDays: 31 },
    target,
    'logRetentionDays: CloudWatch keeps logs for one of 1, 3, 5, 7',
  ],
  ['a sweep beyond the budget', { sweepRate: 101 }, target, 'sweepRate: ThoughtSpot accepts 100 calls'],
  [
    'more provisioned than reserved',
    { concurrency: { ...prod.concurrency, sweep: { reserved: 1, provisioned: 2 } } },
    target,
    'concurrency.sweep.provisioned: exceeds reserved',
  ],
  ['a function left without concurrency', { concurrency: { gettoken: { reserved: 1 } } }, target, 'concurrency.sweep'],
  [
    'a zone elsewhere',
    { fixedEgress: { cidr: '10.0.0.0/24', zones: ['us-east-1a'] } },
    target,
    'fixedEgress.zones.0: must be a zone of eu-central-1',
  ],
  ['alarms that reach nobody', { alarms: {} }, target, 'alarms: write { email: <address> }'],
  ['a name that nobody reads', { allowedOrigin: ['https://a.example'] }, target, 'Unrecognized key: "allowedOrigin"'],
];

test.each(faulty)('%s is refused with path, reason and fix', (_what, change, where, expected) => {
  const faults = faultsOf(() => parseEnvironment('prod', { ...prod, ...change }, where));
  expect(faults.join('\n')).toContain(expected);
});

test('every fault is told at once, those that depend on other values too', () => {
  const faults = faultsOf(() =>
    parseEnvironment(
      'prod',
      { ...prod, allowedOrigins: ['http://localhost:1'], logRetentionDays: 31, sweepRate: 0 },
      {},
    ),
  );
  expect(faults.map((fault) => fault.split(':')[0]).sort()).toEqual(
    ['account', 'allowedOrigins.0', 'logRetentionDays', 'region', 'sweepRate'].sort(),
  );
});

test('http is for localhost in development only', () => {
  const origins = (origin: string) =>
    faultsOf(() => parseEnvironment('dev', { ...dev, allowedOrigins: [origin] }, target));
  expect(origins('http://localhost:5173')).toEqual([]);
  expect(origins('http://app.example.com')).toHaveLength(1);
});

describe('a policy is refused at synth', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'policy-'));
  const environment = parseEnvironment('prod', prod, target);
  const source = JSON.parse(readFileSync(path.join(ENVIRONMENTS_FOLDER, prod.policyFile), 'utf8')) as {
    rules: { grants: Record<string, unknown>[] }[];
  };
  const cases = readFileSync(path.join(ENVIRONMENTS_FOLDER, prod.policyFile.replace('.json', '.cases.json')), 'utf8');
  const check = (name: string, policy: string, own?: string, throttle = prod.throttle) => {
    writeFileSync(path.join(folder, `${name}.json`), policy);
    if (own !== undefined) writeFileSync(path.join(folder, `${name}.cases.json`), own);
    return faultsOf(() => environmentPolicy({ ...environment, policyFile: `${name}.json`, throttle }, folder)).join(
      '\n',
    );
  };

  test('if it is not there, is no JSON or does not compile', () => {
    expect(faultsOf(() => environmentPolicy({ ...environment, policyFile: 'gone.json' }, folder)).join()).toContain(
      'does not exist',
    );
    expect(check('text', 'rules: all')).toContain('is not JSON');
    expect(check('empty', '{"rules":[{}]}')).toMatch(/policyFile empty\.json: .*rules/);
  });

  test('but not because it or its cases were saved on Windows', () => {
    const [policy, own] = [JSON.stringify(source, null, 2), cases].map(
      (text) => `\ufeff${text.replaceAll('\n', '\r\n')}`,
    );
    expect(check('windows', policy ?? '', own)).toBe('');
  });

  test('if it has no cases, or one of them fails', () => {
    expect(check('untested', JSON.stringify(source))).toContain('has no cases; write untested.cases.json');
    const wrong = {
      cases: [
        {
          name: 'nobody gets in',
          claims: {},
          expect: { rule: 'x', name: 'x', user: 'x', orgId: 0, rights: {}, validitySeconds: 1 },
        },
      ],
    };
    expect(check('wrong', JSON.stringify(source), JSON.stringify(wrong))).toContain(
      'case "nobody gets in" fails: expected a grant',
    );
  });

  test('if a rule has no case that it decides', () => {
    const all = JSON.parse(cases) as { cases: { expect: { rule?: string } }[] };
    const others = { ...all, cases: all.cases.filter(({ expect: { rule } }) => rule !== 'wallboards') };
    expect(others.cases.length).toBeLessThan(all.cases.length);
    expect(check('untried', JSON.stringify(source), JSON.stringify(others))).toBe(
      'policyFile untried.json: rule "wallboards" has no case; add one to untried.cases.json',
    );
  });

  test('if reuse is off and the throttle lets more through than ThoughtSpot takes', () => {
    const withoutReuse = {
      ...source,
      rules: source.rules.map((rule) => ({
        ...rule,
        grants: rule.grants.map((grant) => ({ ...grant, reuse: 'off' })),
      })),
    };
    const text = JSON.stringify(withoutReuse);
    expect(check('mints', text, cases, { ratePerSecond: 50, burst: 100 })).toContain(
      'lower the throttle to 40 or switch reuse on',
    );
    expect(check('mints', text, cases, { ratePerSecond: 40, burst: 100 })).not.toContain('lower the throttle');
  });
});

describe('schedule expressions', () => {
  test.each([
    'cron(0 20 ? * MON-FRI *)',
    'cron(0/15 * * * ? *)',
    'cron(30 6 L * ? 2030)',
    'cron(0 0 1,15 JAN-JUN ? *)',
    'cron(0 9 ? * 2#1 *)',
    'cron(0 9 15W * ? *)',
  ])('%s is a cron', (text) => {
    expect(isCron(text)).toBe(true);
  });
  test.each([
    'cron(0 20 * * * *)',
    'cron(0 20 ? * ? *)',
    'cron(60 0 * * ? *)',
    'cron(0 24 * * ? *)',
    'cron(0 0 32 * ? *)',
    'cron(0 0 * 13 ? *)',
    'cron(0 0 ? * 8 *)',
    'cron(0 0 * * ?)',
    'cron(5-1 0 * * ? *)',
    'cron(0/0 0 * * ? *)',
    '0 20 * * ?',
    'cron()',
  ])('%s is none', (text) => {
    expect(isCron(text)).toBe(false);
  });
  test('rates are whole numbers of minutes, hours or days', () => {
    expect(
      ['rate(1 minute)', 'rate(12 hours)', 'rate(0 days)', 'rate(1.5 hours)', 'rate(5 seconds)'].map(isRate),
    ).toEqual([true, true, false, false, false]);
  });
  test('time zones have names, so that they know summer time', () => {
    expect(['Europe/Berlin', 'UTC', '+01:00', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
