import type { Context } from 'aws-lambda';
import { Failure } from '../broker/failure.ts';
import type { SignalName } from '../contract/signals.ts';
import { alarmOf, deadlineOf, type Edge } from './http-entry.ts';

export type EventHandler<Result> = (event: unknown, context: Context) => Promise<Result>;

/**
 * A Lambda handler for events that no caller waits for. A failure is thrown, so that Lambda counts it and delivers the
 * event again; the signal that `signalOf` gives alarms besides. What is thrown says what is wrong with the event and no
 * more: Lambda prints it without our redaction.
 */
export function eventEntry<Result extends object>(
  { telemetry, clock }: Edge,
  signalOf: (event: unknown) => SignalName | undefined,
  handle: (event: unknown, deadline: number) => Promise<Result>,
): EventHandler<Result> {
  return async (event, context) => {
    const startedAt = clock.now();
    telemetry.begin(context.awsRequestId);
    try {
      const result = await handle(event, deadlineOf(clock, context));
      telemetry.log.info('event', { ...result, durationMs: clock.now() - startedAt });
      return result;
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'internal-error';
      for (const signal of [signalOf(event), alarmOf(code)]) if (signal !== undefined) telemetry.signals.emit(signal);
      telemetry.log.error('event failed', { error, durationMs: clock.now() - startedAt });
      throw new Error(sentence(error));
    } finally {
      telemetry.end();
    }
  };
}

function sentence(error: unknown): string {
  if (!(error instanceof Failure)) return 'internal-error: see the log';
  const faults = error.errors.map(({ field, detail }) => `${field} ${detail}`).join('; ');
  return faults === '' ? `${error.code}: see the log` : `${error.code}: ${faults}`;
}
