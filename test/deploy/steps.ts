/** The steps of the drive: each is printed with its time, and a failure with what the program said. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgress } from '../../local/progress.ts';
import { LEFT_OUT } from './left-out.ts';
import { endAll, type Ended } from './processes.ts';

/** A limit for what hangs: many times what the slowest step takes, on a slow machine too. */
export const STEP_MS = 900_000;

export interface Step {
  readonly name: string;
  readonly work: () => Promise<void>;
  /** Nothing after it can succeed without it. */
  readonly vital?: true;
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/** Runs the steps, each after the other. After a vital one that failed, the rest is not tried, and counts as failed. */
export async function runSteps(steps: readonly Step[]): Promise<Tally> {
  const progress = startProgress({ total: steps.length, title: 'test:deploy' });
  let passed = 0;
  for (const [index, { name, work, vital }] of steps.entries()) {
    progress.update(index, name);
    const begun = performance.now();
    const seconds = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`.padStart(8);
    const say = (line: string) => {
      progress.end();
      console.log(line);
    };
    try {
      await within(STEP_MS, work());
      passed += 1;
      say(`ok    ${seconds()}  ${name}`);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      say(`FAIL  ${seconds()}  ${name}\n${text.replace(/^/gm, '        ')}`);
      if (vital !== true) continue;
      console.log(`Not tried, since they need it: ${steps.length - index - 1} more steps.`);
      break;
    }
  }
  progress.end();
  return { passed, failed: steps.length - passed };
}

/** What `work` resolves with. Rejects, and ends all programs, if that takes longer. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = new AbortController();
  const limit = sleep(ms, undefined, { signal: late.signal }).then(async (): Promise<never> => {
    // Nothing that hangs may disturb what comes next; the emulator ends too, so what follows fails at once.
    await endAll();
    throw new Error(`not done after ${ms / 1000} s`);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    late.abort();
    limit.catch(() => undefined);
  }
}

export function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** The program ended as it should, said what it should, and nothing that is for developers only. */
export function expectEnd({ code, text }: Ended, wanted: number, ...words: readonly (string | RegExp)[]): void {
  const missing = words.filter((word) => (typeof word === 'string' ? !text.includes(word) : !word.test(text)));
  const stack = /^ +at .*[:(].*:\d+:\d+\)?$/m.test(text);
  if (code === wanted && missing.length === 0 && !stack) return;
  const wishes = missing.map((word) => `, without ${String(word)}`).join('');
  throw new Error(
    `ended with ${code} instead of ${wanted}${wishes}${stack ? ', with a stack trace' : ''}:\n${text.slice(-3_000)}`,
  );
}

/** No check failed but those that the emulator cannot pass, and the report has these words. */
export function expectHealthy({ text }: Ended, ...words: readonly RegExp[]): void {
  const failed = [...text.matchAll(/^ *FAIL +(.+?) {2,}/gm)].map(([, check = '']) => check);
  const ours = failed.filter((check) => !LEFT_OUT.some((one) => one.check?.test(check)));
  const missing = words.filter((word) => !word.test(text));
  if (ours.length === 0 && missing.length === 0 && / passed, \d+ failed/.test(text)) return;
  throw new Error(`failed: ${ours.join(', ')}; missing: ${missing.join(', ')}\n${text.slice(-4_000)}`);
}
