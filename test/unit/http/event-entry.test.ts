import { Failure } from '../../../functions/broker/failure.ts';
import { eventEntry } from '../../../functions/http/event-entry.ts';
import type { SignalName } from '../../../functions/contract/signals.ts';
import { makeFakeClock, START } from '../../support/fake-clock.ts';
import { lambdaContext } from '../../support/http-event.ts';
import { recordTelemetry } from '../../support/telemetry-record.ts';

function entry(
  handle: (event: unknown, deadline: number) => Promise<object>,
  alarms: readonly SignalName[] = ['sweep-failed'],
) {
  const record = recordTelemetry();
  const clock = makeFakeClock();
  const edge = { name: 'sweep', telemetry: record.telemetry, clock } as const;
  return { ...record, clock, handler: eventEntry(edge, () => alarms[0], handle) };
}

describe('an event without a caller', () => {
  test('returns what became of it, and logs it', async () => {
    const { handler, lines, life, signals } = entry(async (_event, deadline) => ({ left: deadline - START }));
    expect(await handler({}, lambdaContext(60_000))).toEqual({ left: 59_250 });
    expect(lines).toMatchObject([{ level: 'info', message: 'event', fields: { left: 59_250 } }]);
    expect({ life, signals }).toEqual({ life: ['begin invocation-1', 'end'], signals: [] });
  });

  test.each([
    [new Failure('misconfigured'), 'misconfigured'],
    [new TypeError('x is not iterable'), 'internal-error'],
    [new Failure('ledger-unavailable'), undefined],
  ] as const)('alarms for what is of our own making too (%p)', async (error, alarm) => {
    const { handler, signals } = entry(() => Promise.reject(error));
    await handler({}, lambdaContext()).catch(() => undefined);
    expect(signals.map(([name]) => name)).toEqual(['sweep-failed', ...(alarm === undefined ? [] : [alarm])]);
  });

  test('in the first run a schedule ends without a failure and without an alarm; anybody else is told', async () => {
    const { handler, signals, lines } = entry(() => Promise.reject(new Failure('not-set-up')));
    expect(await handler({ source: 'schedule', name: 'sweep' }, lambdaContext())).toBeUndefined();
    expect(signals.map(([name]) => name)).toEqual(['not-set-up']);
    expect(lines).toMatchObject([{ level: 'warn', message: 'not set up yet' }]);
    for (const event of [{ source: 'operator' }, { 'detail-type': 'user.deprovisioned' }])
      await expect(handler(event, lambdaContext())).rejects.toThrow('not-set-up: see the log');
  });

  test('alarms for nothing where somebody waits for the answer and nothing is of our own making', async () => {
    const { handler, signals } = entry(() => Promise.reject(new Failure('invalid-request')), []);
    await handler({}, lambdaContext()).catch(() => undefined);
    expect(signals).toEqual([]);
  });

  test.each([
    [new Failure('ledger-unavailable', { reason: 'inside' }), 'ledger-unavailable: see the log'],
    [
      new Failure('invalid-request', { errors: [{ field: 'select', detail: 'must have exactly one of all' }] }),
      'invalid-request: select must have exactly one of all',
    ],
    [new TypeError('token abc is not iterable'), 'internal-error: see the log'],
  ])('throws so that Lambda delivers it again, alarms, and prints no cause (%p)', async (error, message) => {
    const { handler, counted, life, lines } = entry(() => Promise.reject(error));
    const thrown: unknown = await handler({}, lambdaContext()).catch((failed: unknown) => failed);
    expect(thrown).toMatchObject({ message });
    expect(thrown).not.toHaveProperty('cause');
    expect({ alarms: counted('sweep-failed'), life }).toEqual({ alarms: 1, life: ['begin invocation-1', 'end'] });
    expect(lines).toMatchObject([{ level: 'error', message: 'event failed', fields: { error } }]);
  });

  test.each([
    [async () => ({ done: true }), { level: 'info', fields: { done: true, durationMs: 1_500 } }],
    [() => Promise.reject(new Failure('ledger-unavailable')), { level: 'error', fields: { durationMs: 1_500 } }],
  ])('says how long it took (%#)', async (end: () => Promise<object>, line) => {
    const one = entry(() => {
      one.clock.set(START + 1_500);
      return end();
    });
    await one.handler({}, lambdaContext()).catch(() => undefined);
    expect(one.lines).toMatchObject([line]);
  });

  test('names every fault of an event in what it throws', async () => {
    const errors = ['one', 'two'].map((field) => ({ field, detail: 'is wrong' }));
    const { handler } = entry(() => Promise.reject(new Failure('invalid-request', { errors })));
    await expect(handler({}, lambdaContext())).rejects.toThrow('invalid-request: one is wrong; two is wrong');
  });
});
