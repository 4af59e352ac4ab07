/** How a command that runs checks heeds the person who waits for it: it says how far it is, and ends cleanly on Ctrl-C. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgress } from '../../local/progress.ts';
import type { Attention } from './checklist.ts';

/** `planned`: about how many checks there will be. On a terminal only, since elsewhere the report is enough. */
export function payAttention(title: string, planned: number): Required<Attention> & { readonly end: () => void } {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () =>
      interruption.abort(new Error('Interrupted. What was made at ThoughtSpot is ended, or it was tried.')),
    );
  const progress = process.stderr.isTTY ? startProgress({ total: planned, title }) : undefined;
  return {
    interrupted: interruption.signal,
    begins: (done, name) => progress?.update(Math.min(done, planned - 1), name),
    end: () => progress?.end(),
  };
}

/** The limits of mints are per minute, s. */
const LONGEST_SECONDS = 65;

/**
 * Sends a request, and sends it again if it was one too many (429): once, when `Retry-After` says, if that is soon. A second
 * run within a minute meets the caller's mint limit, which is no fault of the broker.
 */
export async function patiently(
  send: () => Promise<Response>,
  wait: (ms: number) => Promise<unknown> = sleep,
): Promise<Response> {
  const answer = await send();
  const seconds = Number(answer.headers.get('retry-after') ?? NaN);
  if (answer.status !== 429 || !(seconds <= LONGEST_SECONDS)) return answer;
  await answer.body?.cancel();
  await wait(seconds * 1_000);
  return send();
}
