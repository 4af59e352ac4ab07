/**
 * Synthesizes every environment, and two made-up ones that use every option, into the folder that is its argument. It is
 * a separate program, because plain Node loads the CDK several times faster than a test runner does.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import { makeBrokerApp } from '../../infra/broker-app.ts';
import { bundleAll } from '../../infra/bundles.ts';
import { loadEnvironment } from '../../infra/environment-files.ts';
import { ENVIRONMENTS_FOLDER, knownEnvironments } from '../../infra/environment-list.ts';
import { parseEnvironment } from '../../infra/environments/environment.ts';
import type { Environment } from '../../infra/environments/environment.ts';
import prod from '../../infra/environments/prod.ts';

const [issuer] = prod.issuers;
const target = { account: '111122223333', region: 'eu-central-1' };

const everyOption = parseEnvironment(
  'every-option',
  {
    ...prod,
    secret: { create: 'thoughtspot-broker/every-option', readers: ['arn:aws:iam::111122223333:role/rotation'] },
    prober: { secret: { create: 'thoughtspot-broker/every-option/prober' } },
    rotation: { functionArn: 'arn:aws:lambda:eu-central-1:111122223333:function:rotate', everyDays: 90 },
    concurrency: Object.fromEntries(FUNCTION_NAMES.map((name) => [name, { reserved: 5, provisioned: 2 }])),
    revocationSchedules: [
      ...prod.revocationSchedules,
      { name: 'org', expression: 'rate(1 day)', timeZone: 'UTC', select: { orgId: 7 } },
      { name: 'user', expression: 'rate(1 day)', timeZone: 'UTC', select: { userName: 'kiosk' } },
    ],
    alarms: {
      page: { topicArn: 'arn:aws:sns:eu-central-1:111122223333:on-call' },
      ticket: { topicArn: 'arn:aws:sns:eu-central-1:111122223333:team' },
    },
    allowedHeaders: ['traceparent', 'baggage', 'sentry-trace'],
    issuers: [
      {
        ...issuer,
        jwksUri: 'https://login.example.com/keys',
        longestTokenSeconds: 43_200,
        refuseNonce: true,
        logoutClients: ['app'],
      },
      {
        ...issuer,
        name: 'partner',
        url: 'https://login.partner.example/',
        audiences: ['broker', 'a2'],
        sessionClaim: 'sid',
        logoutClients: ['app'],
        logoutType: 'JWT',
        scopes: { token: 'broker:token' },
      },
    ],
    customDomain: {
      name: 'tokens.example.com',
      certificateArn: 'arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-4000-8000-000000000000',
    },
    fixedEgress: { cidr: '10.20.0.0/24', zones: ['eu-central-1a', 'eu-central-1b'] },
  },
  target,
);
const importedSecret = parseEnvironment(
  'imported-secret',
  {
    ...prod,
    purpose: 'staging',
    issuers: [{ ...issuer, scopes: { token: 'none', revoke: 'broker:revoke' } }],
    alarms: { topicArn: 'arn:aws:sns:eu-central-1:111122223333:all' },
    secret: { import: 'shared/thoughtspot' },
    ledger: { import: 'ledger-restored-2026-11-27' },
    // The 300 customers of docs/tenants.md.
    policyFile: 'policy.example-tenants.json',
    prober: { secret: { import: 'thoughtspot-broker/imported-secret/prober' } },
    deprovisionedEvents: { source: 'com.example.identity', eventBusName: 'identity' },
  },
  target,
);

const [folder = ''] = process.argv.slice(2);
const environments: Environment[] = [
  ...knownEnvironments().map((name) => loadEnvironment(name, target)),
  everyOption,
  importedSecret,
];
const bundles = await bundleAll(mkdtempSync(path.join(os.tmpdir(), 'bundles-')));
for (const environment of environments) {
  const own = path.join(folder, environment.name);
  mkdirSync(own, { recursive: true });
  copyPolicy(environment, own);
  const app = makeBrokerApp(environment, bundles, path.join(own, 'assembly'), own);
  app.synth();
  writeFileSync(path.join(own, 'environment.json'), JSON.stringify(environment));
  writeFileSync(path.join(own, 'acknowledged.json'), JSON.stringify(app.node.findAll().flatMap(acknowledged)));
}
rmSync(bundles, { recursive: true });

/** The environment's policy and its cases; where there are several issuers, all of it is for the first. */
function copyPolicy({ policyFile, issuers }: Environment, folder: string): void {
  const several = issuers.length > 1 ? { issuer: issuers[0]?.url } : {};
  for (const file of [policyFile, policyFile.replace(/\.json$/, '.cases.json')]) {
    const text = readFileSync(path.join(ENVIRONMENTS_FOLDER, file), 'utf8');
    const add = (key: string, value: unknown): unknown =>
      (key === 'rules' || key === 'cases') && Array.isArray(value)
        ? value.map((one: object) => ({ ...one, ...several }))
        : value;
    writeFileSync(path.join(folder, file), JSON.stringify(JSON.parse(text, add)));
  }
}

/** Id and reason of each finding that a construct acknowledges. */
function acknowledged(construct: IConstruct): [string, string][] {
  return construct.node.metadata
    .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    .flatMap(({ data }) => Object.entries(data as Record<string, string>))
    .map(([id, reason]) => [id.replace(/^Annotation::/, ''), reason]);
}
