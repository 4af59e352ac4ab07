import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import type { Metafile } from 'esbuild';
import { BUNDLE_FILE, BUNDLE_OPTIONS, POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../functions/contract/functions.ts';
import type { FunctionName } from '../functions/contract/functions.ts';
import type { CheckedPolicy } from './policy/check.ts';

export const PROJECT_ROOT = path.join(import.meta.dirname, '..');

/**
 * Builds each file (a path from the project's root) with its imports into `<folder>/<name>/index.cjs`. One run for all reads
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
    metafile: true,
  });
  return metafile;
}

const ENTRIES = Object.fromEntries(FUNCTION_NAMES.map((name) => [name, FUNCTIONS[name].entry]));

/** Builds every function into `<folder>/<name>`. Rejects as `bundleFiles` does. */
export async function bundleAll(folder: string): Promise<string> {
  await bundleFiles(ENTRIES, folder);
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
  await bundle(ENTRIES, folder);
  const folders = FUNCTION_NAMES.map((name) => [name, path.join(folder, name)] as const);
  for (const [, target] of folders) await writeFile(path.join(target, POLICY_FILE_NAME), policy.text);
  return { folders: Object.fromEntries(folders) as Record<FunctionName, string>, policyDigest: policy.digest };
}
