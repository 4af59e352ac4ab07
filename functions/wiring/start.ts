import type { FunctionName } from '../contract/functions.ts';
import type { Edge } from '../http/http-entry.ts';
import { makeTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import { readConfig, readTelemetryConfig, type Config } from './config.ts';
import { clock } from './system.ts';

/**
 * Starts a function: telemetry first, so that every later failure is reported; then `wire`, begun while Lambda initialises
 * and awaited by the first invocation. `ready` gives what `wire` returned. A failure does not crash the sandbox, which Lambda
 * would only restart: the invocation fails with the reason, and the next one wires again.
 */
export function start<F extends FunctionName, App>(
  name: F,
  wire: (config: Config<F>, telemetry: Telemetry) => App | Promise<App>,
) {
  const startedAt = clock.now();
  const write = (line: string) => void process.stdout.write(line);
  const telemetry = makeTelemetry({ ...readTelemetryConfig(), function: name, now: () => clock.now(), write });
  const ready = lazy(async () => {
    const app = await wire(readConfig(name), telemetry);
    telemetry.signals.emit('cold-start', clock.now() - startedAt);
    return app;
  });
  // The first invocation awaits the same promise and reports what is wrong with it.
  ready().catch(() => {});
  return { edge: { name, telemetry, clock } satisfies Edge, ready };
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

/** `warm` does in advance what a request would wait for. `deadline`: epoch ms. */
export type Warmable = { readonly warm: (deadline: number) => Promise<unknown> };
const WARM_UP_MS = 5_000;

/**
 * Begins what the first request will need, all at once, while a cold start has full CPU. Nobody waits for it: a request shares
 * what is under way, and what failed here fails there with its proper code.
 */
export function warmUp({ log }: Telemetry, ...parts: readonly Warmable[]): void {
  const deadline = clock.now() + WARM_UP_MS;
  for (const part of parts) part.warm(deadline).catch((error: unknown) => log.warn('warm-up failed', { error }));
}
