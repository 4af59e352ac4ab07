import type { FunctionName } from '../contract/functions.ts';
import type { Edge } from '../http/http-entry.ts';
import { makeTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import { readConfig, readTelemetryConfig, type Config } from './config.ts';
import { clock } from './system.ts';

/** `warm` does in advance what a request would wait for. `deadline`: epoch ms. */
export type Warmable = { readonly warm: (deadline: number) => Promise<unknown> };
/**
 * Has all begun at once, when the function is ready. A request shares what is under way, and what failed here fails there
 * with its proper code.
 */
export type WarmUp = (...parts: readonly Warmable[]) => void;

const WARM_UP_MS = 5_000;
/** The init phase waits so long at most: what hangs then is left to the request, which has its own deadline. */
const INIT_MS = 1_000;

/**
 * Starts a function: telemetry first, so that every later failure is reported; then `wire`, begun while Lambda still
 * initialises and awaited by the first invocation. A sandbox that is set up wrongly does not crash (Lambda would restart
 * it over and over, and the caller would see nothing of ours): every invocation fails with the reason. `ready` gives what
 * `wire` returned; after a failure the next call wires again. `initialised` is what the init phase waits for: wiring and
 * warm-up, for a second at most. It never rejects.
 */
export function start<F extends FunctionName, App>(
  name: F,
  wire: (config: Config<F>, telemetry: Telemetry, warmUp: WarmUp) => App | Promise<App>,
) {
  const startedAt = clock.now();
  const write = (line: string) => void process.stdout.write(line);
  const telemetry = makeTelemetry({ ...readTelemetryConfig(), function: name, now: () => clock.now(), write });
  let cold: readonly Warmable[] = [];
  const warmUp: WarmUp = (...parts) => {
    cold = parts;
  };
  const ready = lazy(async () => {
    const app = await wire(readConfig(name), telemetry, warmUp);
    telemetry.signals.emit('cold-start', clock.now() - startedAt);
    return app;
  });
  const begin = async (): Promise<void> => {
    // What is wrong with it the first invocation reports, which awaits the same promise.
    await ready().catch(() => undefined);
    const deadline = clock.now() + WARM_UP_MS;
    const missed = (error: unknown) => telemetry.log.warn('warm-up failed', { error });
    await Promise.all(cold.map((part) => part.warm(deadline).catch(missed)));
  };
  return { edge: { name, telemetry, clock } satisfies Edge, ready, initialised: atMost(INIT_MS, begin()) };
}

/** Resolves when the work has ended, and after `ms` in any case. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((late) => (timer = setTimeout(late, ms)))]);
  clearTimeout(timer);
}

/** Builds once, on first use, and shares the result; a failure is not kept, so that the next call tries again. */
export function lazy<T>(build: () => Promise<T>): () => Promise<T> {
  let built: Promise<T> | undefined;
  return () => {
    const attempt = (built ??= build());
    attempt.catch(() => {
      if (built === attempt) built = undefined;
    });
    return attempt;
  };
}
