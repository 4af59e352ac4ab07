/** Who may do what, as `npm run roles` prints it and docs/security.md shows it. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { permissionsIn, roleTable } from '../../infra/roles.ts';
import { synthesizedEnvironments } from '../support/synthesized.ts';
import type { Synthesized } from '../support/synthesized.ts';

const environments = synthesizedEnvironments();
const prod = environments.find(({ name }) => name === 'prod');
const run = promisify(execFile);
const roles = (...words: string[]) => run(process.execPath, ['infra/roles.ts', ...words]);

/** Every action of every policy, wherever in the template it is. */
function actionsIn(value: unknown, key = ''): string[] {
  // Who may take a role is no permission of the role.
  if (key === 'AssumeRolePolicyDocument' || typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === 'Action' ? [inner as string | string[]].flat() : actionsIn(inner, name),
  );
}

test('docs/security.md shows the roles of prod, as the command prints them', async () => {
  const page = readFileSync('docs/security.md', 'utf8');
  const { stdout } = await roles('prod', '--assembly', prod?.assembly ?? '');
  expect(/<!-- prettier-ignore-start -->\n\n([^]*)\n\n<!-- prettier-ignore-end -->/.exec(page)?.[1]).toBe(
    stdout.trimEnd(),
  );
});

test('without an environment, or with one that nothing was built for, it says what to do', async () => {
  await expect(roles()).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Name an environment: npm run roles -- dev.') as string,
  });
  await expect(roles('staging', '--assembly', prod?.assembly ?? '')).rejects.toMatchObject({
    stderr: expect.stringContaining('build one with npm run synth -- staging') as string,
  });
});

describe.each(environments)('the table of $name', ({ template }: Synthesized) => {
  const permissions = permissionsIn(template);

  test('leaves no action out, wherever the template has it', () => {
    const shown = new Set(permissions.flatMap(({ actions }) => actions.map((one) => one.replace(/^never /, ''))));
    const actions = actionsIn(template);
    expect(actions.length).toBeGreaterThan(50);
    expect(actions.filter((one) => !shown.has(one))).toEqual([]);
  });

  test('says that gettoken alone reads the credential, and under which conditions keys are used', () => {
    const readers = permissions.filter(
      ({ actions, resource }) =>
        actions.some((one) => one === 'secretsmanager:GetSecretValue') && !/prober/.test(resource),
    );
    expect(readers.map(({ role }) => role)).toEqual(['gettokenrole']);
    const seals = permissions.filter(
      ({ resource, actions }) => resource === 'ledgersealkey' && actions.includes('kms:Decrypt'),
    );
    expect(seals.length).toBeGreaterThan(4);
    for (const { condition } of seals) expect(condition).toMatch(/context:environment StringEquals \S+; .*purpose/i);
  });
});

describe('a policy', () => {
  const one = (Type: string, Properties: Record<string, unknown>) =>
    permissionsIn({ Resources: { x0123ABCD: { Type, Properties } } });
  const document = (more: object) => ({ Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*', ...more }] });

  test('that is written into its role, and one of AWS, are shown', () => {
    const Policies = [{ PolicyName: 'own', PolicyDocument: document({}) }];
    const found = one('AWS::IAM::Role', {
      Policies,
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess'],
    });
    expect(roleTable(found).split('\n').slice(2)).toEqual([
      '| `x` | `all of arn:aws:iam::aws:policy/AdministratorAccess` |  |  |',
      '| `x` | `s3:*` | `*` |  |',
    ]);
  });

  test.each([
    ['AWS::IAM::Policy', { PolicyDocument: document({ NotAction: 's3:Get*' }), Roles: ['x'] }],
    ['AWS::IAM::Policy', { PolicyDocument: document({ NotResource: '*' }), Roles: ['x'] }],
    ['AWS::KMS::Key', { KeyPolicy: document({ NotPrincipal: '*' }) }],
    ['AWS::IAM::Policy', { PolicyDocument: document({}), Users: ['ops'], Roles: [] }],
    ['AWS::IAM::ManagedPolicy', { PolicyDocument: document({}), Roles: ['x'] }],
    ['AWS::IAM::User', {}],
    ['AWS::S3::BucketPolicy', { PolicyDocument: document({}) }],
    ['AWS::IAM::Policy', { PolicyDocument: document({ Resource: { 'Fn::ImportValue': 'x' } }), Roles: ['x'] }],
  ])('%s that it cannot show is refused, and not left out: %j', (type, properties) => {
    expect(() => one(type, properties)).toThrow(/./);
  });
});
