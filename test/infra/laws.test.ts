import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { ENVIRONMENT } from '../../functions/contract/environment.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../../functions/contract/functions.ts';
import type { FunctionName, Trigger } from '../../functions/contract/functions.ts';
import { parseIssuers } from '../../functions/identity/issuers.ts';
import { createTableInput, LEDGER_TABLE } from '../../functions/contract/table.ts';
import { checkPolicy } from '../../infra/policy/check.ts';
import { asArray, text } from '../support/iam-evaluator.ts';
import { resources, synthesizedEnvironments, packageOf } from '../support/synthesized.ts';
import type { Synthesized } from '../support/synthesized.ts';

/** The function that an integration of this target invokes, by the beginning of the alias's id. */
function calledBy(integrations: ReadonlyMap<string, Readonly<Record<string, unknown>>>, target: unknown): unknown {
  const [, id = ''] = /\$\{(.*)\}$/.exec(text(target)) ?? [];
  const called = text(integrations.get(id)?.['IntegrationUri']);
  return FUNCTION_NAMES.find((name) => called.includes(`\${${name}live`));
}

const environments = synthesizedEnvironments();

function functionOf(synthesized: Synthesized, name: FunctionName): Record<string, unknown> {
  const found = resources(synthesized, 'AWS::Lambda::Function').filter(
    ([, properties]) => properties['FunctionName'] === `thoughtspot-broker-${synthesized.name}-${name}`,
  );
  expect(found).toHaveLength(1);
  return found[0]?.[1] ?? {};
}

const properties = (synthesized: Synthesized, type: string) => resources(synthesized, type).map(([, one]) => one);
const only = (synthesized: Synthesized, type: string) => {
  const found = properties(synthesized, type);
  expect(found).toHaveLength(1);
  return found[0] ?? {};
};

describe.each(environments)('the stack of $name', (synthesized) => {
  const { environment } = synthesized;
  const production = environment.purpose === 'production';

  test('leaves no finding of cdk-nag or of the CloudFormation validator open', () => {
    expect(synthesized.open).toEqual([]);
  });

  test('has the functions of the contract and no others', () => {
    expect(resources(synthesized, 'AWS::Lambda::Function')).toHaveLength(FUNCTION_NAMES.length);
    FUNCTION_NAMES.forEach((name) => functionOf(synthesized, name));
  });

  test.each(FUNCTION_NAMES)('gives %s exactly the environment variables of the contract', (name) => {
    const { Variables } = functionOf(synthesized, name)['Environment'] as { Variables: Record<string, unknown> };
    expect(Object.keys(Variables).sort()).toEqual([...ENVIRONMENT[name]].sort());
    expect(Object.values(Variables).filter((value) => value === '' || value === undefined)).toEqual([]);
    if ('ISSUERS' in Variables) expect(parseIssuers(String(Variables['ISSUERS']))).toEqual(environment.issuers);
  });

  test.each(FUNCTION_NAMES)(
    'runs %s as the contract says, with a log group, an alias, no traces that nobody reads, and the share of the concurrency that is reserved',
    (name) => {
      const { timeoutSeconds, memoryMb } = FUNCTIONS[name];
      const { ReservedConcurrentExecutions = undefined, ...settings } = functionOf(synthesized, name);
      expect(ReservedConcurrentExecutions).toBe(environment.concurrency?.[name]?.reserved);
      expect(settings).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        Handler: 'index.handler',
        Timeout: timeoutSeconds,
        MemorySize: memoryMb,
      });
      expect(settings).not.toHaveProperty('TracingConfig');
      const logs = properties(synthesized, 'AWS::Logs::LogGroup').filter(
        ({ LogGroupName }) => LogGroupName === `/aws/lambda/thoughtspot-broker-${synthesized.name}-${name}`,
      );
      const [[key = ''] = []] = resources(synthesized, 'AWS::KMS::Key').filter(([id]) => id.startsWith('logkey'));
      expect(logs).toEqual([expect.objectContaining({ RetentionInDays: environment.logRetentionDays })]);
      expect(text(logs[0]?.['KmsKeyId'])).toBe(`\${${key}}`);
      const alias = resources(synthesized, 'AWS::Lambda::Alias').filter(([id]) => id.startsWith(`${name}live`));
      expect(alias).toEqual([[expect.any(String), expect.objectContaining({ Name: 'live' })]]);
    },
  );

  test('keeps every log group for a stated time', () => {
    for (const group of properties(synthesized, 'AWS::Logs::LogGroup'))
      expect(group['RetentionInDays']).toBeGreaterThan(0);
  });

  test("has, for each issuer, the routes of the contract, each behind that issuer's authorizer and its scope", () => {
    const authorizers = new Map(
      resources(synthesized, 'AWS::ApiGatewayV2::Authorizer').map(([id, { JwtConfiguration, ...settings }]) => {
        expect(settings).toMatchObject({
          AuthorizerType: 'JWT',
          IdentitySource: ['$request.header.Authorization'],
        });
        return [`\${${id}}`, JwtConfiguration];
      }),
    );
    expect(authorizers.size).toBe(environment.issuers.length);
    const expected = environment.issuers.flatMap(({ name: issuer, url, audiences, scopes, logoutClients }) =>
      FUNCTION_NAMES.flatMap((name) => {
        const triggers: readonly Trigger[] = FUNCTIONS[name].triggers;
        return triggers.flatMap((trigger) => {
          if (trigger.kind === 'schedule' || (trigger.kind === 'http' && trigger.iam === true)) return [];
          // An issuer without operators has no routes for them.
          if (trigger.kind === 'http' && trigger.scope === 'revoke' && scopes.revoke === undefined) return [];
          const path = issuer === undefined ? trigger.path : `/i/${issuer}${trigger.path}`;
          if (trigger.kind === 'logout')
            return logoutClients === undefined
              ? []
              : [[`${trigger.method} ${path}`, 'NONE', [], undefined as never, name]];
          const { token, revoke } = scopes;
          // Whoever lacks the scope of operators is refused by the function, which puts that on record.
          const open = token === 'none' ? [] : trigger.scope === 'token' ? [token] : [token, revoke ?? ''];
          const behind = { Issuer: url, Audience: audiences };
          return [[`${trigger.method} ${path}`, 'JWT', open, behind, name]];
        });
      }),
    );
    const { triggers } = FUNCTIONS.operator;
    const signed = triggers.filter((one) => 'iam' in one).map(({ method, path }) => `${method} ${path}`);
    expect(signed).toEqual([
      'GET /operator/leases',
      'POST /operator/leases/revoke',
      'GET /operator/blocks',
      'POST /operator/suspend',
      'POST /operator/reinstate',
    ]);
    expected.push(...signed.map((key): (typeof expected)[0] => [key, 'AWS_IAM', [], undefined as never, 'operator']));
    const integrations = new Map(resources(synthesized, 'AWS::ApiGatewayV2::Integration'));
    const routes = properties(synthesized, 'AWS::ApiGatewayV2::Route').map((route) => [
      route['RouteKey'],
      route['AuthorizationType'],
      asArray(route['AuthorizationScopes']),
      route['AuthorizerId'] === undefined ? undefined : authorizers.get(text(route['AuthorizerId'])),
      calledBy(integrations, route['Target']),
    ]);
    expect(routes).toHaveLength(expected.length);
    expect(routes).toEqual(expect.arrayContaining(expected));
  });

  test('gives every route of operators and of issuers a throttle of its own, and is staged after them', () => {
    const [[, stage] = []] = resources(synthesized, 'AWS::ApiGatewayV2::Stage');
    const routes = resources(synthesized, 'AWS::ApiGatewayV2::Route').filter(([, { RouteKey }]) =>
      /leases|blocks|suspend|reinstate|logout/.test(String(RouteKey)),
    );
    const logouts = environment.issuers.filter(({ logoutClients }) => logoutClients !== undefined);
    const withOperators = environment.issuers.filter(({ scopes }) => scopes.revoke !== undefined);
    expect(routes).toHaveLength(5 + 5 * withOperators.length + logouts.length);
    const own = { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40 };
    expect(stage?.['RouteSettings']).toEqual(Object.fromEntries(routes.map(([, { RouteKey }]) => [RouteKey, own])));
    const template = JSON.parse(JSON.stringify(synthesized.template)) as {
      Resources: Record<string, { Type: string; DependsOn?: string[] }>;
    };
    const [waits] = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Stage');
    expect(waits?.DependsOn).toEqual(expect.arrayContaining(routes.map(([id]) => id)));
  });

  test('lets CloudWatch Logs use the key of the logs for the log groups of the functions, and nobody else', () => {
    const [[, key] = []] = resources(synthesized, 'AWS::KMS::Key').filter(([id]) => id.startsWith('logkey'));
    const { Statement } = key?.['KeyPolicy'] as { Statement: { Sid: string; Principal: object; Condition?: object }[] };
    expect(Statement.map(({ Sid }) => Sid)).toEqual(['Administer', 'LogGroups']);
    const rule = JSON.stringify(Statement[1]);
    expect(rule).toContain('logs.');
    expect(rule).toContain('ArnEquals');
    for (const name of FUNCTION_NAMES)
      expect(rule).toContain(`log-group:/aws/lambda/thoughtspot-broker-${synthesized.name}-${name}"`);
    expect(rule.match(/log-group:/g)).toHaveLength(FUNCTION_NAMES.length);
  });

  test('throttles, answers CORS for exact origins, and logs access without tokens or query strings', () => {
    expect(only(synthesized, 'AWS::ApiGatewayV2::Api')['CorsConfiguration']).toMatchObject({
      AllowOrigins: environment.allowedOrigins,
      AllowHeaders: ['authorization', 'content-type', 'accept', ...(environment.allowedHeaders ?? [])],
      ExposeHeaders: [
        'retry-after',
        'x-correlation-id',
        'apigw-requestid',
        'www-authenticate',
        'x-amzn-remapped-www-authenticate',
      ],
    });
    const stage = only(synthesized, 'AWS::ApiGatewayV2::Stage');
    expect(stage['DefaultRouteSettings']).toMatchObject({
      ThrottlingRateLimit: environment.throttle.ratePerSecond,
      ThrottlingBurstLimit: environment.throttle.burst,
    });
    const { Format } = stage['AccessLogSettings'] as { Format: string };
    // The latency is a number, which filters can compare; every other value is text.
    const line = Format.replace(/:\$context\.\w+/g, ':12');
    expect(JSON.parse(line)).toMatchObject({ status: '$context.status', latencyMs: 12 });
    expect(Format).not.toMatch(/querystring|header|authorizer\.claims|\$context\.path\b|body/i);
  });

  test('keeps the ledger encrypted, restorable, and as the contract draws it', () => {
    const { ledger } = synthesized.environment;
    if (ledger !== undefined) {
      expect(properties(synthesized, 'AWS::DynamoDB::Table')).toEqual([]);
      for (const one of properties(synthesized, 'AWS::Lambda::Function')) {
        const { LEDGER_TABLE: name = ledger.import } = (one['Environment'] as { Variables: Record<string, unknown> })
          .Variables;
        expect(name).toBe(ledger.import);
      }
      return;
    }
    const table = only(synthesized, 'AWS::DynamoDB::Table');
    const { TableName: _name, AttributeDefinitions, ...drawn } = createTableInput('any');
    expect(table).toMatchObject({
      ...drawn,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
      TimeToLiveSpecification: { AttributeName: LEDGER_TABLE.timeToLive, Enabled: true },
      DeletionProtectionEnabled: production,
    });
    expect(new Set(asArray(table['AttributeDefinitions']))).toEqual(new Set(AttributeDefinitions));
  });

  test('rotates every key, and encrypts secret, queue and table', () => {
    for (const key of properties(synthesized, 'AWS::KMS::Key')) expect(key['EnableKeyRotation']).toBe(true);
    for (const queue of properties(synthesized, 'AWS::SQS::Queue')) expect(queue['SqsManagedSseEnabled']).toBe(true);
    // The prober's client is under AWS's own key.
    for (const secret of properties(synthesized, 'AWS::SecretsManager::Secret').filter((one) => !disposable(one)))
      expect(secret['KmsKeyId']).toBeDefined();
  });

  test('creates the secret empty', () => {
    for (const secret of properties(synthesized, 'AWS::SecretsManager::Secret')) {
      expect(Object.keys(secret)).not.toContain('SecretString');
      expect(Object.keys(secret)).not.toContain('GenerateSecretString');
    }
  });

  test('lets data, keys, secret and logs outlive it in production only', () => {
    const lasting = ['AWS::DynamoDB::Table', 'AWS::KMS::Key', 'AWS::SecretsManager::Secret', 'AWS::Logs::LogGroup'];
    const policies = Object.values(synthesized.template.Resources)
      .filter(({ Type, Properties }) => lasting.includes(Type) && !disposable(Properties))
      .map(({ DeletionPolicy }) => DeletionPolicy);
    expect(new Set(policies)).toEqual(new Set([production ? 'RetainExceptOnCreate' : 'Delete']));
  });

  test('leaves nothing in the way of a second attempt when the first deployment fails', () => {
    const retained = Object.values(synthesized.template.Resources).filter(
      ({ DeletionPolicy }) => DeletionPolicy === 'Retain',
    );
    expect(retained).toEqual([]);
    // Deletion protection keeps the table even then, so no fixed name may be in the way.
    for (const table of properties(synthesized, 'AWS::DynamoDB::Table')) expect(table).not.toHaveProperty('TableName');
  });

  test('names no wildcard resource on secrets, keys or tables', () => {
    const statements = properties(synthesized, 'AWS::IAM::Policy').flatMap(
      ({ PolicyDocument }) => (PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] }).Statement,
    );
    const sensitive = statements.filter(({ Action }) => /secretsmanager:|kms:|dynamodb:/.test(JSON.stringify(Action)));
    expect(sensitive.length).toBeGreaterThan(0);
    for (const { Resource } of sensitive) for (const one of asArray(Resource)) expect(text(one)).not.toContain('*');
  });

  test('calls the sweep by the minute and each revocation schedule with the time of the schedule', () => {
    const schedules = properties(synthesized, 'AWS::Scheduler::Schedule').map(
      ({ Name, ScheduleExpression, ScheduleExpressionTimezone, Target }) => ({
        Name,
        ScheduleExpression,
        ScheduleExpressionTimezone,
        ...(Target as { Input: string; DeadLetterConfig?: unknown }),
      }),
    );
    const sweep = schedules.find(({ Name }) => String(Name).endsWith('-sweep'));
    expect(sweep).toMatchObject({ ScheduleExpression: 'rate(1 minute)' });
    const prober = schedules.find(({ Name }) => String(Name).endsWith('-prober'));
    if (environment.prober) expect(prober).toMatchObject({ ScheduleExpression: 'rate(5 minutes)' });
    else expect(prober).toBeUndefined();
    expect(schedules).toHaveLength(environment.revocationSchedules.length + (prober ? 2 : 1));
    for (const { name, expression, timeZone, select } of environment.revocationSchedules) {
      const schedule = schedules.find(({ Name }) => Name === `thoughtspot-broker-${synthesized.name}-revoke-${name}`);
      expect(schedule).toMatchObject({ ScheduleExpression: expression, ScheduleExpressionTimezone: timeZone });
      expect(schedule?.DeadLetterConfig).toBeDefined();
      expect(JSON.parse(schedule?.Input ?? '')).toEqual({
        source: 'schedule',
        name,
        scheduledTime: '<aws.scheduler.scheduled-time>',
        select,
      });
    }
  });

  test('hears of users who left where the environment says so', () => {
    const rules = properties(synthesized, 'AWS::Events::Rule').filter(({ EventPattern }) =>
      JSON.stringify(EventPattern).includes('user.deprovisioned'),
    );
    expect(rules).toHaveLength(environment.deprovisionedEvents ? 1 : 0);
    for (const rule of rules) {
      expect(rule['EventPattern']).toEqual({
        source: [environment.deprovisionedEvents?.source],
        'detail-type': ['user.deprovisioned'],
      });
      for (const target of asArray(rule['Targets'])) expect(target).toHaveProperty('DeadLetterConfig');
      expect(rule['Targets']).toHaveLength(1);
    }
  });

  test('watches for readers of the secret other than the functions, nameless ones too', () => {
    const [watch] = properties(synthesized, 'AWS::Events::Rule').filter(({ Name }) =>
      String(Name).endsWith('secret-read-by-others'),
    );
    expect(watch?.['State']).toBe('ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS');
    const { detail } = watch?.['EventPattern'] as { detail: Record<string, Record<string, never>> };
    expect(detail['eventName']).toEqual(['GetSecretValue']);
    const [but, nameless] = (
      detail['userIdentity'] as unknown as { sessionContext: { sessionIssuer: { arn: Record<string, unknown[]>[] } } }
    ).sessionContext.sessionIssuer.arn;
    const extra = 'readers' in environment.secret ? (environment.secret.readers?.length ?? 0) : 0;
    expect(but?.['anything-but']).toHaveLength(
      FUNCTION_NAMES.filter((name) => FUNCTIONS[name].may.secret).length + extra,
    );
    expect(nameless).toEqual({ exists: false });
  });

  test('moves every function to new code under the eyes of its own alarms', () => {
    const groups = properties(synthesized, 'AWS::CodeDeploy::DeploymentGroup');
    expect(groups.map(({ DeploymentGroupName }) => DeploymentGroupName).sort()).toEqual([...FUNCTION_NAMES].sort());
    for (const group of groups) {
      const pace =
        environment.deployment === 'canary'
          ? 'CodeDeployDefault.LambdaCanary10Percent5Minutes'
          : 'CodeDeployDefault.LambdaAllAtOnce';
      expect(text(group['DeploymentConfigName'])).toBe('${Pace}');
      const { Parameters } = JSON.parse(synthesized.text) as { Parameters: Record<string, unknown> };
      expect(Parameters['Pace']).toMatchObject({ Default: pace });
      const { Alarms } = group['AlarmConfiguration'] as { Alarms: { Name: unknown }[] };
      expect(Alarms.length).toBeGreaterThan(2);
      for (const { Name } of Alarms)
        expect(text(Name)).toMatch(new RegExp(`^\\$\\{alarms${String(group['DeploymentGroupName'])}`));
      expect(JSON.stringify(group['AutoRollbackConfiguration'])).toMatch(/"Enabled":true.*DEPLOYMENT_STOP_ON_ALARM/);
    }
  });

  test('holds no secret value and nothing that looks like a token, in template or assets', () => {
    // Keys and tokens are long runs of base64; digests in hex, ARNs and our own words are not.
    const suspicious =
      /eyJ[\w-]{20,}\.[\w-]{20,}|secretKey"\s*:\s*"[0-9a-f]{8}-[0-9a-f]{4}|AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY/;
    expect(synthesized.text).not.toMatch(suspicious);
    for (const file of files(synthesized.assembly)) {
      if (file.endsWith('.json')) expect([file, suspicious.test(readFileSync(file, 'utf8'))]).toEqual([file, false]);
    }
    for (const name of FUNCTION_NAMES)
      for (const [file, bytes] of Object.entries(packageOf(synthesized, name)))
        expect([name, file, suspicious.test(Buffer.from(bytes).toString())]).toEqual([name, file, false]);
  });

  test('deploys per function one bundle and its policy, nothing more', () => {
    const assets = readdirSync(synthesized.assembly).filter((name) => name.startsWith('asset.'));
    expect(assets).toHaveLength(FUNCTION_NAMES.length);
    for (const asset of assets) expect(asset).toMatch(/^asset\.[0-9a-f]{64}\.zip$/);
    for (const name of FUNCTION_NAMES)
      expect(Object.keys(packageOf(synthesized, name)).sort()).toEqual(['index.mjs', 'main.cjs', 'policy.json']);
  });

  test('gives every function that decides the checked policy and its digest, in one version of the function', () => {
    const source = readFileSync(path.join(synthesized.assembly, '..', environment.policyFile), 'utf8');
    const checked = checkPolicy(
      JSON.parse(source),
      environment.issuers.map(({ url }) => url),
    );
    for (const name of FUNCTION_NAMES.filter((one) => ENVIRONMENT[one].some((known) => known === 'POLICY_VERSION'))) {
      expect(Buffer.from(packageOf(synthesized, name)['policy.json'] ?? []).toString()).toBe(checked.text);
      expect(functionOf(synthesized, name)['Environment']).toMatchObject({
        Variables: { POLICY_FILE: 'policy.json', POLICY_VERSION: checked.digest },
      });
    }
  });

  test('the prober calls the address that callers have, with its own secret', () => {
    const { Variables } = functionOf(synthesized, 'prober')['Environment'] as { Variables: Record<string, unknown> };
    const { Value } = synthesized.template.Outputs['ApiUrl'] as { Value: unknown };
    expect(Variables['BROKER_URL']).toEqual(Value);
    // The API's own word for its address: the emulator has another domain than AWS.
    const attribute = { 'Fn::GetAtt': [expect.stringMatching(/^api/), 'ApiEndpoint'] };
    expect([attribute, 'https://tokens.example.com']).toContainEqual(Variables['BROKER_URL']);
    expect(Variables['PROBER_SECRET_ID']).toBe(`thoughtspot-broker/${synthesized.name}/prober`);
  });

  test('tells what it made: address, issuer, secret', () => {
    expect(Object.keys(synthesized.template.Outputs)).toEqual(
      expect.arrayContaining(['ApiUrl', 'Issuer', 'SecretName']),
    );
  });
});

/** The prober's client, which the issuer can make anew, and the rejected packets of a month. */
function disposable({ Name, LogGroupName }: Readonly<Record<string, unknown>>): boolean {
  return /\/prober$/.test(String(Name)) || String(LogGroupName).startsWith('/aws/vpc/');
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile());
}
