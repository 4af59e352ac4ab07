/** The rules of the template against events of CloudTrail, in the form in which the services record them. */
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import { matchesPattern } from '../support/event-pattern.ts';
import { text } from '../support/iam-evaluator.ts';
import { resources, synthesizedEnvironments } from '../support/synthesized.ts';

const ACCOUNT = 'arn:aws:lambda:eu-central-1:111122223333';
const environments = synthesizedEnvironments().filter(({ environment }) => 'create' in environment.secret);

/** CloudFormation's references as text. */
function filled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(filled);
  if (typeof value !== 'object' || value === null) return value;
  const [key = ''] = Object.keys(value);
  if (key === 'Ref' || key.startsWith('Fn::')) return text(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, filled(inner)]));
}

describe.each(environments)('the watch of $name', (synthesized) => {
  const rules = resources(synthesized, 'AWS::Events::Rule')
    .filter(([id]) => id.includes('secretwatchchanged'))
    .map(([, { EventPattern }]) => filled(EventPattern));
  const one = (type: string, prefix: string) =>
    resources(synthesized, type).find(([id]) => id.startsWith(prefix))?.[0] ?? '';
  const role = `\${${one('AWS::IAM::Role', 'revoketokenrole')}}`;
  const key = `\${${one('AWS::KMS::Key', 'ledgersealkey')}}`;
  const reader = `\${${one('AWS::IAM::Role', 'gettokenrole')}}`;
  const [, deployed] = resources(synthesized, 'AWS::Lambda::Function').find(([id]) => id.startsWith('sweep')) ?? [];
  const lambda = String(deployed?.['FunctionName']);
  const secret = 'create' in synthesized.environment.secret ? synthesized.environment.secret.create : '';
  const own = lambda.includes('sweep') ? `\${${one('AWS::Lambda::Function', 'sweepfunction')}}` : '';

  const seen = (service: string, eventName: string, requestParameters: object, more: object = {}) =>
    rules.filter((pattern) =>
      matchesPattern(pattern, {
        source: `aws.${service}`,
        'detail-type': 'AWS API Call via CloudTrail',
        detail: {
          eventName,
          sourceIPAddress: '203.0.113.7',
          userIdentity: { type: 'IAMUser', userName: 'mallory' },
          requestParameters,
          ...more,
        },
      }),
    ).length;
  const calls: [string, string, object][] = [
    ['secretsmanager', 'PutResourcePolicy', { secretId: secret }],
    ['secretsmanager', 'PutSecretValue', { secretId: secret }],
    ['secretsmanager', 'UpdateSecretVersionStage', { secretId: secret }],
    ['secretsmanager', 'DeleteSecret', { secretId: secret }],
    ['lambda', 'UpdateFunctionCode20150331v2', { functionName: own }],
    ['lambda', 'UpdateFunctionCode20150331v2', { functionName: `${ACCOUNT}:function:${own}` }],
    ['lambda', 'UpdateFunctionConfiguration20150331v2', { functionName: `111122223333:function:${own}` }],
    ['lambda', 'AddPermission20150331v2', { functionName: `${ACCOUNT}:function:${own}:live` }],
    ['lambda', 'AddPermission20150331v2', { functionName: `${own}:live` }],
    ['lambda', 'UpdateAlias20150331', { functionName: own, name: 'live' }],
    ['lambda', 'CreateFunctionUrlConfig', { functionName: own }],
    ['iam', 'UpdateAssumeRolePolicy', { roleName: role }],
    ['iam', 'PutRolePolicy', { roleName: role }],
    ['iam', 'AttachRolePolicy', { roleName: role }],
    ['kms', 'PutKeyPolicy', { keyId: key }],
    ['kms', 'CreateGrant', { keyId: key }],
    ['kms', 'ScheduleKeyDeletion', { keyId: key }],
  ];

  test.each(calls)('sees %s %s of %j by hand, and not in a deployment', (service, name, parameters) => {
    expect(seen(service, name, parameters)).toBe(1);
    expect(seen(service, name, parameters, { errorCode: 'AccessDenied' })).toBe(1);
    for (const sourceIPAddress of ['cloudformation.amazonaws.com', 'codedeploy.amazonaws.com'])
      expect(seen(service, name, parameters, { sourceIPAddress })).toBe(0);
  });

  test('sees nothing of others, no reads, and no rotation by a reader of the secret', () => {
    expect(seen('secretsmanager', 'PutSecretValue', { secretId: 'another' })).toBe(0);
    expect(seen('lambda', 'UpdateFunctionCode20150331v2', { functionName: `${own}-2` })).toBe(0);
    expect(seen('kms', 'PutKeyPolicy', { keyId: 'another' })).toBe(0);
    expect(seen('iam', 'PutRolePolicy', { roleName: 'another' })).toBe(0);
    expect(seen('lambda', 'GetFunction20150331v2', { functionName: own })).toBe(0);
    const userIdentity = { sessionContext: { sessionIssuer: { arn: reader } } };
    expect(seen('secretsmanager', 'PutSecretValue', { secretId: secret }, { userIdentity })).toBe(0);
    expect(seen('secretsmanager', 'PutResourcePolicy', { secretId: secret }, { userIdentity })).toBe(1);
  });

  test('names every function, every role and every key of the stack, and fits the 2,048 characters of a pattern', () => {
    const patterns = JSON.stringify(rules);
    for (const name of FUNCTION_NAMES) {
      expect(patterns).toContain(one('AWS::Lambda::Function', `${name}function`));
      expect(patterns).toContain(one('AWS::IAM::Role', `${name}role`));
    }
    for (const [id] of resources(synthesized, 'AWS::KMS::Key')) expect(patterns).toContain(id);
    // As long as they can be: names of 64 characters, ARNs of 80, and a secret's of 200 more.
    for (const rule of rules)
      expect(JSON.stringify(rule).replaceAll(/\$\{\w+\}/g, 'x'.repeat(64)).length).toBeLessThan(2_048);
  });
});
