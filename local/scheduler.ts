/** EventBridge Scheduler of the local set: fires the sweep as the stack's schedule does, with the same event. */
export interface Scheduler {
  stop(): void;
}

/** The event of a schedule. `at`: the time for which it was due, epoch ms. */
export function scheduleEvent(name: string, at: number): object {
  return { source: 'schedule', name, scheduledTime: new Date(at).toISOString() };
}

/** Calls `fire` every `everyMs`. Like the real one it does not wait for the last run to end. */
export function startScheduler(everyMs: number, fire: () => void): Scheduler {
  const timer = setInterval(fire, everyMs);
  return { stop: () => clearInterval(timer) };
}
