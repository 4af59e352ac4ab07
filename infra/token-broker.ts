import { Tags } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import { FUNCTION_NAMES, FUNCTIONS } from '../functions/contract/functions.ts';
import type { FunctionContract, FunctionName } from '../functions/contract/functions.ts';
import type { Bundles } from './bundles.ts';
import { AlarmTopic } from './constructs/alarm-topic.ts';
import { BrokerAlarms } from './constructs/broker-alarms.ts';
import { BrokerEvents } from './constructs/broker-events.ts';
import { BrokerFunction } from './constructs/broker-function.ts';
import { BrokerDashboard } from './constructs/dashboard.ts';
import { FixedEgress } from './constructs/fixed-egress.ts';
import { GradualDeployment } from './constructs/gradual-deployment.ts';
import { ProberSecret } from './constructs/prober-secret.ts';
import { SecretWatch } from './constructs/secret-watch.ts';
import { ThoughtSpotSecret } from './constructs/thoughtspot-secret.ts';
import { TokenApi } from './constructs/token-api.ts';
import { TokenLedger } from './constructs/token-ledger.ts';
import { stackName } from './deployed-stack.ts';
import type { Environment } from './environments/environment.ts';
import { functionVariables } from './function-variables.ts';

export interface TokenBrokerProps {
  readonly environment: Environment;
  readonly bundles: Bundles;
}

/** The whole broker of one environment. It only composes the constructs; every decision is in one of them. */
export class TokenBroker extends Construct {
  /** Where callers reach it. */
  readonly url: string;
  /** Name or ARN of the secret with the credential. */
  readonly secretId: string;
  readonly table: Table;

  constructor(scope: Construct, id: string, { environment, bundles }: TokenBrokerProps) {
    super(scope, id);
    const prefix = stackName(environment.name);
    const retain = environment.purpose === 'production';
    Tags.of(this).add('service', 'thoughtspot-token-broker');
    Tags.of(this).add('environment', environment.name);

    const ledger = new TokenLedger(this, 'ledger', { prefix, environment: environment.name, retain });
    const secret = new ThoughtSpotSecret(this, 'secret', {
      prefix,
      settings: environment.secret,
      rotation: environment.rotation,
      retain,
    });
    const proberSecret = new ProberSecret(this, 'prober-secret', {
      // Without a prober its function is deployed but never runs; nothing is created for it.
      secret: environment.prober?.secret ?? { import: `thoughtspot-broker/${environment.name}/prober` },
    });
    const egress =
      environment.fixedEgress && new FixedEgress(this, 'egress', { prefix, settings: environment.fixedEgress });

    const variables = functionVariables(environment, {
      ledger,
      secret,
      proberSecret,
      policyDigest: bundles.policyDigest,
    });
    const make = (name: FunctionName, brokerUrl?: string): BrokerFunction => {
      const broker = new BrokerFunction(this, {
        name,
        prefix,
        environment,
        egress,
        bundle: bundles.folders[name],
        variables: variables(name, brokerUrl),
      });
      const may: FunctionContract['may'] = FUNCTIONS[name].may;
      ledger.grant(broker.role, may);
      if (may.secret) secret.grantRead(broker.role);
      if (may.proberSecret) proberSecret.grantRead(broker.role);
      return broker;
    };
    const served = FUNCTION_NAMES.filter((name) => name !== 'prober').map((name) => make(name));
    const api = new TokenApi(this, 'api', { prefix, environment, functions: served });
    // After the API, because the prober calls the API from outside.
    const prober = make('prober', api.url);
    const all = [...served, prober];
    const named = (name: FunctionName) => all.find((broker) => broker.name === name) ?? prober;
    const [revoketoken, sweep] = [named('revoketoken'), named('sweep')];
    const events = new BrokerEvents(this, 'events', { prefix, environment, revoketoken, sweep, prober });
    const { topic } = new AlarmTopic(this, 'alarm-topic', { prefix, settings: environment.alarms });
    const alarms = new BrokerAlarms(this, 'alarms', {
      environment: environment.name,
      functions: all,
      api,
      events,
      secretWatch: new SecretWatch(this, 'secret-watch', { prefix, secret, retain }),
      topic,
    });
    new BrokerDashboard(this, 'dashboard', { prefix, environment: environment.name, functions: all });
    new GradualDeployment(this, 'deployment', { prefix, pace: environment.deployment, functions: all, alarms });

    this.url = api.url;
    this.secretId = secret.id;
    this.table = ledger.table;
  }
}
