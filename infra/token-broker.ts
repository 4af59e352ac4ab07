import { cpSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Annotations, FileSystem, Names, Stack, Tags } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import type { AlarmBase, Dashboard } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable, Table } from 'aws-cdk-lib/aws-dynamodb';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { DISABLE_ASSET_STAGING_CONTEXT } from 'aws-cdk-lib/cx-api';
import { Construct } from 'constructs';
import { POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../functions/contract/functions.ts';
import type { FunctionContract, FunctionName } from '../functions/contract/functions.ts';
import { AccessMetrics } from './constructs/access-metrics.ts';
import type { Severity } from './constructs/alarm-list.ts';
import { AlarmTopic } from './constructs/alarm-topic.ts';
import { BrokerAlarms } from './constructs/broker-alarms.ts';
import { BrokerEvents } from './constructs/broker-events.ts';
import { BrokerFunction, logGroupName } from './constructs/broker-function.ts';
import { BrokerDashboard } from './constructs/dashboard.ts';
import { FixedEgress } from './constructs/fixed-egress.ts';
import { GradualDeployment } from './constructs/gradual-deployment.ts';
import { GuardedKey } from './constructs/guarded-key.ts';
import { ProberSecret } from './constructs/prober-secret.ts';
import { SavedQueries } from './constructs/saved-queries.ts';
import { SecretWatch } from './constructs/secret-watch.ts';
import { ThoughtSpotSecret } from './constructs/thoughtspot-secret.ts';
import { TokenApi } from './constructs/token-api.ts';
import { TokenLedger } from './constructs/token-ledger.ts';
import { stackName } from './deployed-stack.ts';
import { entitlementsOf } from './deployment-pace.ts';
import { warningsOf } from './environment-policy.ts';
import { functionVariables } from './function-variables.ts';
import { settingsOf } from './token-broker-settings.ts';
import type { TokenBrokerProps } from './token-broker-props.ts';

export type * from './token-broker-props.ts';

/** Where the package has them; the project's own app builds its own. */
const PACKAGED_BUNDLES = path.join(import.meta.dirname, 'functions');

/**
 * The whole broker: functions, HTTP API, table, keys, schedules, alarms and dashboard. It only composes the constructs; every
 * decision is in one of them.
 */
export class TokenBroker extends Construct {
  /** With which the names of its functions, keys and logs begin. */
  readonly prefix: string;
  /** Where callers reach it, without a slash at the end. */
  readonly url: string;
  readonly api: HttpApi;
  /** What an operator's IAM policy allows `execute-api:Invoke` on. */
  readonly operatorArn: string;
  /** The alias of each function that callers invoke. */
  readonly functions: Readonly<Record<FunctionName, IFunction>>;
  /** The ledger of leases. */
  readonly table: Table | ITable;
  /** Name or ARN of the secret with the credential. A new one is empty: store the credential in it. */
  readonly secretId: string;
  readonly alarms: readonly AlarmBase[];
  readonly alarmTopics: Readonly<Record<Severity, ITopic>>;
  readonly dashboard: Dashboard;
  /** Revocation events that failed after all retries. */
  readonly deadLetters: Queue;
  /** The address that ThoughtSpot sees, with `fixedEgress`. */
  readonly egressAddress: string | undefined;
  /** Changes where what the policy grants changes, and stays on ThoughtSpot users: deploy that all at once. */
  readonly entitlements: string;
  /** The hash of the code of each function (CodeSha256 in Lambda). */
  readonly codeHashes: Readonly<Record<string, string>>;

  constructor(scope: Construct, id: string, props: TokenBrokerProps) {
    super(scope, id);
    const name = props.name ?? nameOf(this);
    const what = `TokenBroker ${this.node.path}`;
    const { environment, policy } = settingsOf(what, name, props, Stack.of(this).region);
    const prefix = stackName(environment.name);
    this.prefix = prefix;
    const rival = this.node.root.node.findAll().find((one) => one instanceof TokenBroker && meets(one, this));
    if (rival) throw new Error(`${what} has the name of ${rival.node.path}, ${name}: give each its own \`name\``);
    const retain = environment.purpose === 'production';
    for (const [warning, text] of warningsOf(environment, policy))
      Annotations.of(this).addWarningV2(`thoughtspot-broker:${warning}`, text);
    Tags.of(this).add('service', 'thoughtspot-token-broker');
    Tags.of(this).add('environment', environment.name);

    const ledger = new TokenLedger(this, 'ledger', {
      ...{ prefix, retain, environment: environment.name },
      imported: environment.ledger?.import,
    });
    const secret = new ThoughtSpotSecret(this, 'secret', {
      prefix,
      settings: props.secret && 'secret' in props.secret ? props.secret : environment.secret,
      rotation: environment.rotation,
      retain,
    });
    const proberSecret = new ProberSecret(this, 'prober-secret', {
      // Without a prober its function is deployed but never runs; nothing is created for it.
      secret: props.prober?.secret ?? { import: `thoughtspot-broker/${environment.name}/prober` },
    });
    const egress =
      environment.fixedEgress && new FixedEgress(this, 'egress', { prefix, settings: environment.fixedEgress });

    const logKey = new GuardedKey(this, 'log-key', {
      alias: `${prefix}-logs`,
      description: `Encrypts the logs of the functions of ${prefix}, and the audit in them`,
      retain,
    });
    logKey.allowLogGroups(FUNCTION_NAMES.map((one) => logGroupName(prefix, one)));
    const bundles = stagedBundles(props.bundles ?? PACKAGED_BUNDLES, policy.text);
    const variables = functionVariables(environment, {
      ledger,
      secret,
      proberSecret,
      policyDigest: policy.digest,
    });
    const make = (name: FunctionName, brokerUrl?: string): BrokerFunction => {
      const broker = new BrokerFunction(this, {
        name,
        prefix,
        environment,
        network: egress ?? props.network,
        logKey: logKey.key,
        bundle: path.join(bundles, name),
        variables: variables(name, brokerUrl),
      });
      const may: FunctionContract['may'] = FUNCTIONS[name].may;
      ledger.grant(broker.role, may);
      if (may.secret) secret.grantRead(broker.role);
      if (may.proberSecret) proberSecret.grantRead(broker.role);
      return broker;
    };
    const served = FUNCTION_NAMES.filter((name) => name !== 'prober').map((name) => make(name));
    const api = new TokenApi(this, 'api', { prefix, environment, functions: served, rules: policy.policy.rules });
    // After the API, because the prober calls the API from outside.
    const prober = make('prober', api.url);
    const all = [...served, prober];
    const named = (name: FunctionName) => all.find((broker) => broker.name === name) ?? prober;
    const [revoketoken, sweep] = [named('revoketoken'), named('sweep')];
    const events = new BrokerEvents(this, 'events', { prefix, environment, revoketoken, sweep, prober });
    const destinations = 'page' in props.alarms ? props.alarms : { page: props.alarms, ticket: props.alarms };
    const topicOf = (severity: Severity) =>
      new AlarmTopic(this, `${severity}-topic`, { prefix, severity, destination: destinations[severity] });
    const topics = { page: topicOf('page'), ticket: topicOf('ticket') };
    const keys = this.node.findAll().flatMap((one) => (one instanceof GuardedKey ? one.key : []));
    const sources = {
      environment: environment.name,
      access: new AccessMetrics(this, 'access', { environment: environment.name, log: api.accessLog }),
      events,
      secretWatch: new SecretWatch(this, 'secret-watch', { prefix, secret, keys, functions: all, retain }),
    };
    const alarms = new BrokerAlarms(this, 'alarms', {
      ...sources,
      functions: all,
      probed: environment.prober !== undefined,
      runbookUrl: environment.runbookUrl,
      topics,
    });
    const { dashboard } = new BrokerDashboard(this, 'dashboard', {
      ...sources,
      api,
      prefix,
      functions: all,
      ledger,
      alarms: alarms.all,
    });
    new SavedQueries(this, 'queries', { prefix, functions: all, accessLog: api.accessLog });
    new GradualDeployment(this, 'deployment', { prefix, pace: environment.deployment, functions: all, alarms });

    // Staged by now; without staging (`cdk --no-staging`), the template refers to the folder itself.
    if (this.node.tryGetContext(DISABLE_ASSET_STAGING_CONTEXT) === undefined) rmSync(bundles, { recursive: true });

    this.url = api.url;
    this.api = api.api;
    this.operatorArn = api.operatorArn;
    this.functions = Object.fromEntries(all.map((broker) => [broker.name, broker.live])) as Record<
      FunctionName,
      IFunction
    >;
    this.table = ledger.table;
    this.secretId = secret.id;
    this.alarms = alarms.all;
    this.alarmTopics = { page: topics.page.topic, ticket: topics.ticket.topic };
    this.dashboard = dashboard;
    this.deadLetters = events.deadLetters;
    this.egressAddress = egress?.address;
    this.entitlements = entitlementsOf(policy);
    this.codeHashes = Object.fromEntries(all.map(({ name, codeSha256 }) => [name, codeSha256]));
  }
}

/** A name of at most 20 characters from the construct's path, whose end is a digest of it. */
function nameOf(construct: Construct): string {
  return Names.uniqueResourceName(construct, { maxLength: 20, separator: '-' }).toLowerCase();
}

/** Whether two brokers would give their resources the same names, in the same account and region. */
function meets(one: TokenBroker, other: TokenBroker): boolean {
  if (one === other || one.prefix !== other.prefix) return false;
  const [here, there] = [Stack.of(one), Stack.of(other)];
  return here === there || (here.environment === there.environment && !here.environment.includes('unknown-'));
}

/** A copy of the bundles, each with the checked policy. */
function stagedBundles(bundles: string, policy: string): string {
  const folder = FileSystem.mkdtemp('thoughtspot-broker-');
  for (const name of FUNCTION_NAMES) {
    cpSync(path.join(bundles, name), path.join(folder, name), { recursive: true });
    writeFileSync(path.join(folder, name, POLICY_FILE_NAME), policy);
  }
  return folder;
}
