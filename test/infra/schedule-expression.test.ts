import { isCron, isRate, isTimeZone } from '../../infra/schedule-expression.ts';

describe('schedule expressions', () => {
  test.each([
    'cron(0 20 ? * MON-FRI *)',
    'cron(0/15 * * * ? *)',
    'cron(30 6 L * ? 2030)',
    'cron(0 0 1,15 JAN-JUN ? *)',
    'cron(0 9 ? * 2#1 *)',
    'cron(0 9 15W * ? *)',
  ])('%s is a cron', (text) => {
    expect(isCron(text)).toBe(true);
  });
  test.each([
    'cron(0 20 * * * *)',
    'cron(0 20 ? * ? *)',
    'cron(60 0 * * ? *)',
    'cron(0 24 * * ? *)',
    'cron(0 0 32 * ? *)',
    'cron(0 0 * 13 ? *)',
    'cron(0 0 ? * 8 *)',
    'cron(0 0 * * ?)',
    'cron(5-1 0 * * ? *)',
    'cron(0/0 0 * * ? *)',
    '0 20 * * ?',
    'cron()',
  ])('%s is none', (text) => {
    expect(isCron(text)).toBe(false);
  });
  test('rates are whole numbers of minutes, hours or days', () => {
    expect(
      ['rate(1 minute)', 'rate(12 hours)', 'rate(0 days)', 'rate(1.5 hours)', 'rate(5 seconds)'].map(isRate),
    ).toEqual([true, true, false, false, false]);
  });
  test('time zones have names, so that they know summer time', () => {
    expect(['Europe/Berlin', 'UTC', '+01:00', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
