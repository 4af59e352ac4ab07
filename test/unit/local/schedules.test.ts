/** npm start runs revocation schedules when EventBridge Scheduler would, on a clock of the test. */
import { makeClockwork, nextRun, scheduleLines, schedulesIn, type ScheduleEvent } from '../../../local/schedules.ts';

const select = { all: true };
const schedule = (expression: string, timeZone = 'UTC', name = 'nightly') => ({ name, expression, timeZone, select });
const at = (text: string) => Date.parse(text);

/** The times of the runs when the clock is looked at at these moments; the first is the start. */
function runs(expression: string, timeZone: string, ...[begin = '', ...looks]: readonly string[]): readonly string[] {
  const seen: ScheduleEvent[] = [];
  let now = at(begin);
  const look = makeClockwork(
    [schedule(expression, timeZone)],
    (event) => seen.push(event),
    () => now,
  );
  for (const moment of looks) {
    now = at(moment);
    look();
  }
  return seen.map(({ scheduledTime }) => scheduledTime);
}

test.each([
  ['a moment before its time', ['2026-11-27T18:59:59Z'], []],
  ['at its time, once', ['2026-11-27T19:00:00Z', '2026-11-27T19:00:01Z'], ['2026-11-27T19:00:00.000Z']],
  [
    'on the next day it has',
    ['2026-11-27T19:00:00Z', '2026-11-30T19:00:00Z'],
    ['2026-11-27T19:00:00.000Z', '2026-11-30T19:00:00.000Z'],
  ],
  ['once for all that was slept over', ['2026-12-04T08:00:00Z', '2026-12-04T08:00:01Z'], ['2026-11-27T19:00:00.000Z']],
])('a cron runs %s', (_when, looks, expected) => {
  expect(runs('cron(0 20 ? * MON-FRI *)', 'Europe/Berlin', '2026-11-27T12:00:00Z', ...looks)).toEqual(expected);
});

test('a rate counts from the start, and stays in step with it', () => {
  expect(
    runs(
      'rate(5 minutes)',
      'UTC',
      '2026-11-27T12:00:30Z',
      '2026-11-27T12:05:29Z',
      '2026-11-27T12:05:31Z',
      '2026-11-27T12:10:29Z',
      '2026-11-27T12:10:30Z',
    ),
  ).toEqual(['2026-11-27T12:05:30.000Z', '2026-11-27T12:10:30.000Z']);
});

test('a local time that does not exist is skipped, one whose years are over never comes', () => {
  const before = at('2027-03-27T12:00:00Z');
  expect(nextRun(schedule('cron(30 2 * * ? *)', 'Europe/Berlin'), before, before)).toBe(at('2027-03-29T00:30:00Z'));
  expect(nextRun(schedule('cron(0 0 1 1 ? 2020)'), before, before)).toBeUndefined();
  expect(runs('cron(0 0 1 1 ? 2020)', 'UTC', '2026-11-27T12:00:00Z', '2030-01-01T00:00:00Z')).toEqual([]);
});

test('the event is that of the stack, and each schedule has its own', () => {
  const seen: ScheduleEvent[] = [];
  let now = at('2026-11-27T12:00:00Z');
  const both = [schedule('rate(1 minute)', 'UTC', 'often'), schedule('rate(1 hour)', 'UTC', 'seldom')];
  const look = makeClockwork(
    both,
    (event) => seen.push(event),
    () => now,
  );
  now += 60_000;
  look();
  expect(seen).toEqual([{ source: 'schedule', name: 'often', scheduledTime: '2026-11-27T12:01:00.000Z', select }]);
});

test('each is shown with what it revokes and when it runs next', () => {
  expect(
    scheduleLines([schedule('rate(1 hour)'), schedule('cron(0 0 1 1 ? 2020)')], at('2026-11-27T12:00:00Z')),
  ).toEqual([
    'nightly: rate(1 hour) in UTC, next 2026-11-27T13:00Z, revokes {"all":true}',
    'nightly: cron(0 0 1 1 ? 2020) in UTC, never again, revokes {"all":true}',
  ]);
});

test('the schedules are those of the file of an environment; of none there is, the known ones are named', () => {
  expect(schedulesIn('prod').map(({ name }) => name)).toEqual(['end-of-day', 'older-than-40-minutes']);
  expect(() => schedulesIn('prd')).toThrow(/^There is no environment prd\. Known: .*prod.*; none runs no schedules\.$/);
});
