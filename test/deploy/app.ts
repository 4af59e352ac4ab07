/** The CDK app of one environment for the emulator: the project's own, without the constructs of left-out.ts. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { CfnAlias } from 'aws-cdk-lib/aws-lambda';
import { BUNDLE_FILE } from '../../functions/contract/bundle.ts';
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import { makeBrokerApp } from '../../infra/broker-app.ts';
import { bundleAll, PROJECT_ROOT } from '../../infra/bundles.ts';
import { regionIn } from '../../infra/deployed-stack.ts';
import { loadEnvironment } from '../../infra/environment-files.ts';
import { TokenBroker } from '../../infra/token-broker.ts';
import { LEFT_OUT } from './left-out.ts';

const { env } = process;
const environment = loadEnvironment(env['BROKER_ENVIRONMENT'], {
  account: env['BROKER_ACCOUNT'] ?? env['CDK_DEFAULT_ACCOUNT'],
  region: regionIn(env),
});
const bundles = await bundleAll(path.join(PROJECT_ROOT, '.cache', 'bundles', environment.name));
for (const name of FUNCTION_NAMES)
  writeFileSync(path.join(bundles, name, 'index.js'), `module.exports = require('./${BUNDLE_FILE}');\n`);
const app = makeBrokerApp(environment, bundles);
for (const broker of app.node.findAll().filter((one) => one instanceof TokenBroker)) {
  for (const { construct } of LEFT_OUT) {
    const [last = '', ...above] = construct?.split('/').reverse() ?? [];
    const parent = above.reduceRight((from, id) => from.findChild(id).node, broker.node);
    if (construct !== undefined) parent.tryRemoveChild(last);
  }
  for (const alias of broker.node.findAll().filter((one) => one instanceof CfnAlias))
    delete alias.cfnOptions.updatePolicy;
}
app.synth();
