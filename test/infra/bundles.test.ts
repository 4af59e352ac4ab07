import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import { BUNDLE_FILE, BUNDLE_HANDLER } from '../../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../../functions/contract/functions.ts';
import type { FunctionContract, FunctionName } from '../../functions/contract/functions.ts';
import { bundleFiles, bundleFunctions } from '../../infra/bundles.ts';
import { checkPolicyText } from '../../infra/policy/check.ts';
import { buildBootstrap } from '../../local/function-set.ts';
import { LocalFunction } from '../../local/lambda/local-function.ts';
import { OutputLog } from '../../local/lambda/output.ts';
import { text } from '../support/iam-evaluator.ts';
import { resources, synthesizedEnvironments, taskRootOf } from '../support/synthesized.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bundles-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
const environments = synthesizedEnvironments();
const [dev] = environments.filter(({ name }) => name === 'dev');

/** An event that gets as far as the configuration; the rest take any. */
const EVENTS: Partial<Record<FunctionName, object>> = {
  revoketoken: {
    source: 'schedule',
    name: 'nightly',
    scheduledTime: '2026-01-01T00:00:00Z',
    select: { userName: 'x' },
  },
};

/** Bytes, minified: what a cold start has to load. Raise one only with a measurement of what it costs. */
const BUDGETS: Record<FunctionName, number> = {
  gettoken: 700_000,
  revoketoken: 700_000,
  sessioninfo: 700_000,
  operator: 700_000,
  sweep: 650_000,
  prober: 550_000,
};

function largestContributors(metafile: Metafile): string {
  const [output] = Object.values(metafile.outputs);
  const perPackage = new Map<string, number>();
  for (const [file, { bytesInOutput }] of Object.entries(output?.inputs ?? {})) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? path.dirname(file);
    perPackage.set(name, (perPackage.get(name) ?? 0) + bytesInOutput);
  }
  const largest = [...perPackage].sort(([, a], [, b]) => b - a).slice(0, 5);
  return largest.map(([name, bytes]) => `${name} ${bytes}`).join(', ');
}

test.each(FUNCTION_NAMES)('the bundle of %s keeps its budget', async (name) => {
  const metafile = await bundleFiles({ [name]: FUNCTIONS[name].entry }, path.join(folder, 'budget'));
  const bytes = Object.values(metafile.outputs)[0]?.bytes ?? Infinity;
  const verdict =
    bytes <= BUDGETS[name] ? 'within budget' : `${bytes} bytes; largest: ${largestContributors(metafile)}`;
  expect(verdict).toBe('within budget');
});

test.each(FUNCTION_NAMES)('the bundle of %s has a client of AWS exactly for what its role may touch', async (name) => {
  const metafile = await bundleFiles({ [name]: FUNCTIONS[name].entry }, path.join(folder, 'clients'));
  const [output] = Object.values(metafile.outputs);
  const loaded = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const clients = new Set(loaded.flatMap(([file]) => /@aws-sdk\/client-([\w-]+)/.exec(file)?.[1] ?? []));
  const may: FunctionContract['may'] = FUNCTIONS[name].may;
  expect([...clients].sort()).toEqual([
    ...(may.ledger === 'none' ? [] : ['dynamodb', 'kms']),
    ...(may.secret || may.proberSecret ? ['secrets-manager'] : []),
  ]);
});

test('the deployed bundles are, byte for byte, those of the local set', async () => {
  const policy = path.join(import.meta.dirname, '..', '..', 'infra', 'environments', 'policy.dev.json');
  const local = path.join(folder, 'local');
  await bundleFunctions(local, checkPolicyText(readFileSync(policy, 'utf8')));
  const ours = FUNCTION_NAMES.map((name) => digest(path.join(local, name, BUNDLE_FILE))).sort();
  for (const { assembly } of environments) {
    const assets = readdirSync(assembly).filter((name) => name.startsWith('asset.'));
    expect(assets.map((asset) => digest(path.join(assembly, asset, BUNDLE_FILE))).sort()).toEqual(ours);
  }
});

describe('under the Runtime API, with the environment block of the template', () => {
  const running: LocalFunction[] = [];
  afterAll(() => Promise.all(running.map((one) => one.close())));
  let bootstrap = '';
  beforeAll(async () => {
    bootstrap = await buildBootstrap(folder);
  });

  /** The function's variables with CloudFormation's references filled in; AWS itself is out of reach. */
  function variablesOf(name: FunctionName): Record<string, string> {
    if (dev === undefined) throw new Error('dev was not synthesized');
    const [, properties] =
      resources(dev, 'AWS::Lambda::Function').find(([id]) => id.startsWith(`${name}function`)) ?? [];
    const { Variables } = properties?.['Environment'] as { Variables: Record<string, unknown> };
    const filled = Object.entries(Variables).map(([key, value]) => [
      key,
      text(value).replace(/^\$\{(.*)\}$/, 'filled-$1'),
    ]);
    return {
      ...(Object.fromEntries(filled) as Record<string, string>),
      // In the template it is a join of references; real API ids are in lower case.
      ...('BROKER_URL' in Variables ? { BROKER_URL: 'https://abc.execute-api.eu-central-1.amazonaws.com' } : {}),
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      AWS_MAX_ATTEMPTS: '1',
    };
  }

  async function run(name: FunctionName, variables: Record<string, string>): Promise<string> {
    const output = new OutputLog();
    const local = new LocalFunction({
      functionName: name,
      taskRoot: dev === undefined ? '' : taskRootOf(dev, name),
      handler: BUNDLE_HANDLER,
      variables,
      memoryMb: FUNCTIONS[name].memoryMb,
      timeoutMs: FUNCTIONS[name].timeoutSeconds * 1000,
      bootstrap,
      freeze: false,
      output,
    });
    running.push(local);
    const invocation = await local.invoke(EVENTS[name] ?? { version: '2.0' });
    return JSON.stringify(invocation) + output.text();
  }

  test.each(FUNCTION_NAMES)('%s starts and takes its variables', async (name) => {
    expect(await run(name, variablesOf(name))).not.toMatch(
      /environment variables|Runtime\.(ImportModule|HandlerNotFound|ExitError)/,
    );
  });

  test.each(FUNCTION_NAMES)('%s says which variable it misses', async (name) => {
    const missing = name === 'prober' ? 'BROKER_URL' : 'LEDGER_TABLE';
    const { [missing]: _left, ...rest } = variablesOf(name);
    expect(await run(name, rest)).toContain(`${missing} is not set`);
  });
});
