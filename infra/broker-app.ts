import { Annotations, App, CfnOutput, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import cdk from '../cdk.json' with { type: 'json' };
import type { Bundles } from './bundles.ts';
import { stackName } from './deployed-stack.ts';
import { warningsOf } from './environment-policy.ts';
import type { Environment } from './environments/environment.ts';
import type { CheckedPolicy } from './policy/check.ts';
import { TokenBroker } from './token-broker.ts';

/** The stack of one environment: the broker and what the commands ask CloudFormation for. */
class BrokerStack extends Stack {
  constructor(app: App, environment: Environment, bundles: Bundles) {
    const name = stackName(environment.name);
    super(app, name, {
      stackName: name,
      description: `ThoughtSpot token broker, environment ${environment.name}`,
      env: { account: environment.account, region: environment.region },
      terminationProtection: environment.purpose === 'production',
    });
    // The id Default adds nothing to the logical ids of what is in it.
    const broker = new TokenBroker(this, 'Default', { environment, bundles });
    new CfnOutput(this, 'ApiUrl', { value: broker.url });
    new CfnOutput(this, 'Issuer', { value: environment.issuer.url });
    new CfnOutput(this, 'SecretName', { value: broker.secretId });
    new CfnOutput(this, 'LedgerTable', { value: broker.table.tableName });
  }
}

/**
 * The CDK app of one environment. Synthesis fails on any open finding of cdk-nag's AwsSolutions pack. The feature flags are
 * those of cdk.json, however the app is started.
 */
export function makeBrokerApp(environment: Environment, policy: CheckedPolicy, bundles: Bundles, outdir?: string): App {
  const app = new App({
    analyticsReporting: false,
    context: cdk.context,
    ...(outdir === undefined ? {} : { outdir }),
  });
  const stack = new BrokerStack(app, environment, bundles);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  for (const [id, text] of warningsOf(environment, policy))
    Annotations.of(stack).addWarningV2(`thoughtspot-broker:${id}`, text);
  return app;
}
