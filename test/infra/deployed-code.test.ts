import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import { builtHashes } from '../../infra/assembly.ts';
import { examiner } from '../../infra/doctor/checklist.ts';
import type { Check } from '../../infra/doctor/checklist.ts';
import { examineCode } from '../../infra/doctor/code.ts';
import { synthesizedEnvironments } from '../support/synthesized.ts';

const [dev] = synthesizedEnvironments().filter(({ name }) => name === 'dev');
if (dev === undefined) throw new Error('dev was not synthesized');
const built = builtHashes(dev.assembly, 'dev');

/** What Lambda says: versions of the alias `live`, and the hash of each; by default what was built. */
let weights: Record<string, number> = {};
let served: (name: string, version: string) => string | undefined;
const lambda = createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://x');
  const [, name = '', what = ''] = /functions\/thoughtspot-broker-dev-(\w+)\/(\w+)/.exec(url.pathname) ?? [];
  response.setHeader('content-type', 'application/json');
  if (what === 'aliases') {
    response.end(JSON.stringify({ FunctionVersion: '7', RoutingConfig: { AdditionalVersionWeights: weights } }));
    return;
  }
  const hash = served(name, url.searchParams.get('Qualifier') ?? '');
  response.statusCode = hash === undefined ? 403 : 200;
  if (hash === undefined) response.setHeader('x-amzn-errortype', 'AccessDeniedException');
  response.end(JSON.stringify({ CodeSha256: hash }));
});
beforeAll(async () => {
  await new Promise<void>((resolve) => lambda.listen(0, '127.0.0.1', resolve));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
});
beforeEach(() => {
  weights = {};
  served = (name) => built[name];
});
afterAll(() => lambda.close());

const stack = { CodeHashes: JSON.stringify(built) };
async function check(outputs: Record<string, string> | undefined, assembly?: string): Promise<Check | undefined> {
  const checks: Check[] = [];
  if (dev) await examineCode(examiner('environment', checks), dev.environment, outputs, assembly);
  return checks[0];
}

describe('the code that is deployed', () => {
  test('passes if every function serves what was built, by the stack or by an assembly', async () => {
    expect(await check(stack)).toMatchObject({
      name: 'deployed code',
      status: 'passed',
      detail: `${FUNCTION_NAMES.length} functions run the code of the last deployment`,
    });
    expect(await check(stack, dev.assembly)).toMatchObject({
      status: 'passed',
      detail: `${FUNCTION_NAMES.length} functions run the code of ${dev.assembly}`,
    });
  });

  test('that was changed outside of a deployment is found, with the function, both hashes and what to do', async () => {
    served = (name) => (name === 'sweep' ? 'somebody-elses=' : built[name]);
    for (const assembly of [undefined, dev.assembly]) {
      const result = await check(stack, assembly);
      expect(result?.status).toBe('failed');
      expect(result?.detail).toContain(`: sweep (version 7: somebody-elses=, built: ${built['sweep']})`);
      expect(result?.detail).not.toContain('gettoken');
      expect(result?.cure).toContain('UpdateFunctionCode');
    }
  });

  test('is compared with the assembly, whatever the stack says', async () => {
    const forged = JSON.stringify({ ...built, gettoken: 'forged=' });
    served = (name) => (name === 'gettoken' ? 'forged=' : built[name]);
    expect(await check({ CodeHashes: forged })).toMatchObject({ status: 'passed' });
    expect(await check({ CodeHashes: forged }, dev.assembly)).toMatchObject({ status: 'failed' });
  });

  test('is told to be between two versions while a deployment shifts traffic, and both are looked at', async () => {
    weights = { '8': 0.1 };
    served = (name, version) => (version === '8' ? built[name] : 'before=');
    expect(await check(stack)).toMatchObject({
      status: 'failed',
      detail: 'gettoken is between two versions: 7 and 8',
      cure: 'A gradual deployment is under way. Run the doctor again when it has ended.',
    });
  });

  test('is not examined where AWS does not say, or the stack is older than this check', async () => {
    served = () => undefined;
    const refused = await check(stack);
    expect(refused?.status).toBe('skipped');
    expect(refused?.detail).toContain('AccessDeniedException');
    expect((await check({}))?.detail).toContain('does not say what was built');
    expect((await check(undefined))?.detail).toContain('needs the result of stack');
  });
});
