/**
 * The init phase of the real bundle: index.mjs under the Runtime API, before a ThoughtSpot that speaks TLS, and with something
 * that accepts connections and hangs.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BUNDLE_HANDLER } from '../../../functions/contract/bundle.ts';
import { bundleFunctions, type Bundles } from '../../../infra/bundles.ts';
import { checkPolicy } from '../../../infra/policy/check.ts';
import { secretDocument, startLocalAws, type LocalAws } from '../../../local/aws/local-aws.ts';
import { bundleFilesOnce } from '../../../local/bundles-once.ts';
import { buildBootstrap } from '../../../local/function-set.ts';
import { functionVariables, SECRET_ID, TABLE_NAME } from '../../../local/function-variables.ts';
import { startIssuer, type Issuer } from '../../../local/issuer.ts';
import { LocalFunction } from '../../../local/lambda/local-function.ts';
import { OutputLog } from '../../../local/lambda/output.ts';
import { certificateFile, selfSigned } from '../../../local/thoughtspot/self-signed.ts';
import { startSimulator, type Simulator } from '../../../local/thoughtspot/simulator.ts';
import { crowd } from '../../support/crowd.ts';
import { httpEvent } from '../../support/http-event.ts';
import { demoPolicyWith, HIGHEST_LIMITS } from '../../support/raised-limits.ts';

const { names, users, cluster } = crowd(8);
const nextUser = names[Symbol.iterator]();
/** It would rather speak HTTP/2, which is not in the bundle. */
const tls = { ...selfSigned(), ALPNProtocols: ['h2', 'http/1.1'] };
const certificate = certificateFile(tls.cert);
const policy = checkPolicy(demoPolicyWith(HIGHEST_LIMITS));
let folder: string;
let bootstrap: string;
let bundles: Bundles;
let aws: LocalAws;
let issuer: Issuer;
let simulator: Simulator;
const running: LocalFunction[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'init-phase-'));
  [bootstrap, bundles, aws, issuer, simulator] = await Promise.all([
    buildBootstrap(folder),
    bundleFunctions(folder, policy, bundleFilesOnce),
    startLocalAws({ secrets: 0, kms: 0, dynamodb: 0 }, TABLE_NAME),
    startIssuer(users),
    startSimulator({ cluster, tls }),
  ]);
  aws.secrets.put(SECRET_ID, JSON.stringify(secretDocument({ kind: 'simulator', dialect: 'auth-2.0' }, cluster)));
});
afterAll(async () => {
  await Promise.all(running.map((one) => one.close()));
  await Promise.all([aws.close(), issuer.close(), simulator.close()]);
  for (const one of [folder, dirname(certificate)]) await rm(one, { recursive: true, force: true });
});

/** A gettoken without a sandbox yet. `change`: of its environment variables. */
function gettoken(change: (variables: Record<string, string>) => Record<string, string> = (same) => same) {
  const { secrets, kms, dynamodb, keyId } = aws;
  const backing = {
    brokerUrl: 'http://127.0.0.1:9',
    thoughtspotHost: simulator.url,
    dialect: 'auth-2.0',
    keyId,
    issuers: [{ issuer }],
    logLevel: 'INFO',
    endpoints: { SECRETS_MANAGER: secrets.url, KMS: kms.url, DYNAMODB: dynamodb.url },
  };
  const variables = functionVariables('gettoken', backing, { POLICY_VERSION: policy.digest });
  const output = new OutputLog();
  const local = new LocalFunction({
    functionName: 'gettoken',
    taskRoot: bundles.folders.gettoken,
    handler: BUNDLE_HANDLER,
    variables: { ...variables, NODE_EXTRA_CA_CERTS: certificate, ...change(variables) },
    memoryMb: 512,
    timeoutMs: 20_000,
    bootstrap,
    freeze: true,
    output,
  });
  running.push(local);
  return { local, output };
}

async function ask(local: LocalFunction) {
  const jwt = await issuer.accessToken(nextUser.next().value ?? '');
  const invocation = await local.invoke(httpEvent({ authorization: `Bearer ${jwt}` }));
  if (invocation.status !== 'answered') throw new Error(JSON.stringify(invocation));
  const { statusCode, body } = JSON.parse(invocation.payload) as { statusCode: number; body: string };
  const { code } = JSON.parse(body) as { code?: string };
  return { statusCode, code, initMs: invocation.initMs ?? NaN };
}

/** Accepts connections and never answers, until it is told to break all of them. */
async function startHanging() {
  const sockets = new Set<Socket>();
  let connections = 0;
  let givenUp = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined).on('data', () => undefined);
    socket.on('close', () => {
      givenUp += 1;
      sockets.delete(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts: () => ({ connections, givenUp }),
    breakAll() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const withKeysAt = (url: string, { ISSUERS: json = '[]' }: Record<string, string>) => ({
  ISSUERS: JSON.stringify((JSON.parse(json) as object[]).map((one) => ({ ...one, jwksUri: url }))),
});

type Change = (url: string, variables: Record<string, string>) => Record<string, string>;

test.concurrent.each<[string, string, Change]>([
  ['Secrets Manager', 'secret-unavailable', (url) => ({ AWS_ENDPOINT_URL_SECRETS_MANAGER: url })],
  ['DynamoDB', 'ledger-unavailable', (url) => ({ AWS_ENDPOINT_URL_DYNAMODB: url })],
  ['KMS', 'key-unavailable', (url) => ({ AWS_ENDPOINT_URL_KMS: url })],
  ['the issuer', 'issuer-unavailable', withKeysAt],
])('it does not wait until a call to %s that hangs is given up, and the request fails with %s', async (...row) => {
  const [_what, code, change] = row;
  const hanging = await startHanging();
  const { local, output } = gettoken((variables) => change(hanging.url, variables));
  const answer = ask(local);
  await output.waitFor(({ text }) => text.startsWith('START '));
  const atStart = hanging.counts();
  hanging.breakAll();
  expect(await answer).toMatchObject({ statusCode: 503, code });
  // A call to AWS or to the issuer is given up after 1.5 s.
  expect(atStart.givenUp).toBe(0);
  expect(hanging.counts().connections).toBeGreaterThan(0);
});

test('it ends when all is read that the first request needs, which mints over TLS', async () => {
  const { local, output } = gettoken();
  const { secrets, kms, dynamodb } = aws;
  const before = [secrets, kms, dynamodb].map(({ calls }) => calls.length);
  const answer = ask(local);
  await output.waitFor(({ text }) => text.startsWith('START '));
  const [ofSecrets, ofKms, ofDynamoDb] = [secrets, kms, dynamodb].map(({ calls }, index) =>
    calls.slice(before[index]).map(({ operation }) => operation),
  );
  const { statusCode, initMs } = await answer;
  expect(statusCode).toBe(200);
  // On a machine that is so slow, the init phase has ended with work under way, as it should.
  if (initMs >= 1_000) return;
  expect(ofSecrets).toEqual(['GetSecretValue']);
  // The data key of the hour and the digest key: from the table, or made by the first sandbox of all.
  expect(ofKms?.map((operation) => operation.replace('GenerateDataKey', 'Decrypt'))).toEqual(['Decrypt', 'Decrypt']);
  expect(ofDynamoDb?.filter((operation) => operation === 'GetItem')).toHaveLength(2);
});
