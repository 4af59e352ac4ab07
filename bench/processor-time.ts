/** Processor time of a process, from Linux: unlike elapsed time it does not grow when the machine is busy with others. */
import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds that all threads of the process have run so far; NaN where the system does not tell. */
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
