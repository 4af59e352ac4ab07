/** The worked example of docs/tenants.md: 300 customers, as the command lists them and as a stack takes them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { environmentPolicy } from '../../../infra/environment-policy.ts';
import { parseEnvironment } from '../../../infra/environments/environment.ts';
import prod from '../../../infra/environments/prod.ts';
import { checkPolicy } from '../../../infra/policy/check.ts';
import { decideFor } from '../../../infra/policy/explain.ts';
import { policyCli } from '../../../infra/policy/cli.ts';
import { type Tenant, tenantsOf } from '../../../infra/policy/tenants.ts';
import { policyWith } from '../../support/policy-documents.ts';

const root = path.join(import.meta.dirname, '../../..');
const file = path.join(root, 'infra/environments/policy.example-tenants.json');

function run(...argv: string[]): { code: number; text: string } {
  let text = '';
  const code = policyCli(argv, (line) => (text += line));
  return { code, text };
}

test('policy -- tenants lists 300 tenants by org, each with its rule and the limit of its org', () => {
  const { code, text } = run('tenants', file, '--json');
  const tenants = JSON.parse(text) as Tenant[];
  expect([code, tenants.length, new Set(tenants.map(({ orgId }) => orgId)).size]).toEqual([0, 300, 300]);
  expect(tenants[16]).toEqual({ tenant: 'customer-017', orgId: 2017, rule: 'customers', mintsPerMinute: 120 });
});

test('docs/tenants.md shows the first lines as the command prints them', () => {
  const { text } = run('tenants', file);
  const lines = text.split('\n').slice(0, 3);
  const page = readFileSync(path.join(root, 'docs/tenants.md'), 'utf8');
  for (const line of lines) expect(page).toContain(`    ${line.trimEnd()}`);
  expect(text).toContain('300 orgs');
});

test('the rule of docs/tenants.md makes a customer an administrator of the own org, and nobody else', () => {
  const page = readFileSync(path.join(root, 'docs/tenants.md'), 'utf8');
  const shown = JSON.parse(/```json\n(.*?)```/s.exec(page)?.[1] ?? '') as object;
  const document = JSON.parse(readFileSync(file, 'utf8')) as { rules: object[] };
  const [common] = document.rules;
  const { policy } = checkPolicy({ ...document, rules: [{ ...common, ...shown }, ...document.rules] });
  const ruleFor = (roles: readonly string[]) => {
    const claims = { 'https://app.example.com/tenant': 'customer-017', 'https://app.example.com/login': 'ann', roles };
    const decision = decideFor(policy, { claims, request: {} });
    return decision.allowed ? [decision.grant.rule, decision.grant.user, decision.grant.orgId] : decision.code;
  };
  expect(ruleFor(['broker-admin'])).toEqual(['customer-admins', 'customer-017.ann', 2017]);
  expect(ruleFor(['viewer'])).toEqual(['customers', 'customer-017.ann', 2017]);
  expect(policy.rules.map(({ administers }) => administers)).toEqual([true, undefined]);
});

test('a rule with one org for all is one line, and every policy of the project can be listed', () => {
  const { code, text } = run('tenants', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(text)).toContainEqual({ tenant: '*', orgId: 0, rule: 'wallboards', mintsPerMinute: 600 });
});

test('an environment can have it, with its cases, within the size that a policy may have', () => {
  const values = { ...prod, policyFile: path.basename(file), revocationSchedules: [] };
  const environment = parseEnvironment('many', values, { account: '111122223333', region: 'eu-central-1' });
  const { policy } = environmentPolicy(environment);
  expect(policy.rules.map(({ name }) => name)).toEqual(['customers']);
});

describe('limits of orgs that differ', () => {
  const document = (orgs: object) => policyWith({}, { limits: { org: { mintsPerMinute: 120 }, orgs } });

  test('hold instead of the common one, and are listed', () => {
    const { policy } = checkPolicy(document({ 2: { mintsPerMinute: 600 } }));
    expect(tenantsOf(policy).map(({ orgId, mintsPerMinute }) => [orgId, mintsPerMinute])).toEqual([
      [1, 120],
      [2, 600],
    ]);
  });

  test.each<[string, object, RegExp]>([
    [
      'of an org in which no rule gives tokens',
      { 3: { mintsPerMinute: 5 } },
      /limits\.orgs\.3: is an org in which no rule gives tokens/,
    ],
    ['of what is no number of an org', { acme: { mintsPerMinute: 5 } }, /limits\.orgs/],
    ['beyond what ThoughtSpot takes', { 2: { mintsPerMinute: 6_001 } }, /limits\.orgs.*mintsPerMinute/],
    ['that say nothing known', { 2: { liveLeases: 5 } }, /limits\.orgs/],
  ])('are refused %s', (_name, orgs, expected) => {
    expect(() => checkPolicy(document(orgs))).toThrow(expected);
  });
});
