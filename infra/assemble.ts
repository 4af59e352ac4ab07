import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, readArguments, runCommand } from '../local/command.ts';
import { PROJECT_ROOT } from './bundles.ts';
import { loadEnvironment } from './environment-files.ts';
import { knownEnvironments } from './environment-list.ts';

const USAGE = `npm run assemble -- [<folder>]   (assemblies)

Synthesizes every environment that has a target into <folder>/<environment>.tar, for deploy -- --assembly. Prints which ones
these are, by purpose, as outputs of a job on GitHub.

AWS_TARGETS   account and region of each: {"<environment>":{"account":"<12 digits>","region":"<region>"}}
--help        this text
`;

const PURPOSES = ['development', 'staging', 'production'] as const;
const targets = z.record(z.string(), z.strictObject({ account: z.string(), region: z.string() }));

function assemble(folder: string, { AWS_TARGETS = '' }: Readonly<Record<string, string | undefined>>): void {
  const known = parseTargets(AWS_TARGETS);
  mkdirSync(folder, { recursive: true });
  const assembled = knownEnvironments().flatMap((name) => {
    const target = known[name];
    if (target === undefined) {
      console.error(`::warning::${name} is not deployed: AWS_TARGETS has no account and region for it.`);
      return [];
    }
    const where = ['--account', target.account, '--region', target.region];
    run(process.execPath, ['infra/commands.ts', 'synth', name, ...where]);
    run('tar', ['-cf', path.resolve(folder, `${name}.tar`), '-C', path.join('cdk.out', name), '.']);
    return [loadEnvironment(name, target)];
  });
  for (const purpose of PURPOSES)
    console.log(
      `${purpose}=${JSON.stringify(assembled.filter((one) => one.purpose === purpose).map(({ name }) => name))}`,
    );
}

function parseTargets(text: string): z.infer<typeof targets> {
  try {
    return targets.parse(JSON.parse(text));
  } catch {
    const form = '{"<environment>":{"account":"<12 digits>","region":"<region>"}}';
    throw new Error(`AWS_TARGETS must say where each environment is deployed: ${form}`);
  }
}

/** Runs a program whose output is for people, and so goes to stderr. Throws if it fails. */
function run(program: string, args: readonly string[]): void {
  const { status } = spawnSync(program, args, { cwd: PROJECT_ROOT, stdio: ['ignore', process.stderr, process.stderr] });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`);
}

const [folder = 'assemblies'] = readArguments(USAGE, {}, 1).positionals;
await runCommand(() => assemble(folder, process.env), messageOf);
