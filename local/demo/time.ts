/** Times as people read them. */
import { formatDuration } from '../progress.ts';

/** `4 min 05 s`, from now until then (epoch ms); never below zero. */
export function until(at: number | undefined): string {
  return at === undefined ? 'unknown time' : formatDuration(at - Date.now());
}

/** `10:05:09`, of this machine. */
export function timeOfDay(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}
