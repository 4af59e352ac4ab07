import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadEnvironment } from '../../infra/environment-files.ts';
import { ENVIRONMENTS_FOLDER, knownEnvironments } from '../../infra/environment-list.ts';
import { EnvironmentError, optionalPaths, parseEnvironment } from '../../infra/environments/environment.ts';
import dev from '../../infra/environments/dev.ts';
import prod from '../../infra/environments/prod.ts';
import { environmentPolicy, warningsOf } from '../../infra/environment-policy.ts';
import { placeholders } from '../../infra/placeholders.ts';

import { FAULTY } from '../support/faulty-environments.ts';
import { synthesizedEnvironments } from '../support/synthesized.ts';

const [issuer] = prod.issuers;
const target = { account: '111122223333', region: 'eu-central-1' };

/** The paths of all values, those of a list's items without their numbers. */
function optionsIn(value: unknown, at: readonly string[] = []): readonly string[] {
  if (Array.isArray(value)) return [at.join('.'), ...value.flatMap((item) => optionsIn(item, at))];
  if (typeof value !== 'object' || value === null) return [at.join('.')];
  return [at.join('.'), ...Object.entries(value).flatMap(([key, inner]) => optionsIn(inner, [...at, key]))];
}

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
  const known = `Known: ${knownEnvironments().join(', ')}.`;
  expect(() => loadEnvironment('prd', target)).toThrow(`Unknown environment prd. ${known}`);
  expect(() => loadEnvironment(undefined, target)).toThrow(`No environment named. ${known}`);
});

const schedule = { name: 'nightly', expression: 'cron(0 20 * * ? *)', timeZone: 'UTC', select: { all: true } };

test.each(FAULTY)('%s is refused with path, reason and fix', (_what, change, where, expected) => {
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

test.each(['http://localhost:5173', 'http://127.0.0.1:8788', 'http://thoughtspot.localhost:8788'])(
  '%s is taken in development only, as origin, as ThoughtSpot and as issuer',
  (origin) => {
    const local = {
      allowedOrigins: [origin],
      thoughtSpot: { host: origin, dialect: 'auth-2.0' },
      issuers: [{ ...issuer, url: origin }],
    };
    expect(faultsOf(() => parseEnvironment('dev', { ...dev, ...local }, target))).toEqual([]);
    expect(faultsOf(() => parseEnvironment('prod', { ...prod, ...local }, target))).toHaveLength(3);
  },
);

test('http is not taken from elsewhere, whatever the name begins or ends with', () => {
  const origins = (origin: string) =>
    faultsOf(() => parseEnvironment('dev', { ...dev, allowedOrigins: [origin] }, target));
  for (const origin of ['http://app.example.com', 'http://localhost.example.com', 'http://notlocalhost:1'])
    expect(origins(origin)).toHaveLength(1);
});

test.each([
  ['ap-southeast-2', { fixedEgress: { cidr: '10.0.0.0/24', zones: ['ap-southeast-2a', 'ap-southeast-2c'] } }],
  ['us-gov-west-1', { alarms: { topicArn: 'arn:aws-us-gov:sns:us-gov-west-1:111122223333:on-call' } }],
  ['eusc-de-east-1', { alarms: { topicArn: 'arn:aws-eusc:sns:eusc-de-east-1:111122223333:on-call' } }],
  ['eu-central-1', { deprovisionedEvents: { source: 'aws.partner/auth0.com/acme', eventBusName: 'aws.partner/x' } }],
  [
    'eu-central-1',
    {
      revocationSchedules: ['Asia/Kolkata', 'UTC', 'US/Eastern', 'America/Port-au-Prince', 'Etc/GMT+5'].map(
        (timeZone, at) => ({ ...schedule, name: `s${at}`, timeZone, expression: `cron(${at} 20 * * ? *)` }),
      ),
    },
  ],
])('in %s %j is taken', (region, change) => {
  expect(faultsOf(() => parseEnvironment('prod', { ...prod, ...change }, { ...target, region }))).toEqual([]);
});

test('an account with a limit of 10 can deploy dev: it reserves no concurrency', () => {
  expect(parseEnvironment('dev', dev, target).concurrency).toBeUndefined();
  const some = { ...prod, concurrency: { sweep: { reserved: 1 } } };
  expect(parseEnvironment('prod', some, target).concurrency).toEqual({ sweep: { reserved: 1 } });
});

describe('a file of an environment', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'environments-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const source = readFileSync(path.join(ENVIRONMENTS_FOLDER, 'dev.ts'), 'utf8')
    .replace(/^import .*\n/, '')
    .replace(' satisfies EnvironmentInput', '');
  const lineIn = (text: string, part: string) => text.slice(0, text.indexOf(part)).split('\n').length;
  const load = (text: string, name = `broken-${Math.random().toString(36).slice(2, 8)}`) => {
    writeFileSync(path.join(folder, `${name}.ts`), text);
    return faultsOf(() => loadEnvironment(name, target, folder));
  };

  test.each([
    ['sweepRate: 5', 'sweepRate: 500', 'sweepRate: must be a whole number'],
    ['sweepRate: 5', 'sweeprate: 5', 'sweeprate: is not known; did you mean sweepRate?'],
    ["'http://localhost:5173'", "\n    'http://app.example.com'", 'allowedOrigins.0: must be https'],
    ["'cron(0 20", "'corn(0 20", 'revocationSchedules.0.expression: is not a valid schedule'],
    ["dialect: 'auth-2.0'", "dialect: 'auth-1.0'", 'thoughtSpot.dialect: choose auth-2.0'],
  ])('names file and line: %s as %s', (from, to, fault) => {
    const text = source.replace(from, to);
    const [said = 'nothing'] = load(text).filter((one) => one.includes(fault));
    expect(said).toMatch(new RegExp(`^infra/environments/broken-\\w+\\.ts:${lineIn(text, to.trim())} \\w`));
  });

  test('of which a value is missing is faulty where the object around it begins', () => {
    const text = source.replace("  purpose: 'development',\n", '');
    expect(load(text).join('\n')).toMatch(/\.ts:\d+ purpose: choose development/);
  });

  test('that is no TypeScript, or that stops, names the line of that', () => {
    expect(load('export default {\n  purpose: "development\n};\n').join()).toMatch(
      /broken-\w+\.ts:2 Unterminated string/,
    );
    expect(load('const a = 1;\nexport default { purpose: missing };\n').join()).toMatch(
      /broken-\w+\.ts:2 missing is not defined/,
    );
  });

  test('that was copied with its secret is told whose secret that is', () => {
    writeFileSync(path.join(folder, 'first.ts'), source);
    const [said] = load(source, 'second');
    expect(said).toMatch(
      /^infra\/environments\/second\.ts:\d+ secret\.create: thoughtspot-broker\/dev is the secret of [\w-]+; give second its own$/,
    );
    // In another region, too: its zones are no fault of this environment.
    const egress = "sweepRate: 5, fixedEgress: { cidr: '10.0.0.0/24', zones: ['ap-southeast-1a'] }";
    const elsewhere = source.replace('broker/dev', 'broker/far').replace('sweepRate: 5', egress);
    writeFileSync(path.join(folder, 'far.ts'), elsewhere);
    expect(load(source.replace('broker/dev', 'broker/far'), 'near').join()).toContain('is the secret of far');
    expect(
      load(source.replace("create: 'thoughtspot-broker/dev'", "import: 'thoughtspot-broker/dev'"), 'third'),
    ).toEqual([]);
  });
});

test('made-up values are found by their reserved names, and real ones are not', () => {
  expect(placeholders(parseEnvironment('prod', prod, target)).map((one) => one.split(':')[0])).toEqual([
    'thoughtSpot.host',
    'issuers.0.url',
    'allowedOrigins.0',
    'alarms.page.email',
    'alarms.ticket.email',
    'runbookUrl',
    'deprovisionedEvents.source',
  ]);
  const reserved = {
    thoughtSpot: { host: 'https://acme.test', dialect: 'auth-2.0' },
    issuers: [{ ...issuer, url: 'https://login.acme.com', jwksUri: 'https://login.example.org/keys' }],
  };
  const found = placeholders(parseEnvironment('prod', { ...prod, ...reserved }, target));
  expect(found.slice(0, 2)).toEqual([
    'thoughtSpot.host: https://acme.test',
    'issuers.0.jwksUri: https://login.example.org/keys',
  ]);
  const real = {
    thoughtSpot: { host: 'https://acme.thoughtspot.cloud', dialect: 'auth-2.0' },
    issuers: [{ ...issuer, url: 'https://example.acme.com/' }],
    allowedOrigins: ['https://app.acme.com'],
    alarms: { email: 'on-call@acme.com' },
    runbookUrl: 'https://wiki.acme.com/runbook',
    deprovisionedEvents: { source: 'com.acme.example' },
  };
  expect(placeholders(parseEnvironment('prod', { ...prod, ...real }, target))).toEqual([]);
});

test('a schedule that selects what no token can be is warned of', () => {
  const policy = environmentPolicy(loadEnvironment('prod', target));
  const warned = (select: object) =>
    warningsOf(parseEnvironment('prod', { ...prod, revocationSchedules: [{ ...schedule, select }] }, target), policy);
  expect(warned({ olderThanSeconds: 3_600 })).toEqual([]);
  expect(warned({ olderThanSeconds: 3_601 })).toEqual([
    [
      'idle-schedule',
      expect.stringContaining(
        '"nightly" selects tokens older than 3601 s, and the policy grants none for longer than 3600 s',
      ),
    ],
  ]);
  expect(warned({ orgId: 0 })).toEqual([]);
  expect(warned({ orgId: 4711 })).toEqual([
    [
      'idle-schedule',
      expect.stringMatching(/"nightly" selects org 4711, and the policy grants tokens in [\d, ]+ only/),
    ],
  ]);
  for (const name of knownEnvironments()) {
    const environment = loadEnvironment(name, target);
    expect(warningsOf(environment, environmentPolicy(environment))).toEqual([]);
  }
});

test('every option of an environment is synthesized by some test', () => {
  const used = new Set(synthesizedEnvironments().flatMap(({ environment }) => optionsIn(environment)));
  expect(optionalPaths().filter((option) => !used.has(option))).toEqual([]);
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

  test('if it has a warning that its rule does not accept, in production only, where every warning is printed', () => {
    const rules = source.rules.map((rule) => ({ ...rule, accept: [] }));
    const text = JSON.stringify({ ...source, rules });
    const faults = check('warned', text, cases);
    expect(faults).toContain('warning changing-identity, rule "customers": knows people by a claim that changes');
    expect(faults).toContain('write "accept": ["changing-identity"] in the rule');
    expect(faults).toContain('warning any-object, rule "customers"');
    const staging = { ...environment, purpose: 'staging' as const, policyFile: 'warned.json' };
    const warned = warningsOf(staging, environmentPolicy(staging, folder)).map(([id]) => id);
    expect(warned).toEqual(['policy-changing-identity', 'policy-any-object']);
  });

  test('if it is not there, is no JSON or does not compile', () => {
    expect(faultsOf(() => environmentPolicy({ ...environment, policyFile: 'gone.json' }, folder)).join()).toContain(
      'does not exist',
    );
    expect(check('hollow', JSON.stringify(source), '{ "cases": [] }')).toContain(
      'its cases cannot be run (The cases are malformed at: cases has no case; write at least one',
    );
    expect(check('blank', JSON.stringify(source), '\n')).toContain('The file is empty: write { "cases": [...] }');
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
