/** The construct that apps of the CDK use: its names, its defaults, what it takes from the app, and what it refuses. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import type { IVpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { IConstruct } from 'constructs';
import { BUNDLE_FILE } from '../../functions/contract/bundle.ts';
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import { ENVIRONMENTS_FOLDER } from '../../infra/environment-list.ts';
import type { EnvironmentInput } from '../../infra/environments/environment.ts';
import { TokenBroker } from '../../infra/token-broker.ts';
import type { TokenBrokerProps } from '../../infra/token-broker-props.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'token-broker-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
// What the functions hold is the same in every one of these stacks, and other tests show it: so it is little here.
const bundles = path.join(folder, 'bundles');
for (const name of FUNCTION_NAMES) {
  mkdirSync(path.join(bundles, name), { recursive: true });
  writeFileSync(path.join(bundles, name, BUNDLE_FILE), 'exports.handler = () => undefined;');
}

/** The paths of all options. */
type Paths<T> = T extends IConstruct
  ? never
  : T extends readonly (infer Item)[]
    ? Paths<Item>
    : T extends object
      ? { [Key in keyof T & string]-?: Key | `${Key}.${Paths<NonNullable<T[Key]>>}` }[keyof T & string]
      : never;
type Undocumented = Exclude<Paths<EnvironmentInput>, Paths<TokenBrokerProps>>;

const policyFile = path.join(ENVIRONMENTS_FOLDER, 'policy.dev.json');
const few = (): TokenBrokerProps => ({
  thoughtSpot: { host: 'https://acme.thoughtspot.cloud' },
  issuers: [{ url: 'https://login.acme.com/', audiences: ['thoughtspot-token-broker'] }],
  allowedOrigins: ['https://app.acme.com'],
  alarms: { email: 'on-call@acme.com' },
  runbookUrl: 'https://wiki.acme.com/runbook',
  policyFile,
  bundles,
});
const env = { account: '111122223333', region: 'eu-central-1' };
const stackIn = (app = new App({ analyticsReporting: false }), id = 'Acme', where: object = { env }) =>
  new Stack(app, id, where);
type Resources = Readonly<Record<string, { readonly Type: string; readonly Properties: Record<string, unknown> }>>;
const resourcesOf = (stack: Stack) => (Template.fromStack(stack).toJSON() as { Resources: Resources }).Resources;

test('uses a table that is there: makes none, and may do with it and its indexes what it may do with its own', () => {
  const policiesOf = (props: object) => {
    const stack = stackIn();
    const broker = new TokenBroker(stack, 'Broker', { ...few(), name: 'acme', ...props });
    const resources = Object.entries(resourcesOf(stack));
    const tables = resources.filter(([, { Type }]) => Type === 'AWS::DynamoDB::Table');
    const ledger = JSON.stringify(
      resources.filter(([, { Type }]) => Type === 'AWS::IAM::Policy' || Type === 'AWS::Lambda::Function'),
    );
    return { tables: tables.length, ledger, name: JSON.stringify(stack.resolve(broker.table.tableName)) };
  };
  const [own, copy] = [policiesOf({}), policiesOf({ ledger: { import: 'copy' } })];
  expect([own.tables, copy.tables, copy.name]).toEqual([1, 0, '"copy"']);
  expect(copy.ledger).toContain('table/copy/index/unfinished');
  const count = ({ ledger, name }: typeof own) => ledger.split(`"LEDGER_TABLE":${name}`).length - 1;
  expect([count(copy), count(copy)]).toEqual([count(own), 6]);
});

test('has the routes of operators for the callers of an issuer where it has operators, or a rule makes administrators', () => {
  const routesWith = (administers: object) => {
    const partner = { name: 'partner', url: 'https://partner.example/', audiences: ['broker'] };
    const issuers = [...few().issuers, partner];
    const policy = JSON.parse(readFileSync(policyFile, 'utf8')) as { rules: Record<string, unknown>[] };
    const rules = issuers.flatMap(({ url, name }) =>
      policy.rules.map((rule) => ({
        ...rule,
        ...{
          name: `${String(rule['name'])}${name ?? ''}`,
          issuer: url,
          accept: ['issuers-may-meet', ...((rule['accept'] as string[] | undefined) ?? [])],
        },
        ...(name === 'partner' && administers),
      })),
    );
    const own = path.join(folder, `policy.${JSON.stringify(administers).length}.json`);
    writeFileSync(own, JSON.stringify({ ...policy, rules }));
    const claims = { sub: 'a', token_use: 'access', username: 'alice', 'cognito:groups': ['analytics'] };
    const cases = rules.map((rule) => ({
      name: rule.name,
      issuer: rule.issuer,
      claims,
      expect: {
        rule: rule.name,
        name: 'full',
        user: 'alice',
        orgId: 0,
        rights: { kind: 'full' },
        validitySeconds: 600,
      },
    }));
    writeFileSync(own.replace('.json', '.cases.json'), JSON.stringify({ cases }));
    const stack = stackIn();
    new TokenBroker(stack, 'Broker', { ...few(), purpose: 'development', issuers, policyFile: own });
    return Object.values(resourcesOf(stack)).flatMap(({ Type, Properties }) =>
      Type === 'AWS::ApiGatewayV2::Route' && String(Properties['RouteKey']).includes('/i/partner/')
        ? [[Properties['RouteKey'], Properties['AuthorizationScopes']]]
        : [],
    );
  };
  const own = [
    ['POST /i/partner/gettoken', ['broker:token']],
    ['POST /i/partner/revoketoken', ['broker:token']],
    ['GET /i/partner/sessioninfo', ['broker:token']],
  ];
  expect(routesWith({})).toEqual(own);
  const more = [
    'GET /i/partner/leases',
    'POST /i/partner/leases/revoke',
    'GET /i/partner/blocks',
    'POST /i/partner/suspend',
    'POST /i/partner/reinstate',
  ];
  expect(routesWith({ administers: 'own-org' })).toEqual([...own, ...more.map((route) => [route, ['broker:token']])]);
});

test('has every option that an environment has', () => {
  // The type checker holds this one: it takes no `true` where an option is left, and names the option.
  const none: [Undocumented] extends [never] ? true : Undocumented = true;
  expect(none).toBe(true);
});

test('needs six props, and offers what an app builds on', () => {
  const stack = stackIn();
  const broker = new TokenBroker(stack, 'Broker', few());
  expect(Object.keys(broker.functions).sort()).toEqual([...FUNCTION_NAMES].sort());
  expect(broker.alarms.length).toBeGreaterThan(40);
  expect(stack.resolve(broker.url)).toEqual(stack.resolve(broker.api.apiEndpoint));
  expect(broker.secretId).toMatch(/^thoughtspot-broker\/acme-broker-[0-9a-f]{8}$/);
  expect(broker.egressAddress).toBeUndefined();
  for (const part of [broker.table, ...Object.values(broker.alarmTopics), broker.dashboard, broker.deadLetters])
    expect(part.node.path).toMatch(/^Acme\/Broker\//);
});

test('gives operators to the first issuer, and to a further one only if the app says so', () => {
  const own = 'https://login.acme.com/';
  const ours = (key: string, value: unknown): unknown =>
    (key === 'rules' || key === 'cases') && Array.isArray(value)
      ? value.map((one: object) => ({ ...one, issuer: own }))
      : value;
  for (const name of ['policy.dev.json', 'policy.dev.cases.json']) {
    const text = readFileSync(path.join(ENVIRONMENTS_FOLDER, name), 'utf8');
    writeFileSync(path.join(folder, name), JSON.stringify(JSON.parse(text, ours)));
  }
  const audiences = ['thoughtspot-token-broker'];
  const issuers = [
    { url: own, audiences },
    { name: 'partner', url: 'https://login.partner.example/', audiences },
    { name: 'sister', url: 'https://login.sister.example/', audiences, scopes: { token: 't', revoke: 'r' } },
  ];
  const stack = stackIn();
  new TokenBroker(stack, 'Broker', { ...few(), issuers, policyFile: path.join(folder, 'policy.dev.json') });
  const keys = Object.values(resourcesOf(stack))
    .filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Route')
    .map(({ Properties }) => Properties['RouteKey']);
  for (const issuer of ['', '/i/partner', '/i/sister']) expect(keys).toContain(`POST ${issuer}/gettoken`);
  expect(keys.filter((key) => String(key).endsWith(' /leases'))).toEqual(['GET /leases']);
  expect(keys).toContain('GET /i/sister/leases');
  expect(keys.filter((key) => String(key).includes('/i/partner/')).sort()).toEqual([
    'GET /i/partner/sessioninfo',
    'POST /i/partner/gettoken',
    'POST /i/partner/revoketoken',
  ]);
});

test('two in one stack, and one of the same id in another, have no name in common', () => {
  const app = new App({ analyticsReporting: false });
  const [stack, other] = [stackIn(app), stackIn(app, 'Other')];
  for (const id of ['Sales', 'Support']) new TokenBroker(stack, id, few());
  new TokenBroker(other, 'Sales', few());
  const resources = [stack, other].flatMap((one) => Object.values(resourcesOf(one)));
  for (const [type, property] of [
    ['AWS::Lambda::Function', 'FunctionName'],
    ['AWS::KMS::Alias', 'AliasName'],
    ['AWS::Logs::LogGroup', 'LogGroupName'],
    ['AWS::CloudWatch::Alarm', 'AlarmName'],
    ['AWS::CloudWatch::Dashboard', 'DashboardName'],
    ['AWS::SecretsManager::Secret', 'Name'],
    ['AWS::SNS::Topic', 'TopicName'],
    ['AWS::Scheduler::Schedule', 'Name'],
    ['AWS::CodeDeploy::Application', 'ApplicationName'],
    ['AWS::Events::Rule', 'Name'],
    ['AWS::SQS::Queue', 'QueueName'],
  ] as const) {
    const all = resources
      .filter(({ Type }) => Type === type)
      .map(({ Properties }) => Properties[property])
      .filter(Boolean);
    expect(all.length % 3).toBe(0);
    expect([type, new Set(all).size]).toEqual([type, all.length]);
  }
});

test('two of one name in one place are refused, and in two places are not', () => {
  const app = new App({ analyticsReporting: false });
  const twice = (one: Stack, other: Stack) => {
    for (const [index, stack] of [one, other].entries())
      new TokenBroker(stack, `Broker${index}`, { ...few(), name: 'sales' });
  };
  expect(() => twice(stackIn(app, 'One'), stackIn(app, 'Two'))).toThrow(
    'TokenBroker Two/Broker1 has the name of One/Broker0, sales: give each its own `name`',
  );
  const inEurope = stackIn(new App({ analyticsReporting: false }), 'Europe');
  expect(() =>
    twice(inEurope, stackIn(inEurope.node.root as App, 'America', { env: { ...env, region: 'us-east-1' } })),
  ).not.toThrow();
});

test('takes a VPC, a secret with its key and a topic that the app has', () => {
  const stack = stackIn();
  const vpc = new Vpc(stack, 'Vpc', { availabilityZones: ['eu-central-1a'], restrictDefaultSecurityGroup: false });
  const securityGroup = new SecurityGroup(stack, 'Group', { vpc: vpc as IVpc });
  const encryptionKey = new Key(stack, 'Key');
  const secret = new Secret(stack, 'Secret', { encryptionKey });
  const topic = new Topic(stack, 'Topic');
  const broker = new TokenBroker(stack, 'Broker', {
    ...few(),
    network: { vpc: vpc as IVpc, securityGroups: [securityGroup] },
    secret: { secret: secret as ISecret },
    prober: { secret: { secret: Secret.fromSecretNameV2(stack, 'Prober', 'acme/prober') } },
    alarms: { page: { topic }, ticket: { email: 'team@acme.com' } },
  });
  expect(broker.alarmTopics.page).toBe(topic);
  expect(broker.alarmTopics.ticket).not.toBe(topic);
  const template = Template.fromStack(stack);
  const group = stack.resolve(securityGroup.securityGroupId) as unknown;
  const functions = Object.values(template.findResources('AWS::Lambda::Function')) as {
    Properties: { VpcConfig?: object; Environment?: { Variables: Record<string, unknown> } };
  }[];
  expect(functions.map(({ Properties }) => Properties.VpcConfig)).toEqual(
    FUNCTION_NAMES.map(() => expect.objectContaining({ SecurityGroupIds: [group] }) as object),
  );
  const readers = functions.flatMap(
    ({ Properties }) => Properties.Environment?.Variables['THOUGHTSPOT_SECRET_ID'] ?? [],
  );
  expect(readers.length).toBeGreaterThan(0);
  for (const reader of readers) expect(reader).toEqual(stack.resolve(secret.secretArn));
  template.resourceCountIs('AWS::SecretsManager::Secret', 1);
  // The app's own, and the one for tickets.
  template.resourceCountIs('AWS::SNS::Topic', 2);
  const owned = stack.resolve(encryptionKey.keyArn) as { 'Fn::GetAtt': [string] };
  const { Properties: key } = template.findResources('AWS::KMS::Key')[owned['Fn::GetAtt'][0]] ?? {};
  expect(JSON.stringify(key)).toContain('secretsmanager.eu-central-1.amazonaws.com');
});

describe('a stack that names neither account nor region', () => {
  test('can hold one', () => {
    const stack = stackIn(undefined, 'Anywhere', {});
    new TokenBroker(stack, 'Broker', few());
    Template.fromStack(stack).resourceCountIs('AWS::DynamoDB::Table', 1);
  });

  test('can hold none with fixed egress, which names zones', () => {
    const fixedEgress = { cidr: '10.0.0.0/24', zones: ['eu-central-1a'] };
    expect(() => new TokenBroker(stackIn(undefined, 'Anywhere', {}), 'Broker', { ...few(), fixedEgress })).toThrow(
      'fixedEgress: names zones, so the stack must name its region',
    );
    expect(new TokenBroker(stackIn(), 'Broker', { ...few(), fixedEgress }).egressAddress).toBeDefined();
  });
});

test('is the same wherever the app is started, and whatever its variables are', () => {
  const synthesized = () => {
    const stack = stackIn();
    new TokenBroker(stack, 'Broker', few());
    return Template.fromStack(stack).toJSON();
  };
  const [before, variables] = [process.cwd(), { ...process.env }];
  const here = synthesized();
  try {
    process.chdir(os.tmpdir());
    Object.assign(process.env, {
      BROKER_ENVIRONMENT: 'prod',
      AWS_REGION: 'us-east-1',
      CDK_DEFAULT_REGION: 'us-east-1',
    });
    expect(synthesized()).toEqual(here);
  } finally {
    process.chdir(before);
    process.env = variables;
  }
});

test.each<[string, Partial<TokenBrokerProps> | object, string[]]>([
  [
    'all faults at once, with their paths',
    { sweepRate: 2.5, allowedOrigins: ['*'] },
    [
      'TokenBroker Acme/Broker cannot be built:',
      '  - sweepRate: must be a whole number, 1 to 100',
      '  - allowedOrigins.0: a wildcard would let',
    ],
  ],
  ['a misspelt prop', { sweeprate: 5 }, ['sweeprate: is not known; did you mean sweepRate?']],
  [
    'misspelt props that are needed, in an app without types',
    { isuers: [], issuers: undefined, alarm: {}, alarms: undefined, thoughtspot: {}, thoughtSpot: undefined },
    ['isuers: is not known; did you mean issuers?', 'alarm: is not known; did you mean alarms?', 'issuers: is missing'],
  ],
  ['a misspelt prop of the construct alone', { netwrok: {} }, ['netwrok: is not known; did you mean network?']],
  ['a policy that is not named', { policyFile: undefined }, ['policyFile: is missing']],
  [
    'a region of its own',
    { region: 'us-east-1' },
    ['region: does not belong here; it is that of the command, or of the'],
  ],
  ['a policy by a relative path', { policyFile: 'policy.json' }, ["write path.join(__dirname, 'policy.json')"]],
  ['a policy that is not there', { policyFile: '/nowhere/policy.json' }, ['policyFile policy.json: does not exist']],
  ['two networks', { network: {}, fixedEgress: {} }, ['network: is there besides fixedEgress']],
])('refuses %s', (_what, change, faults) => {
  const attempt = () => new TokenBroker(stackIn(), 'Broker', { ...few(), ...change });
  for (const fault of faults) expect(attempt).toThrow(fault);
});

test('a fault of the policy is told with its line', () => {
  const text = readFileSync(policyFile, 'utf8').replace(/"maxSeconds": \d+/, '"maxSeconds": -1');
  const line = text.slice(0, text.indexOf('"maxSeconds": -1')).split('\n').length;
  const broken = path.join(folder, 'broken.json');
  writeFileSync(broken, text);
  expect(() => new TokenBroker(stackIn(), 'Broker', { ...few(), policyFile: broken })).toThrow(
    `policyFile broken.json: line ${line}, rules[`,
  );
});
