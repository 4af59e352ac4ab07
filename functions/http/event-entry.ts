import type { APIGatewayProxyEventV2WithJWTAuthorizer, Context } from 'aws-lambda';
import { Failure } from '../broker/failure.ts';
import { isObject } from '../contract/shapes.ts';
import type { SignalName } from '../contract/signals.ts';
import { deadlineOf, signalOf, type Edge } from './http-entry.ts';

export type EventHandler<Result> = (event: unknown, context: Context) => Promise<Result | undefined>;

/** Whether the gateway sent it; what else is in it is for the HTTP entry to judge. */
export function isHttp(event: unknown): event is APIGatewayProxyEventV2WithJWTAuthorizer {
  return isObject(event) && 'requestContext' in event;
}

/**
 * A Lambda handler for events that did not come through the gateway. A failure is thrown, so that Lambda counts it and
 * delivers the event again, with the signal of `failedSignal`; what is thrown says what is wrong with the event and no more,
 * since Lambda prints it unredacted. Before the secret has its first value, a schedule ends without a result and an alarm.
 */
export function eventEntry<Result extends object>(
  { telemetry, clock }: Edge,
  failedSignal: (event: unknown) => SignalName | undefined,
  handle: (event: unknown, deadline: number) => Promise<Result>,
): EventHandler<Result> {
  return async (event, context) => {
    const startedAt = clock.now();
    telemetry.begin(context.awsRequestId);
    let said: Parameters<typeof telemetry.end> = [];
    try {
      const result = await handle(event, deadlineOf(clock, context));
      said = ['event', { ...result, durationMs: clock.now() - startedAt }];
      return result;
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'internal-error';
      if (code === 'not-set-up' && isSchedule(event)) {
        telemetry.signals.emit(code);
        telemetry.log.warn('not set up yet', { error, durationMs: clock.now() - startedAt });
        return undefined;
      }
      for (const signal of [failedSignal(event), signalOf(code)])
        if (signal !== undefined) telemetry.signals.emit(signal);
      telemetry.log.error('event failed', { error, durationMs: clock.now() - startedAt });
      throw new Error(sentence(error));
    } finally {
      telemetry.end(...said);
    }
  };
}

function isSchedule(event: unknown): boolean {
  return isObject(event) && event['source'] === 'schedule';
}

function sentence(error: unknown): string {
  if (!(error instanceof Failure)) return 'internal-error: see the log';
  const faults = error.errors.map(({ field, detail }) => `${field} ${detail}`).join('; ');
  return faults === '' ? `${error.code}: see the log` : `${error.code}: ${faults}`;
}
