/** Bundles the entries as the stack does: same options, same layout, the policy beside each. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE_FILE, BUNDLE_OPTIONS, POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { FUNCTIONS, type FunctionName } from '../functions/contract/functions.ts';

export const PROJECT_ROOT = join(import.meta.dirname, '..');

/** Builds one file with its imports into `<directory>/index.cjs`. Throws esbuild's BuildFailure. */
export async function bundleFile(entry: string, directory: string): Promise<void> {
  await build({
    ...BUNDLE_OPTIONS,
    mainFields: [...BUNDLE_OPTIONS.mainFields],
    entryPoints: [entry],
    outfile: join(directory, BUNDLE_FILE),
  });
}

/**
 * Builds every entry that exists into `<directory>/<function>/` and returns the names. `policy` is the path of the
 * policy document, or the document itself. Throws esbuild's BuildFailure, which names file and line.
 */
export async function bundleFunctions(directory: string, policy: string | object): Promise<readonly FunctionName[]> {
  const names = (Object.keys(FUNCTIONS) as FunctionName[]).filter((name) =>
    existsSync(join(PROJECT_ROOT, FUNCTIONS[name].entry)),
  );
  await Promise.all(
    names.map(async (name) => {
      const target = join(directory, name);
      await mkdir(target, { recursive: true });
      const policyFile = join(target, POLICY_FILE_NAME);
      if (typeof policy === 'string') await copyFile(policy, policyFile);
      else await writeFile(policyFile, JSON.stringify(policy));
      await bundleFile(join(PROJECT_ROOT, FUNCTIONS[name].entry), target);
    }),
  );
  return names;
}

/** Builds the sandboxes' runtime; returns its file. */
export async function buildBootstrap(directory: string): Promise<string> {
  const target = join(directory, 'runtime');
  await bundleFile(join(import.meta.dirname, 'lambda', 'bootstrap.ts'), target);
  return join(target, BUNDLE_FILE);
}
