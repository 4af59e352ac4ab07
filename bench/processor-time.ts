/** Processor time of a process, as Linux reports it. Unlike elapsed time it does not grow when the machine is busy. */
import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds that all threads of the process have run so far; NaN if the system does not report it. */
export function processorMs(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const nanoseconds = threads.map((thread) => {
      const [onProcessor] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      return Number(onProcessor);
    });
    return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
  } catch {
    return Number.NaN;
  }
}
