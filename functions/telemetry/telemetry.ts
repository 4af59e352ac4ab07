import { makeKnownSecrets } from './known-secrets.ts';
import { makeSignals } from './metrics.ts';
import { makeRedact } from './redact.ts';

const LOG_LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface TelemetryOptions {
  /** The least that is written. The audit and metrics are written at every level. */
  readonly level: LogLevel;
  readonly environment: string;
  readonly function: string;
  /** Epoch ms. */
  readonly now: () => number;
  /** Writes one line; the newline is part of it. */
  readonly write: (line: string) => void;
}

/** All that a function says to its operators, behind one redaction. */
export function makeTelemetry(options: TelemetryOptions) {
  const { environment, function: name, now } = options;
  const known = makeKnownSecrets();
  const redact = makeRedact(known);
  const signals = makeSignals(options);
  let correlationId: string | undefined;
  let actor: object | undefined;

  const write = (line: object) => options.write(`${JSON.stringify(line)}\n`);
  const timestamp = () => new Date(now()).toISOString();
  const says = (level: LogLevel) => LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(options.level);
  /** Fields are nested, so that no name of theirs can clash with one of the line. */
  const print =
    (level: LogLevel) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (!says(level)) return;
      const origin = { timestamp: timestamp(), service: name, environment, correlationId };
      write({ level, message: redact(message), ...origin, fields: fields && redact(fields) });
    };

  return {
    /** Diagnostics, one JSON line each. */
    log: { info: print('INFO'), warn: print('WARN'), error: print('ERROR') },
    signals: { emit: (...signal: Parameters<typeof signals.emit>) => signals.emit(...signal) },
    conceal: known.conceal,
    audit: {
      /**
       * One JSON line per decision, marked `audit: true`, written at once and at every log level: no log level may switch
       * the audit off.
       */
      record(event: object): void {
        const who = { environment, function: name, correlationId, actor };
        const line = redact({ audit: true, timestamp: timestamp(), ...who, ...event });
        options.write(`${JSON.stringify(line)}\n`);
      },
    },
    /** Starts an invocation: every line until `end` carries its correlation id. */
    begin(id: string): void {
      correlationId = id;
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
        says('INFO') && { level: 'INFO', message, correlationId, fields: redact(fields) };
      const metrics = signals.take();
      const line = { ...metrics, environment, function: name, ...said };
      if (said || metrics) write(line);
      correlationId = undefined;
      actor = undefined;
      known.forget();
    },
  };
}

export type Telemetry = ReturnType<typeof makeTelemetry>;
