/** The stage's throttle: a token bucket, as API Gateway describes its own. */
export interface ThrottleSettings {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** Returns whether a request at this moment may pass. `now` in epoch ms. */
export function makeThrottle({ ratePerSecond, burst }: ThrottleSettings, now: () => number): () => boolean {
  let tokens = burst;
  let filledAt = now();
  return () => {
    const at = now();
    tokens = Math.min(burst, tokens + ((at - filledAt) / 1000) * ratePerSecond);
    filledAt = at;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
