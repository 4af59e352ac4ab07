/** What is wrong, without a secret: for the log. */
export class ProbeFault extends Error {}

export interface ProbeReport {
  readonly passed: readonly string[];
  /** `<step>: <what is wrong>`. */
  readonly failed: readonly string[];
}

export interface Steps {
  readonly report: () => ProbeReport;
  /** Resolves with what the step gives, undefined if it fails. */
  readonly step: <Value>(name: string, work: () => Promise<Value>) => Promise<Value | undefined>;
}

/** Runs steps one by one and keeps how each ended. A fault that is none of the broker's is thrown on. */
export function makeSteps(): Steps {
  const passed: string[] = [];
  const failed: string[] = [];
  return {
    report: (): ProbeReport => ({ passed, failed }),
    async step(name, work) {
      try {
        const value = await work();
        passed.push(name);
        return value;
      } catch (error) {
        if (!(error instanceof ProbeFault)) throw error;
        failed.push(`${name}: ${error.message}`);
        return undefined;
      }
    },
  };
}
