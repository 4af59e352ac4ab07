/** `npm run doctor` as a test runs it: a process of its own, and what it reports. */
import { execFile, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Check } from '../../infra/doctor/checklist.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', 'infra', 'doctor.ts');

interface Outcome {
  readonly code: number;
  readonly text: string;
}

/** The command as a process of its own; `stdin` is closed after the text. */
export function doctor(
  args: readonly string[],
  variables: Record<string, string> = {},
  stdin = '',
  started: (doctor: ChildProcess) => void = () => undefined,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      AWS_EC2_METADATA_DISABLED: 'true',
      ...variables,
    };
    const child = execFile(process.execPath, [SCRIPT, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, text: stdout + stderr }),
    );
    child.stdin?.end(stdin);
    started(child);
  });
}

interface Report {
  readonly healthy: boolean;
  readonly broker?: string;
  readonly checks: readonly Check[];
}
export async function report(
  args: readonly string[],
  variables: Record<string, string> = {},
): Promise<Outcome & Report> {
  const outcome = await doctor([...args, '--json'], variables);
  return { ...outcome, ...(JSON.parse(outcome.text) as Report) };
}
/** Matchers are `any` to the compiler. */
export const containing = (text: string): unknown => expect.stringContaining(text);
export const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
export const named = (checks: readonly Check[], name: string, section: Check['section'] = 'ThoughtSpot') =>
  checks.find((check) => check.name === name && check.section === section);
