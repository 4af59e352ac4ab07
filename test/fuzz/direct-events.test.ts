import fc from 'fast-check';
import { Failure } from '../../functions/broker/failure.ts';
import { listingOf, revocationOf } from '../../functions/http/direct-events.ts';
import { makeFakeClock, START } from '../support/fake-clock.ts';
import { cases, FUZZ_LIMIT_MS, oddText, oddValue, spoiled } from './fuzzing.ts';

const clock = makeFakeClock();

const at = fc.constantFrom(
  new Date(START - 1_000).toISOString(),
  '2026-02-30T00:00:00Z',
  'soon',
  '+275760-09-13T00:00:00Z',
);
const select = fc.oneof(
  fc.constantFrom({ all: true }, { orgId: 1 }, { userName: 'alice' }, { olderThanSeconds: 60 }),
  oddValue,
);
const directEvent = fc.oneof(
  fc.record({ source: fc.constant('schedule'), name: oddText, scheduledTime: at, select }),
  fc.record({ source: fc.constant('operator'), requestedAt: at, select }),
  fc.record({
    'detail-type': fc.constant('user.deprovisioned'),
    time: at,
    detail: fc.oneof(fc.record({ userNames: fc.array(oddText, { maxLength: 3 }) }), oddValue),
  }),
  fc.record({ source: fc.constant('operator'), filter: oddValue, limit: oddValue, cursor: oddValue }),
);

test(
  'whatever event comes past the gateway, it is read, or refused with each fault named',
  () =>
    fc.assert(
      fc.property(
        fc.oneof({ weight: 3, arbitrary: directEvent }, { weight: 2, arbitrary: spoiled(directEvent) }, oddValue),
        fc.constantFrom(revocationOf, listingOf),
        (anything, read) => {
          try {
            const result = read(anything, clock);
            if ('asOf' in result) expect(result.asOf).toBeLessThanOrEqual(clock.now());
          } catch (error) {
            if (!(error instanceof Failure)) throw error;
            expect(error.code).toBe('invalid-request');
            expect(error.errors.length).toBeGreaterThan(0);
          }
        },
      ),
      cases(0.14),
    ),
  FUZZ_LIMIT_MS,
);
