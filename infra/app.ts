import path from 'node:path';
import { makeBrokerApp } from './broker-app.ts';
import { bundleFunctions, PROJECT_ROOT } from './bundles.ts';
import { loadEnvironment } from './environment-files.ts';
import { environmentPolicy } from './environment-policy.ts';

/** `cdk` runs this (cdk.json). BROKER_ENVIRONMENT names the environment; infra/commands.ts sets it. */
const { env } = process;
try {
  const environment = loadEnvironment(env['BROKER_ENVIRONMENT'], {
    account: env['BROKER_ACCOUNT'] ?? env['CDK_DEFAULT_ACCOUNT'],
    region: env['BROKER_REGION'] ?? env['CDK_DEFAULT_REGION'] ?? env['AWS_REGION'],
  });
  const folder = path.join(PROJECT_ROOT, '.cache', 'bundles', environment.name);
  makeBrokerApp(environment, await bundleFunctions(folder, environmentPolicy(environment))).synth();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
