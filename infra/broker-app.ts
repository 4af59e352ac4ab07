import { Annotations, App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { BrokerStack } from './broker-stack.ts';
import type { Bundles } from './bundles.ts';
import type { Environment } from './environments/environment.ts';

/** The CDK app of one environment, with cdk-nag's AwsSolutions pack as a gate of its synthesis. */
export function makeBrokerApp(environment: Environment, bundles: Bundles, outdir?: string): App {
  const app = new App({ analyticsReporting: false, ...(outdir === undefined ? {} : { outdir }) });
  const stack = new BrokerStack(app, environment, bundles);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  if (environment.issuer.scopes.token === 'none')
    Annotations.of(stack).addWarningV2(
      'thoughtspot-broker:no-scope',
      'issuer.scopes.token is "none": any token of the issuer with this audience may ask, an ID token too.',
    );
  return app;
}
