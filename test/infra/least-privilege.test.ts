import { readFileSync } from 'node:fs';
import { FUNCTION_NAMES, FUNCTIONS } from '../../functions/contract/functions.ts';
import type { FunctionContract, FunctionName } from '../../functions/contract/functions.ts';
import { LEDGER_TABLE } from '../../functions/contract/table.ts';
import { asArray, isAllowed, text } from '../support/iam-evaluator.ts';
import { resources, synthesizedEnvironments } from '../support/synthesized.ts';
import type { Synthesized } from '../support/synthesized.ts';

const environments = synthesizedEnvironments();
const REGION = 'eu-central-1';
const SECRET_READERS = FUNCTION_NAMES.filter((name) => FUNCTIONS[name].may.secret);

/** Finds the one resource of a type whose logical id begins so. */
function id(synthesized: Synthesized, type: string, prefix: string): string {
  const found = resources(synthesized, type).filter(([name]) => name.startsWith(prefix));
  expect(found).toHaveLength(1);
  return found[0]?.[0] ?? '';
}

/** Names of the parts of one environment, as the questions below use them. */
function parts(synthesized: Synthesized) {
  const imported = 'import' in synthesized.environment.secret;
  const { ledger } = synthesized.environment;
  return {
    role: (name: FunctionName) => id(synthesized, 'AWS::IAM::Role', `${name}role`),
    table:
      ledger === undefined
        ? `\${${id(synthesized, 'AWS::DynamoDB::Table', 'ledgertable')}}`
        : `arn:aws:dynamodb:${REGION}:111122223333:table/${ledger.import}`,
    tableKey: `\${${id(synthesized, 'AWS::KMS::Key', 'ledgertablekey')}}`,
    sealKey: `\${${id(synthesized, 'AWS::KMS::Key', 'ledgersealkey')}}`,
    secret: imported
      ? 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shared/thoughtspot-AbCdEf'
      : `\${${id(synthesized, 'AWS::SecretsManager::Secret', 'secret')}}`,
    // Created where the environment says so; otherwise found by its name.
    proberSecret:
      synthesized.environment.prober && 'create' in synthesized.environment.prober.secret
        ? `\${${id(synthesized, 'AWS::SecretsManager::Secret', 'probersecret')}}`
        : `arn:aws:secretsmanager:eu-central-1:111122223333:secret:thoughtspot-broker/${synthesized.name}/prober-AbCdEf`,
    live: (name: FunctionName) => `\${${id(synthesized, 'AWS::Lambda::Alias', `${name}live`)}}`,
    secretKey: imported ? undefined : `\${${id(synthesized, 'AWS::KMS::Key', 'secretkey')}}`,
    sealContext: {
      'kms:EncryptionContext:purpose': 'ledger-data-key',
      'kms:EncryptionContext:environment': synthesized.name,
    },
    digestContext: {
      'kms:EncryptionContext:purpose': 'ledger-digest-key',
      'kms:EncryptionContext:environment': synthesized.name,
    },
    viaDynamo: { 'kms:ViaService': `dynamodb.${REGION}.amazonaws.com` },
    viaSecrets: { 'kms:ViaService': `secretsmanager.${REGION}.amazonaws.com` },
  };
}

test('only gettoken may read the credential: nothing else presents it, in either dialect', () => {
  expect(SECRET_READERS).toEqual(['gettoken']);
});

/** What docs/threat-model.md says of a function that is compromised: its row of the blast radius. */
function blastRadius(name: FunctionName): string {
  const page = readFileSync('docs/threat-model.md', 'utf8');
  const rows =
    page
      .split('## Blast radius')[1]
      ?.split('\n')
      .filter((line) => /^\| [^|]*compromised/.test(line)) ?? [];
  const own = rows.filter((row) => new RegExp(`^\\| [^|]*\\b${name}\\b[^|]*compromised`).test(row));
  expect(own).toHaveLength(1);
  return own[0]?.split('|')[2] ?? '';
}

describe.each(environments)('least privilege in $name', (synthesized) => {
  const part = parts(synthesized);
  const may = (name: FunctionName, action: string, resource: string, context: Record<string, string> = {}) =>
    isAllowed(synthesized, { principal: part.role(name), action, resource, context });

  test.each(FUNCTION_NAMES)('%s may do exactly what the contract says', (name) => {
    const { ledger, indexes, seal, secret }: FunctionContract['may'] = FUNCTIONS[name].may;
    const writes = ledger === 'write';
    const reads = ledger !== 'none';
    const table: [string, boolean, string, Record<string, string>?][] = [
      ['dynamodb:GetItem', reads, part.table],
      ['dynamodb:BatchGetItem', reads, part.table],
      ['dynamodb:Query', reads, part.table],
      ...Object.entries(LEDGER_TABLE.indexes).map(([key, index]): [string, boolean, string] => [
        'dynamodb:Query',
        indexes.some((allowed) => allowed === key),
        `${part.table}/index/${index.name}`,
      ]),
      ['dynamodb:PutItem', writes, part.table],
      ['dynamodb:UpdateItem', writes, part.table],
      ['kms:Decrypt', seal, part.sealKey, part.sealContext],
      ['kms:GenerateDataKey', seal && writes, part.sealKey, part.sealContext],
      ['kms:Decrypt', reads, part.sealKey, part.digestContext],
      ['kms:GenerateDataKey', writes, part.sealKey, part.digestContext],
      ['kms:Decrypt', reads, part.tableKey, part.viaDynamo],
      ['kms:GenerateDataKey', writes, part.tableKey, part.viaDynamo],
      ['secretsmanager:GetSecretValue', secret, part.secret],
      ...(part.secretKey === undefined
        ? []
        : [
            ['kms:Decrypt', secret, part.secretKey, part.viaSecrets] as [
              string,
              boolean,
              string,
              Record<string, string>,
            ],
          ]),
      ['secretsmanager:GetSecretValue', name === 'prober', part.proberSecret],
    ];
    expect(
      table.map(([action, , resource, context]) => [action, may(name, action, resource, context), resource]),
    ).toEqual(table.map(([action, allowed, resource]) => [action, allowed, resource]));
  });

  test.each(FUNCTION_NAMES)('%s may do nothing that would hurt', (name) => {
    const otherTable = `arn:aws:dynamodb:${REGION}:111122223333:table/other`;
    const denied: [string, string, Record<string, string>?][] = [
      ...[
        'DeleteItem',
        'BatchWriteItem',
        'Scan',
        'PartiQLSelect',
        'DeleteTable',
        'UpdateTable',
        'UpdateTimeToLive',
        'ExportTableToPointInTime',
      ].map((action): [string, string] => [`dynamodb:${action}`, part.table]),
      ...['GetItem', 'Query', 'PutItem'].map((action): [string, string] => [`dynamodb:${action}`, otherTable]),
      ['dynamodb:Scan', `${part.table}/index/due`],
      ...['PutSecretValue', 'UpdateSecret', 'DeleteSecret', 'PutResourcePolicy', 'UpdateSecretVersionStage'].map(
        (action): [string, string] => [`secretsmanager:${action}`, part.secret],
      ),
      ['secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${REGION}:111122223333:secret:other-AbCdEf`],
      ['kms:Decrypt', `arn:aws:kms:${REGION}:111122223333:key/other`],
      ['kms:Decrypt', part.sealKey],
      ...[part.sealContext, part.digestContext].map((context): [string, string, Record<string, string>] => [
        'kms:Decrypt',
        part.sealKey,
        { ...context, 'kms:EncryptionContext:environment': 'other' },
      ]),
      ['kms:Decrypt', part.sealKey, { ...part.sealContext, 'kms:EncryptionContext:purpose': 'other' }],
      ['kms:Decrypt', part.tableKey],
      ['kms:Decrypt', part.tableKey, part.viaSecrets],
      ...['PutKeyPolicy', 'ScheduleKeyDeletion', 'CreateGrant'].map((action): [string, string] => [
        `kms:${action}`,
        part.sealKey,
      ]),
      ...FUNCTION_NAMES.flatMap((other): [string, string][] => [
        ['lambda:InvokeFunction', part.live(other)],
        ['lambda:UpdateFunctionCode', part.live(other)],
      ]),
      ['iam:PassRole', '*'],
      ['sts:AssumeRole', `arn:aws:iam::111122223333:role/admin`],
      ['logs:DeleteLogGroup', `arn:aws:logs:${REGION}:111122223333:log-group:any`],
    ];
    expect(denied.filter(([action, resource, context]) => may(name, action, resource, context))).toEqual([]);
  });

  test.each(FUNCTION_NAMES)('if %s is compromised, the blast radius is what the threat model says', (name) => {
    const said = blastRadius(name);
    expect({
      secret: /use the secret key/.test(said),
      seal: /open every sealed token/.test(said),
      rows: /(?<!cannot )change rows/.test(said),
      prober: /use its client at the issuer/.test(said),
    }).toEqual({
      secret: may(name, 'secretsmanager:GetSecretValue', part.secret),
      seal: may(name, 'kms:Decrypt', part.sealKey, part.sealContext),
      rows: may(name, 'dynamodb:PutItem', part.table) || may(name, 'dynamodb:UpdateItem', part.table),
      prober: may(name, 'secretsmanager:GetSecretValue', part.proberSecret),
    });
  });

  test('in a VPC every function has the network actions of AWSLambdaVPCAccessExecutionRole, and otherwise none', () => {
    const network = [
      'CreateNetworkInterface',
      'DescribeNetworkInterfaces',
      'DescribeSubnets',
      'DeleteNetworkInterface',
      'AssignPrivateIpAddresses',
      'UnassignPrivateIpAddresses',
    ].map((action) => `ec2:${action}`);
    const inVpc = synthesized.environment.fixedEgress !== undefined;
    for (const name of FUNCTION_NAMES)
      expect(network.filter((action) => may(name, action, '*'))).toEqual(inVpc ? network : []);
  });

  test('the scheduler may invoke its targets and hand over dead letters, nothing else', () => {
    const role = id(synthesized, 'AWS::IAM::Role', 'eventsscheduler');
    const granted = resources(synthesized, 'AWS::IAM::Policy')
      .filter(([, policy]) => asArray(policy['Roles']).some((one) => text(one) === `\${${role}}`))
      .flatMap(
        ([, policy]) => (policy['PolicyDocument'] as { Statement: { Action: unknown; Resource: unknown }[] }).Statement,
      )
      .flatMap(({ Action, Resource }) =>
        asArray(Action).flatMap((action) => asArray(Resource).map((resource) => `${String(action)} ${text(resource)}`)),
      );
    const queue = id(synthesized, 'AWS::SQS::Queue', 'eventsdeadletters');
    expect([...new Set(granted)].sort()).toEqual(
      [
        `lambda:InvokeFunction ${part.live('revoketoken')}`,
        `lambda:InvokeFunction ${part.live('sweep')}`,
        ...(synthesized.environment.prober ? [`lambda:InvokeFunction ${part.live('prober')}`] : []),
        `sqs:SendMessage \${${queue}}`,
      ].sort(),
    );
  });

  test('nobody else reads the secret or uses a key, whatever IAM says of them', () => {
    const admin = 'arn:aws:iam::111122223333:role/admin';
    const policies = resources(synthesized, 'AWS::SecretsManager::ResourcePolicy');
    expect(policies).toHaveLength('create' in synthesized.environment.secret ? 1 : 0);
    for (const [, policy] of policies) {
      const [refusal] = (policy['ResourcePolicy'] as { Statement: Record<string, unknown>[] }).Statement;
      expect(refusal).toMatchObject({ Effect: 'Deny', Principal: '*', Action: 'secretsmanager:GetSecretValue' });
      const readers = 'readers' in synthesized.environment.secret ? (synthesized.environment.secret.readers ?? []) : [];
      const exempt = (refusal as { Condition: { ArnNotEquals: Record<string, unknown> } }).Condition.ArnNotEquals;
      expect(asArray(exempt['aws:PrincipalArn']).map(text).sort()).toEqual(
        [...SECRET_READERS.map((name) => `\${${part.role(name)}}`), ...readers].sort(),
      );
    }
    for (const key of [part.sealKey, part.tableKey])
      for (const action of ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:CreateGrant'])
        expect(isAllowed(synthesized, { principal: admin, action, resource: key })).toBe(false);
  });

  test('the seal key is used by name only: its policy leaves its use to no IAM policy of the account', () => {
    const [, key] = resources(synthesized, 'AWS::KMS::Key').find(([name]) => `\${${name}}` === part.sealKey) ?? [];
    const statements = (key?.['KeyPolicy'] as { Statement: { Sid: string; Action: string[]; Principal: unknown }[] })
      .Statement;
    const toAccount = statements.filter(({ Principal }) => JSON.stringify(Principal).includes(':root'));
    const actions = toAccount.flatMap(({ Action }) => Action);
    expect(
      actions.filter(
        (action) =>
          /\*$|Crypt|DataKey|Grant|Sign/i.test(action) &&
          !/^kms:(Describe|Enable|List|Put|Update|Revoke|Disable|Get|Delete)\*$/.test(action),
      ),
    ).toEqual([]);
  });
});
