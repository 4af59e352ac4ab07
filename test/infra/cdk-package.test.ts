/** The package of the construct as people install it: packed, unpacked, judged, and synthesized as its README says, offline. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { FUNCTION_NAMES } from '../../functions/contract/functions.ts';
import manifest from '../../infra/cdk/package.json' with { type: 'json' };
import { deadLinks } from '../support/links.ts';
import { installPacked } from '../support/packed.ts';
import { NO_NETWORK } from '../support/synthesized.ts';
import type { Resource } from '../support/synthesized.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Inside the project, so that its own CDK is found, and the construct only as it was packed. */
const PLACE = join(ROOT, '.cache', 'packed-cdk');
const INSTALLED = join(PLACE, 'node_modules', manifest.name);
const bin = (path: string) => join(ROOT, 'node_modules', path);

/** What the program printed; throws with it if the program fails. */
function run(program: string, args: readonly string[], variables: Readonly<Record<string, string>> = {}): string {
  try {
    const env = { ...process.env, ...variables };
    return execFileSync(program, args, { cwd: PLACE, env, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${stdout}${stderr}`, { cause: error });
  }
}
const compile = (options: object, files: readonly string[]) => {
  writeFileSync(join(PLACE, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }));
  return run(process.execPath, [bin('typescript/bin/tsc'), '-p', '.']);
};
const read = (...file: string[]) => readFileSync(join(PLACE, ...file), 'utf8');

const readme = readFileSync(join(ROOT, 'infra/cdk/README.md'), 'utf8');
const [app = '', policy = '', cases = ''] = [...readme.matchAll(/```(?:ts|json)\n([^]*?)```/g)].map(
  ([, code]) => code ?? '',
);
/** What `cdk init` gives an app in TypeScript; its own types of Node lie in the app. */
const INIT = join(ROOT, 'node_modules/aws-cdk/lib/init-templates/app/typescript/tsconfig.json');
const { compilerOptions: initial } = JSON.parse(readFileSync(INIT, 'utf8')) as { compilerOptions: object };
const settled = {
  ...initial,
  types: ['node'],
  typeRoots: [bin('@types')],
  // The root of aws-cdk-lib brings the types of every service, and takes a compiler twice as long.
  paths: { 'aws-cdk-lib': [bin('aws-cdk-lib/core/index.d.ts')] },
  noEmit: false,
  outDir: '.',
  inlineSourceMap: false,
  inlineSources: false,
  declaration: false,
};

let tarball: string;
beforeAll(() => {
  tarball = installPacked(manifest.name, PLACE);
  writeFileSync(join(PLACE, 'package.json'), '{}');
  writeFileSync(join(PLACE, 'policy.json'), policy);
  writeFileSync(join(PLACE, 'policy.cases.json'), cases);
  writeFileSync(join(PLACE, 'app.ts'), app);
  writeFileSync(join(PLACE, 'app.mts'), app.replace('__dirname', 'import.meta.dirname'));
});
afterAll(() => rmSync(PLACE, { recursive: true, force: true }));

test('holds what is built, documents and licences, and no source', () => {
  const files = readdirSync(INSTALLED, { recursive: true, encoding: 'utf8' });
  expect(files.filter((name) => /(?<!\.d)\.ts$|\.tsx$|tsconfig/.test(name))).toEqual([]);
  for (const name of ['README.md', 'LICENSE', 'dist/LICENCES.txt', 'docs/runbook.md', 'docs/policy.schema.json'])
    expect(files).toContain(name);
  expect(readdirSync(join(INSTALLED, 'dist/functions')).sort()).toEqual([...FUNCTION_NAMES].sort());
  expect(readFileSync(join(INSTALLED, 'dist/LICENCES.txt'), 'utf8')).toMatch(/^zod \d[^]*MIT License/m);
  const root = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(manifest.version).toBe(root.version);
});

test('has no link, in its README or its documents, to anything that it does not hold', () => {
  const pages = readdirSync(INSTALLED, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
  expect(pages.length).toBeGreaterThan(10);
  expect(pages.flatMap((page) => deadLinks(INSTALLED, page).map((link) => `${page}: ${link}`))).toEqual([]);
  expect(readFileSync(join(INSTALLED, 'docs/deploy.md'), 'utf8')).toContain('[Its README](../README.md)');
});

test('has nothing that publint complains of', () => {
  expect(run(process.execPath, [bin('publint/src/cli.js'), INSTALLED, '--strict'])).toContain('All good!');
});

test('gives its types to every resolution, of ES modules and of CommonJS', () => {
  const script = `
    import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
    import { readFileSync } from 'node:fs';
    const { problems } = await checkPackage(createPackageFromTarballData(readFileSync(process.argv[2])));
    console.log(JSON.stringify(problems));`;
  writeFileSync(join(PLACE, 'types.mjs'), script);
  expect(JSON.parse(run(process.execPath, ['types.mjs', tarball]))).toEqual([]);
});

test('the example of the README is of about twenty lines', () => {
  expect(app.trim().split('\n').length).toBeLessThanOrEqual(21);
});

const synthesize = (program: string, out: string) =>
  run(
    process.execPath,
    [
      bin('aws-cdk/bin/cdk'),
      'synth',
      '--quiet',
      '--no-notices',
      '--no-lookups',
      '--app',
      `"${process.execPath}" ${program}`,
      '--output',
      out,
    ],
    { NODE_OPTIONS: `--import=${NO_NETWORK}`, CDK_DISABLE_CLI_TELEMETRY: 'true' },
  );
const templateIn = (out: string) =>
  (JSON.parse(read(out, 'Analytics.template.json')) as { Resources: Record<string, Resource> }).Resources;
const namesOf = (out: string, type: string, property: string) =>
  Object.values(templateIn(out))
    .filter(({ Type }) => Type === type)
    .map(({ Properties }) => String(Properties[property]));

/** Only transforms: that the types are found in every way that there is, and fit, other tests show. */
const transformed = { noCheck: true, noResolve: true, types: [] };

describe.each<[string, string, string, object]>([
  ['CommonJS, with the settings of cdk init', 'app.ts', 'app.js', {}],
  ['ES module', 'app.mts', 'app.mjs', {}],
  [
    'CommonJS of old',
    'app.ts',
    'app.js',
    { target: 'ES2020', module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0' },
  ],
])('%s', (name, source, program, options) => {
  const out = `cdk.out-${name.length}`;
  beforeAll(() => {
    compile({ ...settled, ...options, ...transformed }, [source]);
    synthesize(program, out);
  });

  test('synthesizes offline, with the functions, the table and the API', () => {
    const functions = namesOf(out, 'AWS::Lambda::Function', 'FunctionName');
    const [first = ''] = functions;
    const prefix = first.slice(0, first.lastIndexOf('-'));
    expect(prefix).toMatch(/^thoughtspot-broker-anal\w*-?\w*/);
    expect(functions.sort()).toEqual(FUNCTION_NAMES.map((one) => `${prefix}-${one}`).sort());
    expect(namesOf(out, 'AWS::DynamoDB::Table', 'BillingMode')).toEqual(['PAY_PER_REQUEST']);
    expect(namesOf(out, 'AWS::ApiGatewayV2::Api', 'Name')).toEqual([prefix]);
    expect(namesOf(out, 'AWS::ApiGatewayV2::Route', 'RouteKey')).toContain('POST /gettoken');
  });

  test('deploys the bundles of the package, each with the checked policy', () => {
    const assets = readdirSync(join(PLACE, out)).filter((one) => one.startsWith('asset.'));
    expect(assets).toHaveLength(FUNCTION_NAMES.length);
    const zips = assets.map((asset) => unzipSync(readFileSync(join(PLACE, out, asset))));
    for (const files of zips) expect(Object.keys(files).sort()).toEqual(['index.mjs', 'main.cjs', 'policy.json']);
    const packed = FUNCTION_NAMES.map((one) =>
      readFileSync(join(INSTALLED, 'dist/functions', one, 'main.cjs'), 'utf8'),
    );
    expect(zips.map((files) => Buffer.from(files['main.cjs'] ?? []).toString()).sort()).toEqual(packed.sort());
  });
});

test('a bad policy is refused, with its line', () => {
  const bad = policy.replace('"maxSeconds": 3600', '"maxSeconds": 30');
  const line = bad.slice(0, bad.indexOf('"maxSeconds": 30')).split('\n').length;
  writeFileSync(join(PLACE, 'policy.json'), bad);
  try {
    const fault = `TokenBroker Analytics/TokenBroker cannot be built:\n  - policyFile policy.json: line ${line}, rules[0].grants[0].validity`;
    expect(() => synthesize('app.js', 'refused')).toThrow(fault);
  } finally {
    writeFileSync(join(PLACE, 'policy.json'), policy);
  }
});

test('types refuse what synthesis would refuse, and describe every prop', () => {
  const wrong = `${app.replace('broker =', 'first =').replaceAll('broker.', 'first.')}
    // @ts-expect-error A policy is needed.
    new TokenBroker(stack, 'Two', { thoughtSpot: { host: 'https://acme.thoughtspot.cloud' }, issuers: [], allowedOrigins: [], alarms: { email: '' } });
    export const more: import('${manifest.name}').TokenBrokerProps['secret'] = { create: 'acme/thoughtspot', readers: [] };
    export const live: string = first.functions.gettoken.functionArn;`;
  writeFileSync(join(PLACE, 'wrong.ts'), wrong);
  compile({ ...settled, noEmit: true }, ['app.ts', 'app.mts', 'wrong.ts']);
  const declared = readFileSync(join(INSTALLED, 'dist/types/infra/token-broker-props.d.cts'), 'utf8');
  const props = /interface TokenBrokerProps \{([^]*?)\n\}/.exec(declared)?.[1] ?? '';
  const names = [...props.matchAll(/^ {4}readonly (\w+)/gm)].map(([, one]) => one);
  const described = [...props.matchAll(/\*\/\n {4}readonly (\w+)/g)].map(([, one]) => one);
  expect(names.length).toBeGreaterThan(20);
  expect(described).toEqual(names);
});
