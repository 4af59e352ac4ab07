import { lossOf, refusesBearer, rejectionOf, retryAfter } from '../../../functions/thoughtspot/rejection.ts';
import type { Lost, Reply } from '../../../functions/thoughtspot/transport.ts';

const reply = (status: number, debug: string, code = 10002): Reply => ({
  status,
  headers: {},
  body: JSON.stringify({ error: { message: { code, debug } } }),
});
const codeOf = (status: number, text: string, code?: number): string =>
  rejectionOf(reply(status, text, code), 'POST /x', 'auth-2.0', 0).failure.code;

describe('a text that speaks of the user is user-not-provisioned', () => {
  test.each([
    'User not found.',
    'User alice does not exist',
    "The user 'alice' doesn't exist in this org",
    'USER_NOT_FOUND',
    'userNotFound',
    'No such user',
    'Unknown user: alice',
    'Invalid user',
    'Could not find user with name alice',
    'User account is inactive.',
    'The account has been locked',
    'User is suspended',
    'User alice is not a member of org 1',
    'User does not belong to the Org',
    'User is not part of the org',
    'Org is not valid or accessible',
    'Org not found',
  ])('%s', (text) => {
    expect(codeOf(400, text)).toBe('user-not-provisioned');
  });
});

describe('a text that speaks of something else is not', () => {
  test.each([
    [400, 'The user name or password is incorrect', 'upstream-refused'],
    [400, 'Invalid username or password', 'upstream-refused'],
    [401, 'The provided secret key or password is incorrect', 'upstream-credential-refused'],
    [403, 'The user has insufficient privileges', 'upstream-refused'],
    [403, 'User is not authorized', 'upstream-refused'],
    [400, 'One of user_identifier or token must be given', 'upstream-refused'],
    [403, 'Trusted authentication is not enabled for this cluster or org', 'upstream-trusted-auth-disabled'],
    [403, 'Token based authentication is disabled', 'upstream-trusted-auth-disabled'],
    [400, 'JWT Beta endpoint is disabled', 'upstream-refused'],
    [400, 'persist_option NONE is not supported with variable_values', 'upstream-refused'],
    [500, 'Permission denied', 'upstream-refused'],
    [500, 'NullPointerException', 'upstream-unavailable'],
    [408, 'Request Timeout', 'upstream-timeout'],
    [429, 'User not found', 'upstream-busy'],
  ])('%i %s', (status, text, code) => {
    expect(codeOf(status, text)).toBe(code);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  test.each<readonly [string, number | undefined]>([
    ['0', 0],
    ['7', 7_000],
    [' 7 ', 7_000],
    ['Tue, 24 Nov 2026 12:01:00 GMT', 60_000],
    ['Tue, 24 Nov 2026 11:59:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['99999999999', undefined],
  ])('%p', (value, ms) => {
    expect(retryAfter({ status: 429, headers: { 'retry-after': value }, body: '' }, now)).toBe(ms);
  });
  test('absent', () => {
    expect(retryAfter({ status: 429, headers: {}, body: '' }, now)).toBeUndefined();
  });
});

test.each<readonly [Partial<Reply>, boolean]>([
  [{ status: 401, body: JSON.stringify({ error: { message: { code: 10097, debug: 'x' } } }) }, true],
  [{ status: 401 }, false],
  [{ status: 401, body: JSON.stringify({ message: 'Unauthorized' }) }, false],
  [{ status: 401, body: '<!DOCTYPE html><p>Sign in' }, false],
  [{ status: 401, headers: { 'content-type': 'text/html' } }, false],
  [{ status: 500, body: JSON.stringify({ error: { message: { code: 10097, debug: 'x' } } }) }, true],
  [{ status: 500, body: JSON.stringify({ error: { message: { code: 10038, debug: 'x' } } }) }, false],
  [{ status: 500, body: JSON.stringify({ code: 10097 }) }, false],
  [{ status: 403 }, false],
])('a bearer is refused by %p: %p', (answer, refused) => {
  expect(refusesBearer({ status: 0, headers: {}, body: '', ...answer })).toBe(refused);
});

test.each<readonly [Omit<Lost, 'kind'>, string, boolean]>([
  [{ cause: 'timeout', sent: false }, 'upstream-timeout', true],
  [{ cause: 'timeout', sent: true }, 'upstream-timeout', false],
  [{ cause: 'unreachable', sent: false, code: 'ENOTFOUND' }, 'upstream-unavailable', true],
  [{ cause: 'reset', sent: true }, 'upstream-unavailable', false],
  [{ cause: 'reset', sent: true, status: 200 }, 'upstream-unavailable', false],
  [{ cause: 'reset', sent: true, status: 404 }, 'upstream-unavailable', true],
  [{ cause: 'too-large', sent: true, status: 500 }, 'upstream-invalid', false],
  [{ cause: 'unreadable', sent: true }, 'upstream-invalid', false],
])('no whole answer, %p: %s, certain: %p', (lost, code, certain) => {
  const rejection = lossOf({ kind: 'lost', ...lost }, 'POST /x');
  expect([rejection.failure.code, rejection.certain]).toEqual([code, certain]);
});
