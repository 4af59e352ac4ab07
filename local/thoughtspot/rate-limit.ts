/** The two figures of a token bucket. */
export interface BucketSize {
  perSecond: number;
  burst: number;
}

/**
 * A token bucket per client address (wire facts 4: 100 requests/s for all public APIs together, burst 10, per client
 * address). `now` is a monotonic clock in ms.
 */
export class RateLimit {
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one request out of the address's bucket; false if there is none left. */
  take(address: string, { perSecond, burst }: BucketSize): boolean {
    const now = this.#now();
    const bucket = this.#buckets.get(address) ?? { tokens: burst, at: now };
    const refilled = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    const granted = refilled >= 1;
    this.#buckets.set(address, { tokens: granted ? refilled - 1 : refilled, at: now });
    return granted;
  }

  clear(): void {
    this.#buckets.clear();
  }
}
