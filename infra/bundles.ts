import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';
import type { Metafile } from 'esbuild';
import { BUNDLE_FILE, BUNDLE_OPTIONS, POLICY_FILE_NAME } from '../functions/contract/bundle.ts';
import { FUNCTION_NAMES, FUNCTIONS } from '../functions/contract/functions.ts';
import type { FunctionName } from '../functions/contract/functions.ts';
import type { CheckedPolicy } from './policy/check.ts';

export const PROJECT_ROOT = path.join(import.meta.dirname, '..');

/** Builds one function's bundle into `folder`. The result says how many bytes each module contributes. */
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

export interface Bundles {
  /** One folder per function: its bundle and the policy. */
  readonly folders: Readonly<Record<FunctionName, string>>;
  /** Digest of the policy in these folders. */
  readonly policyDigest: string;
}

/**
 * Builds one folder per function, with its bundle and the environment's policy, ready to be deployed. It needs neither
 * Docker nor the network. The local setup uses the same options, so the same entry gives the same bytes.
 */
export function bundleFunctions(folder: string, policy: Pick<CheckedPolicy, 'text' | 'digest'>): Bundles {
  const entries = FUNCTION_NAMES.map((name) => {
    const target = path.join(folder, name);
    mkdirSync(target, { recursive: true });
    bundleFunction(name, target);
    writeFileSync(path.join(target, POLICY_FILE_NAME), policy.text);
    return [name, target] as const;
  });
  return { folders: Object.fromEntries(entries) as Record<FunctionName, string>, policyDigest: policy.digest };
}
