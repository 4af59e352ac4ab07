import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import type { Metafile, Plugin } from 'esbuild';
import { BUNDLE_FILE, BUNDLE_OPTIONS, POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../functions/contract/functions.ts';
import type { FunctionName } from '../functions/contract/functions.ts';
import type { CheckedPolicy } from './policy/check.ts';

export const PROJECT_ROOT = path.join(import.meta.dirname, '..');

/**
 * What Lambda loads: an ES module, because its init phase, with full CPU, lasts as long as the module awaits something,
 * and with a CommonJS file only until `require` returns. `initialised` never rejects and ends within a second
 * (functions/wiring/start.ts). By `require`, since `import` would first search the whole bundle for the names of its exports.
 */
const ENTRY_FILE = 'index.mjs';
const ENTRY_TEXT = `import { createRequire } from 'node:module';
const { handler, initialised } = createRequire(import.meta.url)('./${BUNDLE_FILE}');
await initialised;
export { handler };
`;

/**
 * A module that the bundle has in name only, since something loads it at once and nothing ever calls it: undici's HTTP/2
 * client, and with it `node:http2`. The pool is told to speak HTTP/1.1 only.
 */
const STUBBED = /[\\/]undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/;
const stubs: Plugin = {
  name: 'stubs',
  setup: (building) =>
    building.onLoad({ filter: STUBBED }, ({ path: file }) => ({
      contents: `module.exports = () => { throw new Error('${path.basename(file)} is not in the bundle'); };`,
    })),
};

/**
 * Builds each file (a path from the project's root) with its imports into `<folder>/<name>/main.cjs`. One run for all reads
 * a shared module once, and writes the same bytes as a run for each, wherever it is started. The result says which module
 * brought how many bytes. Rejects with esbuild's BuildFailure, which names file and line.
 */
export async function bundleFiles(entries: Readonly<Record<string, string>>, folder: string): Promise<Metafile> {
  const { name: stem, ext: extension } = path.parse(BUNDLE_FILE);
  const { metafile } = await build({
    ...BUNDLE_OPTIONS,
    mainFields: [...BUNDLE_OPTIONS.mainFields],
    absWorkingDir: PROJECT_ROOT,
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, file]) => [`${name}/${stem}`, file])),
    outdir: path.resolve(folder),
    outExtension: { '.js': extension },
    plugins: [stubs],
    metafile: true,
  });
  return metafile;
}

const ENTRIES = Object.fromEntries(FUNCTION_NAMES.map((name) => [name, FUNCTIONS[name].entry]));

/**
 * Builds every function into `<folder>/<name>`, and removes what else is in there, since all of it would be deployed.
 * Result and failures are those of what bundles.
 */
export async function buildFunctions<Built>(
  folder: string,
  bundle: (entries: Readonly<Record<string, string>>, folder: string) => Promise<Built>,
): Promise<Built> {
  const built = await bundle(ENTRIES, folder);
  for (const name of FUNCTION_NAMES) {
    const own = path.join(folder, name);
    for (const file of await readdir(own))
      if (file !== BUNDLE_FILE) await rm(path.join(own, file), { recursive: true, force: true });
    await writeFile(path.join(own, ENTRY_FILE), ENTRY_TEXT);
  }
  return built;
}

/** As `buildFunctions` with `bundleFiles`; resolves to the folder. */
export async function bundleAll(folder: string): Promise<string> {
  await buildFunctions(folder, bundleFiles);
  return folder;
}

export interface Bundles {
  /** One folder per function: its bundle and the policy. */
  readonly folders: Readonly<Record<FunctionName, string>>;
  /** Digest of the policy in these folders. */
  readonly policyDigest: string;
}

/** One folder per function with its bundle and the policy, for a local sandbox. Rejects as what bundles. */
export async function bundleFunctions(
  folder: string,
  policy: Pick<CheckedPolicy, 'text' | 'digest'>,
  bundle: (entries: Readonly<Record<string, string>>, folder: string) => Promise<unknown> = bundleFiles,
): Promise<Bundles> {
  await buildFunctions(folder, bundle);
  const folders = FUNCTION_NAMES.map((name) => [name, path.join(folder, name)] as const);
  for (const [, target] of folders) await writeFile(path.join(target, POLICY_FILE_NAME), policy.text);
  return { folders: Object.fromEntries(folders) as Record<FunctionName, string>, policyDigest: policy.digest };
}
