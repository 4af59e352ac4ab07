/**
 * The CDK app of one environment for the emulator: the project's own, without the constructs of left-out.ts. What
 * DRIVE_LEAVES_IN names of them stays, so that the deployment fails.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CfnAlias } from 'aws-cdk-lib/aws-lambda';
import { makeBrokerApp } from '../../infra/broker-app.ts';
import { bundleAll, PROJECT_ROOT } from '../../infra/bundles.ts';
import { regionIn } from '../../infra/deployed-stack.ts';
import { loadEnvironment } from '../../infra/environment-files.ts';
import { TokenBroker } from '../../infra/token-broker.ts';
import { LEFT_OUT } from './left-out.ts';

interface Template {
  readonly Resources: Readonly<
    Record<string, { readonly Properties?: { readonly CorsConfiguration?: Record<string, unknown> } }>
  >;
}

const { env } = process;
const environment = loadEnvironment(env['BROKER_ENVIRONMENT'], {
  account: env['BROKER_ACCOUNT'] ?? env['CDK_DEFAULT_ACCOUNT'],
  region: regionIn(env),
});
const bundles = await bundleAll(path.join(PROJECT_ROOT, '.cache', 'bundles', environment.name));
const app = makeBrokerApp(environment, bundles);
for (const broker of app.node.findAll().filter((one) => one instanceof TokenBroker)) {
  const within = broker.node.path.length + 1;
  for (const { takes, what } of LEFT_OUT)
    for (const one of broker.node.findAll().filter((each) => takes?.(each, each.node.path.slice(within)))) {
      // What fails shall fail late, when production's table is there.
      if (what === env['DRIVE_LEAVES_IN']) one.node.addDependency(broker.table);
      else one.node.scope?.node.tryRemoveChild(one.node.id);
    }
  for (const alias of broker.node.findAll().filter((one) => one instanceof CfnAlias))
    delete alias.cfnOptions.updatePolicy;
}
// As the API itself spells it, too, once the CDK has checked the template.
for (const { templateFullPath: file } of app.synth().stacks) {
  const template = JSON.parse(readFileSync(file, 'utf8')) as Template;
  for (const { Properties: { CorsConfiguration: cors } = {} } of Object.values(template.Resources))
    for (const [key, value] of Object.entries(cors ?? {}))
      Object.assign(cors ?? {}, { [key.charAt(0).toLowerCase() + key.slice(1)]: value });
  writeFileSync(file, JSON.stringify(template));
}
