import { TokenError } from './token-error.ts';

/**
 * The result of `work`, or TokenError `timeout` after `ms`, whether or not `work` heeds the signal that it gets. The
 * signal is aborted then.
 */
export function within<T>(ms: number, what: string, work: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new TokenError('timeout', `${what} took longer than ${ms} ms.`));
      controller.abort();
    }, ms);
    const done = () => clearTimeout(timer);
    new Promise<T>((settle) => settle(work(controller.signal))).then(resolve, reject).then(done, done);
  });
}
