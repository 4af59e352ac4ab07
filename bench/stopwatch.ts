/** Where the time of a request goes: how long at least one call through a port was in progress. */

export interface Stopwatch {
  /** The same object, but with each of its functions timed until its promise settles. */
  timing<T extends object>(port: T): T;
  /** Milliseconds since the last reading. */
  read(): number;
}

export function makeStopwatch(now: () => number = () => performance.now()): Stopwatch {
  let open = 0;
  let since = 0;
  let total = 0;
  const enter = () => {
    if (open === 0) since = now();
    open += 1;
  };
  const leave = () => {
    open -= 1;
    if (open === 0) total += now() - since;
  };
  const timed = (work: (...args: unknown[]) => unknown, self: object) =>
    function timedCall(...args: unknown[]): unknown {
      enter();
      let result: unknown;
      try {
        result = Reflect.apply(work, self, args);
      } catch (error) {
        leave();
        throw error;
      }
      if (!(result instanceof Promise)) {
        leave();
        return result;
      }
      return result.finally(leave);
    };
  return {
    timing<T extends object>(port: T): T {
      const entries = Object.entries(port).map(([name, value]: [string, unknown]) => [
        name,
        typeof value === 'function' ? timed(value as (...args: unknown[]) => unknown, port) : value,
      ]);
      return Object.fromEntries(entries) as T;
    },
    read() {
      const milliseconds = total;
      total = 0;
      return milliseconds;
    },
  };
}
