import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import { unzipSync } from 'fflate';
import { BUNDLE_FILE, BUNDLE_HANDLER } from '../../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../../functions/contract/functions.ts';
import type { FunctionContract, FunctionName } from '../../functions/contract/functions.ts';
import { builtHashes } from '../../infra/assembly.ts';
import { bundleFiles, bundleFunctions } from '../../infra/bundles.ts';
import { packFolder } from '../../infra/deployment-package.ts';
import { checkPolicyText } from '../../infra/policy/check.ts';
import { buildBootstrap } from '../../local/function-set.ts';
import { LocalFunction } from '../../local/lambda/local-function.ts';
import { OutputLog } from '../../local/lambda/output.ts';
import { text } from '../support/iam-evaluator.ts';
import { resources, synthesizedEnvironments, packageOf } from '../support/synthesized.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bundles-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const digest = (file: string) => digestOf(readFileSync(file));
const environments = synthesizedEnvironments();
const [dev] = environments.filter(({ name }) => name === 'dev');

/** An event that gets as far as the configuration; the rest take any. */
const EVENTS: Partial<Record<FunctionName, object>> = {
  backchannellogout: {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'logout_token=x',
  },
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
  backchannellogout: 700_000,
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
    const zips = assets.map((asset) => unzipSync(readFileSync(path.join(assembly, asset))));
    expect(zips.map((files) => digestOf(files[BUNDLE_FILE] ?? Buffer.of())).sort()).toEqual(ours);
  }
});

test.each(environments)(
  '$name is told the hash of each package that it deploys, and Lambda publishes no other',
  (one) => {
    const { Outputs } = one.template as { Outputs: Record<string, { Value: string }> };
    const stated = JSON.parse(Outputs['CodeHashes']?.Value ?? '{}') as Record<string, string>;
    const functions = resources(one, 'AWS::Lambda::Function').filter(([id]) => /^[a-z]+function/.test(id));
    const versions = resources(one, 'AWS::Lambda::Version').map(([, { CodeSha256 }]) => CodeSha256);
    const real = functions.map(([id, { Code }]) => {
      const { S3Key } = Code as { S3Key: string };
      const zip = readFileSync(path.join(one.assembly, `asset.${S3Key}`));
      return [/^[a-z]+?(?=function)/.exec(id)?.[0], createHash('sha256').update(zip).digest('base64')];
    });
    expect(Object.fromEntries(real)).toEqual(stated);
    expect(Object.keys(stated).sort()).toEqual([...FUNCTION_NAMES].sort());
    expect([...versions].sort()).toEqual(Object.values(stated).sort());
    expect(builtHashes(one.assembly, one.name)).toEqual(stated);
  },
);

test('a package has the same bytes whenever and wherever it is made, and files that Lambda can read', () => {
  const source = path.join(folder, 'packed');
  mkdirSync(source);
  for (const name of ['policy.json', 'index.cjs'])
    writeFileSync(path.join(source, name), `of ${name}`, { mode: 0o600 });
  const { file, sha256 } = packFolder(source);
  utimesSync(path.join(source, 'index.cjs'), 1, 1);
  const elsewhere = execFileSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      'import { packFolder } from "./infra/deployment-package.ts"; console.log(packFolder(process.argv[1]).sha256)',
      source,
    ],
    {
      cwd: path.join(import.meta.dirname, '..', '..'),
      env: { PATH: process.env['PATH'], TZ: 'Asia/Tokyo' },
      encoding: 'utf8',
    },
  );
  expect(elsewhere.trim()).toBe(sha256);
  const zip = readFileSync(file);
  expect(createHash('sha256').update(zip).digest('base64')).toBe(sha256);
  const texts = Object.entries(unzipSync(zip)).map(([name, bytes]) => [name, Buffer.from(bytes).toString()]);
  expect(texts).toEqual([
    ['index.cjs', 'of index.cjs'],
    ['policy.json', 'of policy.json'],
  ]);
  // Unix, a file, rw-r--r--: in each entry of the central directory (APPNOTE.TXT 4.3.12).
  const entries = [...zip.toString('latin1').matchAll(/PK\x01\x02/g)].map(({ index }) => index);
  expect(entries.map((at) => [zip[at + 5], zip.readUInt32LE(at + 38) >>> 16])).toEqual([
    [3, 0o100644],
    [3, 0o100644],
  ]);
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

  /** The deployed package, unpacked as Lambda does it. */
  function unpack(name: FunctionName): string {
    const target = path.join(folder, 'unpacked', name);
    mkdirSync(target, { recursive: true });
    for (const [file, bytes] of Object.entries(dev === undefined ? {} : packageOf(dev, name)))
      writeFileSync(path.join(target, file), bytes);
    return target;
  }

  async function run(name: FunctionName, variables: Record<string, string>): Promise<string> {
    const output = new OutputLog();
    const local = new LocalFunction({
      functionName: name,
      taskRoot: unpack(name),
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
