import path from 'node:path';
import { App, CfnOutput, CfnParameter, Stack, Validations } from 'aws-cdk-lib';
import { CfnDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import { AwsSolutionsChecks } from 'cdk-nag';
import cdk from '../cdk.json' with { type: 'json' };
import { LEDGER_SCHEMA } from '../functions/contract/table.ts';
import { CODE_HASHES } from './assembly.ts';
import { stackName } from './deployed-stack.ts';
import { ENTITLEMENTS, PACE, PACES } from './deployment-pace.ts';
import { ENVIRONMENTS_FOLDER } from './environment-list.ts';
import type { Environment } from './environments/environment.ts';
import { TokenBroker } from './token-broker.ts';
import type { TokenBrokerProps } from './token-broker-props.ts';

/** The stack of one environment: the broker and what the commands ask CloudFormation for. */
class BrokerStack extends Stack {
  constructor(app: App, environment: Environment, bundles: string, policies: string) {
    const { account, region, ...settings } = environment;
    const name = stackName(environment.name);
    super(app, name, {
      stackName: name,
      description: `ThoughtSpot token broker, environment ${environment.name}`,
      env: { account, region },
      terminationProtection: environment.purpose === 'production',
    });
    const policyFile = path.join(policies, environment.policyFile);
    // The types of zod and of the CDK disagree only about properties that are there and undefined.
    const props = { ...settings, policyFile, bundles } as TokenBrokerProps;
    // The id Default adds nothing to the logical ids of what is in it.
    const broker = new TokenBroker(this, 'Default', props);
    // An assembly is deployed as it was built: how fast is said when it is deployed.
    const pace = new CfnParameter(this, PACE, {
      description: 'How new code comes to callers: npm run deploy says',
      allowedValues: Object.values(PACES),
      default: PACES[environment.deployment],
    });
    for (const one of broker.node.findAll())
      if (one instanceof CfnDeploymentGroup) one.deploymentConfigName = pace.valueAsString;
    new CfnOutput(this, 'ApiUrl', { value: broker.url });
    new CfnOutput(this, 'OperatorArn', { value: broker.operatorArn });
    new CfnOutput(this, 'Issuer', { value: environment.issuers.map(({ url }) => url).join(', ') });
    new CfnOutput(this, 'SecretName', { value: broker.secretId });
    new CfnOutput(this, 'LedgerTable', { value: broker.table.tableName });
    new CfnOutput(this, 'LedgerSchema', { value: String(LEDGER_SCHEMA) });
    new CfnOutput(this, ENTITLEMENTS, { value: broker.entitlements });
    new CfnOutput(this, CODE_HASHES, { value: JSON.stringify(broker.codeHashes) });
  }
}

/**
 * The CDK app of one environment. Synthesis fails on any open finding of cdk-nag's AwsSolutions pack. The feature flags are
 * those of cdk.json, however the app is started. `bundles` is the folder with the functions' bundles.
 */
export function makeBrokerApp(
  environment: Environment,
  bundles: string,
  outdir?: string,
  policies = ENVIRONMENTS_FOLDER,
): App {
  const app = new App({
    analyticsReporting: false,
    context: cdk.context,
    ...(outdir === undefined ? {} : { outdir }),
  });
  new BrokerStack(app, environment, bundles, policies);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}
