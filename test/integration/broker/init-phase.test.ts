/** What the bundles ask for while Lambda still initialises them: nothing waits for something that it does not need. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE_HANDLER } from '../../../functions/contract/bundle.ts';
import { FUNCTIONS, type FunctionName } from '../../../functions/contract/functions.ts';
import { bundleFunctions } from '../../../infra/bundles.ts';
import { checkPolicy } from '../../../infra/policy/check.ts';
import { buildBootstrap } from '../../../local/function-set.ts';
import { functionVariables, scopesOf } from '../../../local/function-variables.ts';
import { OutputLog } from '../../../local/lambda/output.ts';
import { Sandbox } from '../../../local/lambda/sandbox.ts';
import { closeServer, listen } from '../../../local/network.ts';
import { demoPolicyWith } from '../../support/raised-limits.ts';

/** The functions that verify tokens. */
const VERIFIES = ['gettoken', 'revoketoken', 'sessioninfo', 'operator'] as const satisfies readonly FunctionName[];
const SECRET = 'secretsmanager.GetSecretValue';
const KEYS = '/keys-of-the-issuer';

let folder: string;
let bootstrap: string;
let server: Server;
/** Answers nothing: whoever is asked second by one sandbox was asked without the first one's answer. */
let url: string;
let asked: string[] = [];
let told: () => void = () => undefined;
const policy = checkPolicy(demoPolicyWith({}));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'init-phase-'));
  bootstrap = await buildBootstrap(folder);
  await bundleFunctions(folder, policy);
  server = createServer(({ url: path = '', headers }) => {
    asked.push(String(headers['x-amz-target'] ?? path));
    told();
  });
  url = await listen(server, 0, 'whatever is asked');
});
afterAll(async () => {
  await closeServer(server);
  await rm(folder, { recursive: true });
});

/** Starts a sandbox, gives it no event, and resolves once it has asked for all of these. */
async function initialised(name: FunctionName, wanted: readonly string[]): Promise<void> {
  asked = [];
  const issuer = { url, audiences: ['broker'], scopes: scopesOf({}), algorithms: ['RS256'], jwksUri: `${url}${KEYS}` };
  const backing = {
    ...{ brokerUrl: url, thoughtspotHost: url, dialect: 'auth-2.0', keyId: 'key', logLevel: 'INFO' },
    issuers: [],
    endpoints: { SECRETS_MANAGER: url, KMS: url, DYNAMODB: url },
  };
  const sandbox = new Sandbox({
    ...{ functionName: name, taskRoot: join(folder, name), handler: BUNDLE_HANDLER, bootstrap, freeze: false },
    variables: {
      ...functionVariables(name, backing, { ISSUERS: JSON.stringify([issuer]) }),
      POLICY_VERSION: policy.digest,
    },
    memoryMb: FUNCTIONS[name].memoryMb,
    output: new OutputLog(),
  });
  // It is given no event. It may become ready before it has asked, but never fails.
  const started = sandbox.start(60_000);
  const all = async () => {
    while (!wanted.every((one) => asked.includes(one))) await new Promise<void>((resolve) => (told = resolve));
  };
  try {
    await Promise.all([started, all()]);
  } finally {
    await sandbox.kill();
  }
}

test('gettoken asks for the keys of the issuer beside the secret, before there is any request', async () => {
  await initialised('gettoken', [KEYS, SECRET]);
});

test.each(VERIFIES.slice(1))('%s asks for the keys of the issuer before there is any request', async (name) => {
  await initialised(name, [KEYS]);
  expect(asked).not.toContain(SECRET);
});
