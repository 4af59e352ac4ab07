import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { unzipSync } from 'fflate';
import type { FunctionName } from '../../functions/contract/functions.ts';
import type { Environment } from '../../infra/environments/environment.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');

export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
  readonly DeletionPolicy?: string;
}

export interface Synthesized {
  readonly name: string;
  readonly environment: Environment;
  readonly template: { readonly Resources: Record<string, Resource>; readonly Outputs: Record<string, unknown> };
  /** The whole template as text. */
  readonly text: string;
  /** The cloud assembly: template, assets, manifest. */
  readonly assembly: string;
  /** Findings that are acknowledged: id and reason. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** Findings that are not acknowledged, including warnings, but for our own warnings of what an environment chose. */
  readonly open: readonly string[];
}

/**
 * Every environment (and two made-up ones with every option), synthesized once for all test files. The result is cached
 * under .cache, by a digest of everything that it depends on.
 */
export function synthesizedEnvironments(): Synthesized[] {
  const folder = path.join(ROOT, '.cache', 'synthesized', digest());
  if (!existsSync(folder)) synthesizeOnce(folder);
  return readdirSync(folder).map((name) => read(path.join(folder, name), name));
}

/** Makes a synthesis fail that uses the network: it must work without. */
export const NO_NETWORK = `data:text/javascript,${encodeURIComponent(
  'import net from "node:net"; import dns from "node:dns";' +
    'const refuse = () => { throw new Error("The synthesis used the network"); };' +
    'net.Socket.prototype.connect = refuse; dns.lookup = refuse;',
)}`;

/** Test files run in parallel: the first one synthesizes, the others wait for it. */
function synthesizeOnce(folder: string): void {
  const lock = `${folder}.lock`;
  mkdirSync(path.dirname(folder), { recursive: true });
  try {
    mkdirSync(lock);
  } catch {
    while (existsSync(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    if (existsSync(folder)) return;
    throw new Error('Another test file could not synthesize the environments; its failure says why.');
  }
  try {
    forgetOld(path.dirname(folder));
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished);
    // cdk-nag and CloudFormation's own validation run here. A finding ends the program, and all tests that need it fail.
    execFileSync(
      process.execPath,
      [`--import=${NO_NETWORK}`, path.join(import.meta.dirname, 'synthesize.ts'), unfinished],
      { cwd: ROOT },
    );
    renameSync(unfinished, folder);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** Deletes results that are older than an hour: each is tens of megabytes. */
function forgetOld(parent: string): void {
  for (const name of readdirSync(parent)) {
    const old = path.join(parent, name);
    if (Date.now() - statSync(old).mtimeMs > 3_600_000) rmSync(old, { recursive: true, force: true });
  }
}

function read(folder: string, name: string): Synthesized {
  const json = (...file: string[]): unknown => JSON.parse(readFileSync(path.join(folder, ...file), 'utf8'));
  const assembly = path.join(folder, 'assembly');
  const text = readFileSync(path.join(assembly, `thoughtspot-broker-${name}.template.json`), 'utf8');
  const report = json('assembly', 'validation-report.json') as {
    pluginReports: { violations: { ruleName: string; description: string }[] }[];
  };
  return {
    name,
    environment: json('environment.json') as Environment,
    template: JSON.parse(text) as Synthesized['template'],
    text,
    assembly,
    acknowledged: new Map(json('acknowledged.json') as [string, string][]),
    open: report.pluginReports
      .flatMap(({ violations }) => violations.map((v) => `${v.ruleName}: ${v.description}`))
      .filter((finding) => !finding.startsWith('Annotation::thoughtspot-broker:')),
  };
}

/** Resources of one type, by logical id. */
export function resources({ template }: Synthesized, type: string): [string, Record<string, unknown>][] {
  return Object.entries(template.Resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([id, resource]) => [id, resource.Properties]);
}

/** The files of the package that is deployed for a function: its bundle and its policy. */
export function packageOf(synthesized: Synthesized, name: FunctionName): Readonly<Record<string, Uint8Array>> {
  const [, properties] =
    resources(synthesized, 'AWS::Lambda::Function').find(([id]) => id.startsWith(`${name}function`)) ?? [];
  const { S3Key } = properties?.['Code'] as { S3Key: string };
  return unzipSync(readFileSync(path.join(synthesized.assembly, `asset.${S3Key}`)));
}

function digest(): string {
  const hash = createHash('sha256');
  const add = (file: string) =>
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(path.join(ROOT, file)))
      .update('\0');
  for (const folder of ['infra', 'functions']) {
    const files = readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true });
    const names = files.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
    for (const file of names.sort()) add(path.relative(ROOT, file));
  }
  ['package-lock.json', 'test/support/synthesize.ts'].forEach(add);
  return hash.digest('hex').slice(0, 16);
}
