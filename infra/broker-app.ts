import { Annotations, App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { BrokerStack } from './broker-stack.ts';
import type { Bundles } from './bundles.ts';
import type { Environment } from './environments/environment.ts';

/** The CDK app of one environment. Synthesis fails on any open finding of cdk-nag's AwsSolutions pack. */
export function makeBrokerApp(environment: Environment, bundles: Bundles, outdir?: string): App {
  const app = new App({ analyticsReporting: false, ...(outdir === undefined ? {} : { outdir }) });
  const stack = new BrokerStack(app, environment, bundles);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  if (environment.issuer.scopes.token === 'none')
    Annotations.of(stack).addWarningV2(
      'thoughtspot-broker:no-scope',
      'issuer.scopes.token is "none": any token of the issuer with this audience is accepted, even an ID token.',
    );
  return app;
}
