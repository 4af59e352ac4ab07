import type { Telemetry } from '../telemetry/telemetry.ts';
import { clock } from './system.ts';

const WARM_UP_MS = 5_000;

export interface Warmable {
  /** Does ahead what a request would have to wait for. `deadline`: epoch ms. */
  warm(deadline: number): Promise<unknown>;
}

/**
 * Begins work that the first request will need (the secret, the data key, a connection), all at once, in the part of a
 * cold start that Lambda gives full CPU. Nobody waits for it: a request asks the same sources and shares what is under
 * way, and what failed here fails there with its proper code.
 */
export function warmUp(telemetry: Telemetry, ...parts: readonly Warmable[]): void {
  const deadline = clock.now() + WARM_UP_MS;
  for (const part of parts) {
    part.warm(deadline).catch((error: unknown) => telemetry.log.warn('warm-up failed', { error }));
  }
}
