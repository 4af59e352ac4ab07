import type { ProblemCode } from '../../functions/contract/problems.ts';

/** The result of one check. It contains no secret, so it can be printed and stored. */
export interface Check {
  readonly section: 'environment' | 'ThoughtSpot' | 'broker';
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  /** What was found, what is wrong, or why it was skipped. */
  readonly detail: string;
  /** What to do about it; only with `failed`. */
  readonly cure?: string;
}

/** What is wrong, and what to do about it. `code` is the broker's problem code, if there is one. */
export class Finding extends Error {
  readonly cure: string;
  readonly code: ProblemCode | undefined;

  constructor(cause: string, cure: string, code?: ProblemCode) {
    super(cause);
    this.name = 'Finding';
    this.cure = cure;
    this.code = code;
  }
}

/** Why a check cannot run. */
export class Skipped extends Error {}

/** The work of a check resolves with what it found and a value for later checks, or throws Finding or Skipped. */
export type Work<Value> = () => Promise<readonly [found: string, value: Value]>;

/** Runs one check and keeps its result. Resolves with the value of its work; undefined if it failed or was skipped. */
export type Examine = <Value>(name: string, work: Work<Value>) => Promise<Value | undefined>;

/** What a command that runs checks has to do with them on the way. */
export interface Attention {
  /** Once it is aborted, no check begins any more: its reason is thrown. */
  readonly interrupted?: AbortSignal;
  /** Hears which check begins, and how many have ended. */
  readonly begins?: (done: number, name: string) => void;
}

/** Makes the function that runs checks of one section and adds their results to `checks`. Rethrows any other error. */
export function examiner(section: Check['section'], checks: Check[], attention: Attention = {}): Examine {
  return async (name, work) => {
    attention.interrupted?.throwIfAborted();
    attention.begins?.(checks.length, name);
    const started = performance.now();
    const keep = (status: Check['status'], detail: string, cure?: string) => {
      const ms = Math.round(performance.now() - started);
      checks.push({ section, name, status, ms, detail, ...(cure === undefined ? {} : { cure }) });
    };
    try {
      const [found, value] = await work();
      keep('passed', found);
      return value;
    } catch (error) {
      if (error instanceof Finding) keep('failed', error.message, error.cure);
      else if (error instanceof Skipped) keep('skipped', error.message);
      else throw error;
      return undefined;
    }
  };
}

/** The value of an earlier check. Throws Skipped if there is none. */
export function needed<Value>(value: Value | undefined, check: string): Value {
  if (value === undefined) throw new Skipped(`needs the result of ${check}, which is missing`);
  return value;
}
