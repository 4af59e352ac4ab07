import { isObject } from './json.ts';

/** A call, as listeners get it. `status` is 0 if the connection was destroyed instead of answered. */
export interface CallEvent {
  phase: 'arrived' | 'answered';
  /** Method and path, such as `POST /api/rest/2.0/auth/token/full`. */
  endpoint: string;
  status: number;
}

export interface RecordedMint {
  at: number;
  endpoint: string;
  status: number;
  body: unknown;
}

const SECRET_FIELDS = new Set(['secret_key', 'password', 'token', 'auth_token']);
const RECORDED = 500;

/** A copy of a request body that can be shown: secrets replaced, everything else as sent. */
export function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redacted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      SECRET_FIELDS.has(name) && inner !== '' ? '[redacted]' : redacted(inner),
    ]),
  );
}

/** What the cluster has been asked. */
export class Journal {
  calls: Record<string, number> = {};
  refused: Record<string, Record<string, number>> = {};
  lostReplies = 0;
  mints: RecordedMint[] = [];
  readonly #listeners = new Set<(event: CallEvent) => void>();

  onCall(listener: (event: CallEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  arrived(endpoint: string): void {
    this.calls[endpoint] = (this.calls[endpoint] ?? 0) + 1;
    this.#notify({ phase: 'arrived', endpoint, status: 0 });
  }

  answered(endpoint: string, status: number): void {
    if (status === 0 || status >= 400) {
      const key = status === 0 ? 'reset' : String(status);
      const refusals = (this.refused[endpoint] ??= {});
      refusals[key] = (refusals[key] ?? 0) + 1;
    }
    this.#notify({ phase: 'answered', endpoint, status });
  }

  recordMint(mint: RecordedMint): void {
    this.mints.push({ ...mint, body: redacted(mint.body) });
    if (this.mints.length > RECORDED) this.mints.shift();
  }

  clear(): void {
    this.calls = {};
    this.refused = {};
    this.lostReplies = 0;
    this.mints = [];
  }

  #notify(event: CallEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
