/** All functions of the broker, bundled and ready to be invoked; rebuilt and replaced on request. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE_HANDLER } from '../functions/contract/bundle.ts';
import { ENVIRONMENT } from '../functions/contract/environment.ts';
import { FUNCTIONS, type FunctionName } from '../functions/contract/functions.ts';
import { checkPolicy, checkPolicyText } from '../infra/policy/check.ts';
import { buildBootstrap, bundleFunctions } from './bundle.ts';
import { LocalFunction, type Invocation, type LocalFunctionSettings } from './lambda/local-function.ts';
import type { OutputLog } from './lambda/output.ts';

export type FunctionLimits = Partial<
  Pick<LocalFunctionSettings, 'timeoutMs' | 'reservedConcurrency' | 'idleMs' | 'freeze'>
>;

export interface FunctionSetSettings {
  /** Policy document, or its path. */
  readonly policy: string | object;
  readonly variables: (name: FunctionName) => Readonly<Record<string, string>>;
  readonly output: OutputLog;
  /** Where they differ from the contract's. */
  readonly limits?: FunctionLimits;
}

export interface FunctionSet {
  readonly functions: ReadonlyMap<FunctionName, LocalFunction>;
  /** Runs a function with an event of its own shape, as AWS would. Throws if there is no such function. */
  invoke(name: FunctionName, event: unknown): Promise<Invocation>;
  /** Bundles again and replaces the sandboxes; on a fault in the sources the old ones go on. Throws BuildFailure or PolicyError. */
  rebuild(): Promise<void>;
  close(): Promise<void>;
}

/** Bundles into a folder of its own, which `close` removes. Throws esbuild's BuildFailure, PolicyError. */
export async function buildFunctionSet({
  policy,
  variables,
  output,
  limits,
}: FunctionSetSettings): Promise<FunctionSet> {
  const workspace = await mkdtemp(join(tmpdir(), 'thoughtspot-broker-'));
  const functions = new Map<FunctionName, LocalFunction>();
  let builds = 0;

  const bundle = async () => {
    builds += 1;
    const folder = join(workspace, `build-${builds}`);
    const checked = typeof policy === 'string' ? checkPolicyText(await readFile(policy, 'utf8')) : checkPolicy(policy);
    return { folder, names: await bundleFunctions(folder, checked.text), policyVersion: checked.digest };
  };
  const variablesOf = (name: FunctionName, policyVersion: string) => {
    const reads = ENVIRONMENT[name].some((variable) => variable === 'POLICY_VERSION');
    return { ...(reads ? { POLICY_VERSION: policyVersion } : {}), ...variables(name) };
  };
  const close = async () => {
    await Promise.all([...functions.values()].map((local) => local.close()));
    await rm(workspace, { recursive: true, force: true });
  };

  try {
    const [bootstrap, { folder, names, policyVersion }] = await Promise.all([buildBootstrap(workspace), bundle()]);
    for (const name of names) {
      const { timeoutSeconds, memoryMb } = FUNCTIONS[name];
      const settings: LocalFunctionSettings = {
        functionName: name,
        taskRoot: join(folder, name),
        handler: BUNDLE_HANDLER,
        variables: variablesOf(name, policyVersion),
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
    async invoke(name, event) {
      const local = functions.get(name);
      if (local === undefined) throw new Error(`There is no function ${name} in this build.`);
      return local.invoke(event);
    },
    async rebuild() {
      const { folder, policyVersion } = await bundle();
      for (const [name, local] of functions)
        local.replace({ taskRoot: join(folder, name), variables: variablesOf(name, policyVersion) });
    },
    close,
  };
}
