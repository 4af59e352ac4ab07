import path from 'node:path';
import { makeBrokerApp } from './broker-app.ts';
import { bundleAll, PROJECT_ROOT } from './bundles.ts';
import { regionIn } from './deployed-stack.ts';
import { loadEnvironment } from './environment-files.ts';

/** `cdk` runs this (cdk.json). BROKER_ENVIRONMENT names the environment; infra/commands.ts sets it. */
const { env } = process;
try {
  if (!env['BROKER_ENVIRONMENT'])
    throw new Error(
      'No environment named. Instead of cdk run npm run bootstrap, synth, diff, deploy or destroy -- <environment>.',
    );
  const environment = loadEnvironment(env['BROKER_ENVIRONMENT'], {
    account: env['BROKER_ACCOUNT'] ?? env['CDK_DEFAULT_ACCOUNT'],
    region: regionIn(env),
  });
  const folder = path.join(PROJECT_ROOT, '.cache', 'bundles', environment.name);
  makeBrokerApp(environment, await bundleAll(folder)).synth();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
