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
  /** Writes one line of the audit, or of an invocation; the newline is part of it. */
  readonly write: (line: string) => void;
}

/** All that a function says to its operators, behind one redaction. */
export function makeTelemetry(options: TelemetryOptions) {
  const { environment, function: name, now, write } = options;
  const known = makeKnownSecrets();
  const redact = makeRedact(known);
  const { tag, untag, saysAll, ...log } = makeLog({ ...options, redact });
  const signals = makeSignals(options);
  let correlationId: string | undefined;
  let actor: object | undefined;

  return {
    log,
    signals: { emit: (...signal: Parameters<typeof signals.emit>) => signals.emit(...signal) },
    conceal: known.conceal,
    audit: {
      /**
       * One JSON line per decision, marked `audit: true`, written at once and at every log level: no log level may switch
       * the audit off.
       */
      record(event: object): void {
        const timestamp = new Date(now()).toISOString();
        const line = redact({ audit: true, timestamp, environment, function: name, correlationId, actor, ...event });
        write(`${JSON.stringify(line)}\n`);
      },
    },
    /** Starts an invocation: every line until `end` carries its correlation id. */
    begin(id: string): void {
      correlationId = id;
      tag({ correlationId });
    },
    /** Says who asked; every audit line until `end` names him. */
    identified(who: object): void {
      actor = who;
    },
    /**
     * Ends an invocation with its one line: what is to be said of it, if the level lets it be said, and its metrics.
     * What was concealed for it alone is forgotten.
     */
    end(message?: string, fields: object = {}): void {
      const said = message !== undefined &&
        saysAll() && { level: 'INFO', message, correlationId, fields: redact(fields) };
      const metrics = signals.take();
      const line = { ...metrics, environment, function: name, ...said };
      if (said || metrics) write(`${JSON.stringify(line)}\n`);
      untag();
      correlationId = undefined;
      actor = undefined;
      known.forget();
    },
  };
}

export type Telemetry = ReturnType<typeof makeTelemetry>;
