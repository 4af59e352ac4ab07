import { Failure } from '../../../functions/broker/failure.ts';

test('a failure is named by its code, with the reason for operators behind it', () => {
  const cause = new Error('cause');
  const failure = new Failure('ledger-denied', { reason: 'why', cause });
  expect(failure).toMatchObject({ name: 'Failure', message: 'ledger-denied: why', reason: 'why', cause });
  expect(new Failure('ledger-denied')).toMatchObject({ message: 'ledger-denied', reason: undefined, cause: undefined });
});

test('a failure asks the caller to wait a second where the problem passes by itself, or as long as is known', () => {
  expect(new Failure('upstream-busy').retryAfterMs).toBe(1_000);
  expect(new Failure('upstream-busy', { retryAfterMs: 7 }).retryAfterMs).toBe(7);
  expect(new Failure('not-entitled').retryAfterMs).toBeUndefined();
});

test('faults of the request are kept; without any there is an empty list', () => {
  const errors = [{ field: 'limit', detail: 'must be 1 or more' }];
  expect(new Failure('invalid-request', { errors }).errors).toEqual(errors);
  expect(new Failure('invalid-request').errors).toEqual([]);
});
