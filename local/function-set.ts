/** All functions of the broker, bundled and ready to be invoked; rebuilt and replaced on request. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE_FILE, BUNDLE_HANDLER } from '../functions/contract/bundle.ts';
import { ENVIRONMENT } from '../functions/contract/environment.ts';
import { FUNCTION_NAMES, FUNCTIONS, type FunctionName } from '../functions/contract/functions.ts';
import { bundleFunctions, type Bundles } from '../infra/bundles.ts';
import { checkPolicy, checkPolicyText } from '../infra/policy/check.ts';
import { bundleFilesOnce } from './bundles-once.ts';
import { LocalFunction, type Invocation, type LocalFunctionSettings } from './lambda/local-function.ts';
import type { OutputLog } from './lambda/output.ts';

export type FunctionLimits = Partial<
  Pick<LocalFunctionSettings, 'timeoutMs' | 'reservedConcurrency' | 'idleMs' | 'freeze'>
>;

export type PolicyOf = (issuers: readonly string[]) => object;

export interface FunctionSetSettings {
  /** Policy document, or its path, or what makes one of the URLs of the issuers, at each build. */
  readonly policy: string | object | PolicyOf;
  /** URLs of the issuers whose callers come here. */
  readonly issuers?: readonly string[];
  readonly variables: (name: FunctionName) => Readonly<Record<string, string>>;
  readonly output: OutputLog;
  /** Where they differ from the contract's. */
  readonly limits?: FunctionLimits;
}

/** Builds the sandboxes' runtime; returns its file. */
export async function buildBootstrap(folder: string): Promise<string> {
  await bundleFilesOnce({ runtime: 'local/lambda/bootstrap.ts' }, folder);
  return join(folder, 'runtime', BUNDLE_FILE);
}

/** Bundles into a folder of its own, which `close` removes. Throws esbuild's BuildFailure, or PolicyError. */
export async function buildFunctionSet({ policy, issuers, variables, output, limits }: FunctionSetSettings) {
  const workspace = await mkdtemp(join(tmpdir(), 'thoughtspot-broker-'));
  const functions = new Map<FunctionName, LocalFunction>();
  let builds = 0;

  const bundle = async () => {
    builds += 1;
    const checked =
      typeof policy === 'string'
        ? checkPolicyText(await readFile(policy, 'utf8'), issuers)
        : checkPolicy(typeof policy === 'function' ? (policy as PolicyOf)(issuers ?? []) : policy, issuers);
    return bundleFunctions(join(workspace, `build-${builds}`), checked, bundleFilesOnce);
  };
  const variablesOf = (name: FunctionName, { policyDigest }: Bundles) => {
    const reads = ENVIRONMENT[name].some((variable) => variable === 'POLICY_VERSION');
    return { ...(reads ? { POLICY_VERSION: policyDigest } : {}), ...variables(name) };
  };
  const close = async () => {
    await Promise.all([...functions.values()].map((local) => local.close()));
    await rm(workspace, { recursive: true, force: true });
  };

  try {
    const [bootstrap, bundles] = await Promise.all([buildBootstrap(workspace), bundle()]);
    for (const name of FUNCTION_NAMES) {
      const { timeoutSeconds, memoryMb } = FUNCTIONS[name];
      const settings: LocalFunctionSettings = {
        functionName: name,
        taskRoot: bundles.folders[name],
        handler: BUNDLE_HANDLER,
        variables: variablesOf(name, bundles),
        memoryMb,
        timeoutMs: timeoutSeconds * 1000,
        bootstrap,
        freeze: true,
        output,
        ...limits,
      };
      functions.set(name, new LocalFunction(settings));
    }
  } catch (error) {
    await close();
    throw error;
  }

  return {
    functions,
    /** Runs a function with an event of its own shape, as AWS would. */
    invoke: async (name: FunctionName, event: unknown): Promise<Invocation> => {
      const local = functions.get(name);
      if (local === undefined) throw new Error(`There is no function ${name}.`);
      return local.invoke(event);
    },
    /** Bundles again and replaces the sandboxes; if that fails the old ones go on. Rejects with BuildFailure, PolicyError. */
    async rebuild(): Promise<void> {
      const bundles = await bundle();
      for (const [name, local] of functions)
        local.replace({ taskRoot: bundles.folders[name], variables: variablesOf(name, bundles) });
    },
    close,
  };
}
