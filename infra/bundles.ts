import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';
import type { Metafile } from 'esbuild';
import { BUNDLE_FILE, BUNDLE_OPTIONS, POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../functions/contract/functions.ts';
import type { FunctionName } from '../functions/contract/functions.ts';

export const PROJECT_ROOT = path.join(import.meta.dirname, '..');

/** Builds one function's bundle into `folder`; the result says which module brought how many bytes. */
export function bundleFunction(name: FunctionName, folder: string): Metafile {
  const { metafile } = buildSync({
    ...BUNDLE_OPTIONS,
    mainFields: [...BUNDLE_OPTIONS.mainFields],
    entryPoints: [path.join(PROJECT_ROOT, FUNCTIONS[name].entry)],
    outfile: path.join(folder, BUNDLE_FILE),
    metafile: true,
  });
  return metafile;
}

export type Bundles = Readonly<Record<FunctionName, string>>;

/**
 * One folder per function with its bundle and the environment's policy, ready to be deployed. Built without Docker and
 * without the network, from the options that the local set uses too: the same entry gives the same bytes.
 */
export function bundleFunctions(folder: string, policyFile: string): Bundles {
  return bundlesWith(folder, policyFile, bundleFunction);
}

/** For tests of the stack that do not care what runs in the functions. */
export function placeholderBundles(folder: string, policyFile: string): Bundles {
  return bundlesWith(folder, policyFile, (name, target) => {
    writeFileSync(path.join(target, BUNDLE_FILE), `exports.handler = async () => '${name}';\n`);
  });
}

function bundlesWith(
  folder: string,
  policyFile: string,
  build: (name: FunctionName, target: string) => unknown,
): Bundles {
  const entries = FUNCTION_NAMES.map((name) => {
    const target = path.join(folder, name);
    mkdirSync(target, { recursive: true });
    build(name, target);
    copyFileSync(policyFile, path.join(target, POLICY_FILE_NAME));
    return [name, target] as const;
  });
  return Object.fromEntries(entries) as Record<FunctionName, string>;
}
