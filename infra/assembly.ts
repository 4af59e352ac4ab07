/** A cloud assembly: what `npm run synth` writes for an environment, and `npm run deploy -- <environment> --assembly` deploys. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { stackName } from './deployed-stack.ts';
import { ENTITLEMENTS } from './deployment-pace.ts';
import type { Target } from './environments/environment.ts';

/** The output of the stack that has the hashes of the functions' code. */
export const CODE_HASHES = 'CodeHashes';

const manifest = z.object({ artifacts: z.record(z.string(), z.looseObject({ environment: z.string().optional() })) });
const resources = z.looseObject({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).optional(),
});
const hashes = z.record(z.string(), z.string());
const template = z.object({
  Resources: z.record(z.string(), resources),
  Outputs: z.object({
    [CODE_HASHES]: z.object({ Value: z.string() }),
    [ENTITLEMENTS]: z.object({ Value: z.string() }),
  }),
});

/** The account and region that an assembly was built for. Throws if it is none of this environment. */
export function targetOf(assembly: string, environment: string): Required<Target> {
  const { artifacts } = manifest.parse(read(assembly, 'manifest.json'));
  const [, account, region] =
    /^aws:\/\/(\d{12})\/([a-z0-9-]+)$/.exec(artifacts[stackName(environment)]?.environment ?? '') ?? [];
  if (account === undefined || region === undefined)
    throw new Error(`${assembly} is no assembly of ${environment}: build one with npm run synth -- ${environment}`);
  return { account, region };
}

/** The template of an environment in an assembly. Throws if the assembly is none of this environment. */
export function templateOf(assembly: string, environment: string): z.infer<typeof template> {
  targetOf(assembly, environment);
  return template.parse(read(assembly, `${stackName(environment)}.template.json`));
}

/** The hash of each function's code (CodeSha256 in Lambda) in an assembly. Throws if it is none of this environment. */
export function builtHashes(assembly: string, environment: string): Readonly<Record<string, string>> {
  return parseHashes(templateOf(assembly, environment).Outputs[CODE_HASHES].Value);
}

/** The hashes in the output of a stack. */
export function parseHashes(output: string): Readonly<Record<string, string>> {
  return hashes.parse(JSON.parse(output));
}

function read(assembly: string, file: string): unknown {
  try {
    return JSON.parse(readFileSync(path.join(assembly, file), 'utf8'));
  } catch {
    throw new Error(`${assembly} is no assembly: there is no ${file} in it that can be read`);
  }
}
