import { Logger } from '@aws-lambda-powertools/logger';
import type { Redact } from './redact.ts';

export type LogLevel = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

export interface LogOptions {
  readonly level: LogLevel;
  readonly environment: string;
  readonly function: string;
  readonly redact: Redact;
}

/**
 * Diagnostics as JSON lines, redacted before Powertools sees them. `tag` puts fields (the correlation id) on every line until
 * the next `untag`. Powertools still takes AWS_LAMBDA_LOG_LEVEL, the X-Ray id, TZ and POWERTOOLS_DEV from the environment.
 */
export function makeLog({ level, environment, function: name, redact }: LogOptions) {
  const logger = new Logger({
    logLevel: level,
    serviceName: name,
    sampleRateValue: 0,
    persistentKeys: { environment },
  });

  const print =
    (write: 'info' | 'warn' | 'error') =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      // Nested, so that no field name can clash with the ones that Powertools reserves.
      const clean = redact(fields);
      logger[write](String(redact(message)), Object.keys(fields).length === 0 ? {} : { fields: clean });
    };

  return {
    info: print('info'),
    warn: print('warn'),
    error: print('error'),
    tag: (tags: Readonly<Record<string, string>>) => logger.appendKeys({ ...tags }),
    untag: () => logger.resetKeys(),
    /** Whether what is no warning is written. */
    saysAll: () => ['TRACE', 'DEBUG', 'INFO'].includes(logger.getLevelName()),
  };
}
