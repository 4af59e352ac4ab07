import { makeAudit } from './audit.ts';
import { makeKnownSecrets } from './known-secrets.ts';
import { makeLog, type LogLevel } from './logger.ts';
import { makeSignals } from './metrics.ts';
import { makeRedact } from './redact.ts';

export interface TelemetryOptions {
  readonly level: LogLevel;
  readonly environment: string;
  readonly function: string;
  /** Epoch ms. */
  readonly now: () => number;
  readonly write: (line: string) => void;
}

/** All that a function says to its operators, behind one redaction. */
export function makeTelemetry(options: TelemetryOptions) {
  const known = makeKnownSecrets();
  const redact = makeRedact(known);
  const { tag, untag, ...log } = makeLog({ ...options, redact });
  const audit = makeAudit({ ...options, redact });
  const signals = makeSignals(options);

  return {
    log,
    audit,
    signals,
    conceal: known.conceal,
    /** Starts an invocation: every line until `end` carries its correlation id. */
    begin(correlationId: string): void {
      tag({ correlationId });
      audit.correlate(correlationId);
    },
    /** Ends an invocation: metrics go out, and what it concealed is forgotten. */
    end(): void {
      signals.flush();
      untag();
      audit.correlate(undefined);
      known.forget();
    },
  };
}

export type Telemetry = ReturnType<typeof makeTelemetry>;
