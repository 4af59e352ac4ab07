import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { Ajv } from 'ajv';
import * as formats from 'ajv-formats';
import { FUNCTION_NAMES, FUNCTIONS } from '../../functions/contract/functions.ts';
import { bundleFiles } from '../../infra/bundles.ts';
import { billOfMaterials } from '../../infra/sbom.ts';

const root = path.join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'sbom-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Bom {
  readonly metadata: object;
  readonly components: readonly {
    readonly name: string;
    readonly group?: string;
    readonly version: string;
    readonly purl: string;
    readonly licenses?: readonly object[];
    readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
    readonly properties: readonly { readonly name: string; readonly value: string }[];
  }[];
}
/** `npm run sbom`, as the workflow runs it. */
function sbom(variables: Record<string, string> = {}): string {
  const env = { PATH: process.env['PATH'], ...variables };
  return execFileSync('npm', ['run', '--silent', 'sbom'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...env, HOME: folder },
  });
}
const text = sbom();
const bom = JSON.parse(text) as Bom;
const listed = bom.components.map(({ name, group, version, properties }) => [
  `${group === undefined ? '' : `${group}/`}${name}@${version}`,
  properties.map(({ value }) => value).sort(),
]);

/** Name and version of the package that a file belongs to, by the package.json files above it; undefined for our own. */
function packageOf(file: string): string | undefined {
  for (let at = path.dirname(path.join(root, file)); at.includes('node_modules'); at = path.dirname(at)) {
    const manifest = path.join(at, 'package.json');
    const { name, version } = (existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')) : {}) as {
      name?: string;
      version?: string;
    };
    if (name !== undefined && version !== undefined) return `${name}@${version}`;
  }
  return undefined;
}

test('the bill of materials lists every package in any bundle, with the bundles that hold it, and nothing else', async () => {
  const bundlesOf: Record<string, string[]> = {};
  for (const name of FUNCTION_NAMES) {
    const { outputs } = await bundleFiles({ [name]: FUNCTIONS[name].entry }, path.join(folder, name));
    const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
    const found = inputs.flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? (packageOf(file) ?? []) : []));
    for (const one of new Set(found)) (bundlesOf[one] ??= []).push(name);
  }
  for (const names of Object.values(bundlesOf)) names.sort();
  expect(Object.fromEntries(listed)).toEqual(bundlesOf);
  expect(new Set(listed.map(([name]) => name)).size).toBe(listed.length);
});

test('it has what the functions run on, and no Node, which AWS supplies', () => {
  const names = bom.components.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['zod', 'core', 'undici', 'aws-jwt-verify']));
  expect(text).toContain('pkg:npm/%40smithy/core@');
  expect(names.filter((name) => name.startsWith('node-') && name !== 'node-http-handler')).toEqual([]);
});

test('every component has a version, a purl, a licence, and the hash that the lockfile has', () => {
  const lockfile = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity?: string }>;
  };
  const integrity = Object.values(lockfile.packages).map((one) => one.integrity);
  for (const { version, purl, licenses, hashes } of bom.components) {
    expect(purl.endsWith(`@${version}`)).toBe(true);
    expect(licenses).toHaveLength(1);
    const [hash] = hashes ?? [];
    expect(hash?.alg).toBe('SHA-512');
    expect(integrity).toContain(`sha512-${Buffer.from(hash?.content ?? '', 'hex').toString('base64')}`);
  }
});

test("it is valid by CycloneDX's own schema", () => {
  const folderOf = path.dirname(
    createRequire(import.meta.filename).resolve('@cyclonedx/cyclonedx-library/package.json'),
  );
  const schema = (name: string) =>
    JSON.parse(readFileSync(path.join(folderOf, 'res', 'schema', `${name}.SNAPSHOT.schema.json`), 'utf8')) as object;
  const ajv = new Ajv({ strict: false, formats: { 'iri-reference': true, 'idn-email': true } });
  formats.default.default(ajv);
  for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs'])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  const valid = ajv.validate(schema('bom-1.6'), bom);
  expect(ajv.errors ?? []).toEqual([]);
  expect(valid).toBe(true);
});

test('the same sources give the same bytes: nothing random in it, and the time only of SOURCE_DATE_EPOCH', () => {
  expect(sbom()).toBe(text);
  expect(text).not.toMatch(/serialNumber|timestamp/);
  const dated = JSON.parse(sbom({ SOURCE_DATE_EPOCH: '1700000000' })) as Bom;
  expect(dated).toEqual({ ...bom, metadata: { ...bom.metadata, timestamp: '2023-11-14T22:13:20.000Z' } });
});

describe('of packages within packages', () => {
  const input = { bytesInOutput: 1 };
  const outputs = (inputs: Record<string, { bytesInOutput: number }>) =>
    Object.fromEntries(
      FUNCTION_NAMES.map((name) => [
        `${name}/main.cjs`,
        {
          bytes: 1,
          imports: [],
          exports: [],
          entryPoint: FUNCTIONS[name].entry,
          inputs: name === 'sweep' ? inputs : {},
        },
      ]),
    );
  const of = (inputs: Parameters<typeof outputs>[0], locked: Parameters<typeof billOfMaterials>[1]) =>
    (JSON.parse(billOfMaterials({ outputs: outputs(inputs) }, { '': { name: 'x' }, ...locked })) as Bom).components.map(
      ({ purl }) => purl,
    );

  test('two versions are two components, and two copies of one version are one', () => {
    const inputs = {
      'node_modules/a/index.js': input,
      'node_modules/@b/c/node_modules/a/lib/index.js': input,
      'node_modules/d/node_modules/a/index.js': input,
      'node_modules/@b/c/index.js': input,
      'node_modules/unused/index.js': { bytesInOutput: 0 },
      'functions/sweep.ts': input,
    };
    const locked = {
      'node_modules/a': { version: '1.0.0' },
      'node_modules/@b/c/node_modules/a': { version: '2.0.0' },
      'node_modules/d/node_modules/a': { version: '1.0.0' },
      'node_modules/@b/c': { version: '3.0.0' },
    };
    expect(of(inputs, locked)).toEqual(['pkg:npm/%40b/c@3.0.0', 'pkg:npm/a@1.0.0', 'pkg:npm/a@2.0.0']);
  });

  test('one that has another name in its folder is listed under its own', () => {
    const locked = { 'node_modules/alias': { name: 'real', version: '1.0.0' } };
    expect(of({ 'node_modules/alias/index.js': input }, locked)).toEqual(['pkg:npm/real@1.0.0']);
  });

  test('one that the lockfile does not have ends the command', () => {
    expect(() => of({ 'node_modules/stray/index.js': input }, {})).toThrow(
      'node_modules/stray is in a bundle, but not in package-lock.json',
    );
  });
});
