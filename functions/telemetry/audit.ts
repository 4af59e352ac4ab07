import type { Redact } from './redact.ts';

export interface AuditOptions {
  readonly environment: string;
  readonly function: string;
  readonly redact: Redact;
  /** Epoch ms. */
  readonly now: () => number;
  /** Writes one line; the newline is part of it. */
  readonly write: (line: string) => void;
}

/**
 * One JSON line per decision, marked `audit: true`, written at once and at every log level: an audit that a log level
 * can switch off is none.
 */
export function makeAudit({ environment, function: name, redact, now, write }: AuditOptions) {
  let correlationId: string | undefined;
  return {
    /** Ties the events that follow to an invocation. */
    correlate: (id: string | undefined) => void (correlationId = id),
    record(event: object): void {
      const timestamp = new Date(now()).toISOString();
      const line = redact({ audit: true, timestamp, environment, function: name, correlationId, ...event });
      write(`${JSON.stringify(line)}\n`);
    },
  };
}
