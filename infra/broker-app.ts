import { Annotations, App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import cdk from '../cdk.json' with { type: 'json' };
import { BrokerStack } from './broker-stack.ts';
import type { Bundles } from './bundles.ts';
import { warningsOf } from './environment-policy.ts';
import type { Environment } from './environments/environment.ts';
import type { CheckedPolicy } from './policy/check.ts';

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
