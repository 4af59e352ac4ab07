/** Times as people read them. */

/** `4 min 05 s`, from now until then (epoch ms); never below zero. */
export function until(at: number | undefined, now = Date.now()): string {
  if (at === undefined) return 'unknown time';
  const seconds = Math.max(0, Math.round((at - now) / 1_000));
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** `10:05:09`, of this machine. */
export function timeOfDay(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}
