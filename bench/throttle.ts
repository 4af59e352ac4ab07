/**
 * Holds a process to a share of a processor, as Lambda does in the invoke phase, by signals that stop and continue it. AWS
 * gives a function of 1,769 MB one processor, and less memory its share of one (developer guide, "Configure Lambda
 * function memory").
 */
import { Worker } from 'node:worker_threads';

const MB_PER_PROCESSOR = 1_769;
/** In each such time the process runs for its share of it, ms: as long as a period of Linux's own quota at Lambda. */
const PERIOD_MS = 20;

/** A thread of its own, so that what this process does meanwhile does not delay the signals. */
const SIGNALLER = `
const { parentPort, workerData } = require('node:worker_threads');
const { pid, share, period, state } = workerData;
const pause = (ms) => Atomics.wait(state, 0, 0, ms);
let owed = 0;
try {
  while (Atomics.load(state, 0) === 0) {
    process.kill(pid, 'SIGSTOP');
    const stoppedAt = performance.now();
    pause(Math.max(0, period * (1 - share) - owed));
    const stopped = performance.now() - stoppedAt;
    process.kill(pid, 'SIGCONT');
    const ranFrom = performance.now();
    pause(period * share);
    const ran = performance.now() - ranFrom;
    // Whoever slept too long on one side makes up for it on the other.
    owed += stopped - ran * (1 - share) / share;
    owed = Math.max(-period, Math.min(period, owed));
  }
  process.kill(pid, 'SIGCONT');
} catch {}
`;

export const shareOf = (memoryMb: number): number => Math.min(1, memoryMb / MB_PER_PROCESSOR);

/** Throttles the process until the returned function is called, or the process is gone. */
export function throttle(pid: number, share: number): () => Promise<void> {
  if (share >= 1) return () => Promise.resolve();
  const state = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(SIGNALLER, { eval: true, workerData: { pid, share, period: PERIOD_MS, state } });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  return () => {
    Atomics.store(state, 0, 1);
    Atomics.notify(state, 0);
    return ended;
  };
}
