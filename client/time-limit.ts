import { TokenError } from './token-error.ts';

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The result of `work`, or TokenError `timeout` after `ms`, whether or not `work` heeds the signal that it gets. The
 * signal is aborted then.
 */
export async function within<T>(ms: number, work: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new TokenError('timeout'));
      controller.abort();
    }, ms);
  });
  const done = (async () => work(controller.signal))();
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
