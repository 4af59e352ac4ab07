import type { FunctionName } from '../contract/functions.ts';
import type { Edge } from '../http/http-entry.ts';
import { makeTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import { readConfig, readTelemetryConfig, type Config } from './config.ts';
import { lazy } from './lazy.ts';
import { clock } from './system.ts';

export interface Started<App> {
  readonly edge: Edge;
  /** The function, put together. What fails is tried again by the next call. */
  readonly ready: () => Promise<App>;
}

/**
 * Starts a function: telemetry first, so that whatever fails afterwards can be told; then `wire`, begun while Lambda
 * still initialises and awaited by the first invocation. A sandbox that is set up wrongly does not crash (Lambda would
 * restart it over and over, and the caller would see nothing of ours): every invocation meets the reason.
 */
export function start<F extends FunctionName, App>(
  name: F,
  wire: (config: Config<F>, telemetry: Telemetry) => Promise<App>,
): Started<App> {
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
  return { edge: { name, telemetry, clock }, ready };
}
