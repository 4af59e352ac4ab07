/** Bundles the entries as the stack does: same options, same layout, the policy beside each. */
import { writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE_FILE, BUNDLE_OPTIONS, POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName } from '../functions/contract/functions.ts';

export const PROJECT_ROOT = join(import.meta.dirname, '..');

/**
 * Builds each file with its imports into `<directory>/<name>/index.cjs`. One run for all reads a shared module once,
 * and writes the same bytes as a run for each. Throws esbuild's BuildFailure, which names file and line.
 */
export async function bundleFiles(entries: Readonly<Record<string, string>>, directory: string): Promise<void> {
  const extension = extname(BUNDLE_FILE);
  const stem = basename(BUNDLE_FILE, extension);
  await build({
    ...BUNDLE_OPTIONS,
    mainFields: [...BUNDLE_OPTIONS.mainFields],
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, file]) => [`${name}/${stem}`, file])),
    outdir: directory,
    outExtension: { '.js': extension },
  });
}

/**
 * Builds every entry that exists into `<directory>/<function>/`, with the policy in normal form beside it, and returns
 * the names. Throws as `bundleFiles` does.
 */
export async function bundleFunctions(directory: string, policy: string): Promise<readonly FunctionName[]> {
  const entryOf = (name: FunctionName) => join(PROJECT_ROOT, FUNCTIONS[name].entry);
  const names = FUNCTION_NAMES.filter((name) => existsSync(entryOf(name)));
  await bundleFiles(Object.fromEntries(names.map((name) => [name, entryOf(name)])), directory);
  for (const name of names) {
    await writeFile(join(directory, name, POLICY_FILE_NAME), policy);
  }
  return names;
}

/** Builds the sandboxes' runtime; returns its file. */
export async function buildBootstrap(directory: string): Promise<string> {
  await bundleFiles({ runtime: join(import.meta.dirname, 'lambda', 'bootstrap.ts') }, directory);
  return join(directory, 'runtime', BUNDLE_FILE);
}
