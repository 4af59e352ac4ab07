/** When schedules run, by EventBridge Scheduler's own words about daylight saving time, and what the command prints of it. */
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import fc from 'fast-check';
import { loadEnvironment } from '../../infra/environment-files.ts';
import { environmentPolicy, warningsOf } from '../../infra/environment-policy.ts';
import { isCron } from '../../infra/schedule-expression.ts';
import { jumpOf, runsOf } from '../../infra/schedule-runs.ts';
import { fireLocal, linesOf } from '../../infra/schedules.ts';
import { startLocalBroker } from '../../local/local-broker.ts';
import { makeClockwork } from '../../local/schedules.ts';
import { witness } from '../support/broker-witness.ts';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const firstRuns = (expression: string, timeZone: string, count: number, from = NOW) =>
  Array.from({ length: count }, (_, index) => index).reduce<{
    found: string[];
    runs: Iterator<{ at: number; jump?: string }>;
  }>(
    ({ found, runs }) => {
      const { value } = runs.next() as IteratorResult<{ at: number; jump?: string }, undefined>;
      return {
        runs,
        found: value ? [...found, `${new Date(value.at).toISOString()} ${value.jump ?? ''}`.trim()] : found,
      };
    },
    { found: [], runs: runsOf(expression, timeZone, from) },
  ).found;

test.each([
  ['cron(0 20 ? * MON-FRI *)', 'Europe/Berlin', ['2026-11-27T19:00:00.000Z', '2026-11-30T19:00:00.000Z']],
  ['cron(0 20 ? * 2-6 *)', 'UTC', ['2026-11-27T20:00:00.000Z', '2026-11-30T20:00:00.000Z']],
  ['cron(0/15 8-9 ? * SUN *)', 'UTC', ['2026-11-29T08:00:00.000Z', '2026-11-29T08:15:00.000Z']],
  ['cron(5/40 * * * ? *)', 'UTC', ['2026-11-27T12:05:00.000Z', '2026-11-27T12:45:00.000Z', '2026-11-27T13:05:00.000Z']],
  ['cron(0 3 L * ? *)', 'UTC', ['2026-11-30T03:00:00.000Z', '2026-12-31T03:00:00.000Z']],
  ['cron(0 3 LW * ? *)', 'UTC', ['2026-11-30T03:00:00.000Z', '2026-12-31T03:00:00.000Z', '2027-01-29T03:00:00.000Z']],
  ['cron(0 3 ? * L *)', 'UTC', ['2026-11-28T03:00:00.000Z', '2026-12-05T03:00:00.000Z']],
  ['cron(0 3 ? * 6L *)', 'UTC', ['2026-12-25T03:00:00.000Z', '2027-01-29T03:00:00.000Z']],
  ['cron(0 3 ? * 2#1 *)', 'UTC', ['2026-12-07T03:00:00.000Z', '2027-01-04T03:00:00.000Z']],
  ['cron(0 3 1 1 ? 2028)', 'UTC', ['2028-01-01T03:00:00.000Z']],
  ['cron(0 3 1 1 ? 2020)', 'UTC', []],
  ['cron(30 1 * * ? *)', 'Asia/Kolkata', ['2026-11-27T20:00:00.000Z', '2026-11-28T20:00:00.000Z']],
])('%s in %s runs when AWS runs it', (expression, timeZone, expected) => {
  expect(isCron(expression)).toBe(true);
  expect(firstRuns(expression, timeZone, expected.length + (expected.length < 2 ? 1 : 0))).toEqual(expected);
});

test.each([
  ['Europe/Berlin', 'cron(30 2 * * ? *)', '2027-03-28T01:30:00.000Z skipped', '2027-10-31T00:30:00.000Z comes twice'],
  ['America/New_York', 'cron(30 2 * * ? *)', '2027-03-14T07:30:00.000Z skipped', undefined],
  ['America/New_York', 'cron(30 1 * * ? *)', undefined, '2027-11-07T05:30:00.000Z comes twice'],
  ['Australia/Lord_Howe', 'cron(15 2 * * ? *)', '2027-10-02T15:45:00.000Z skipped', undefined],
  ['UTC', 'cron(30 2 * * ? *)', undefined, undefined],
])('in %s %s meets the jumps of the clocks', (timeZone, expression, skipped, twice) => {
  const runs = firstRuns(expression, timeZone, 366);
  expect(runs.find((run) => run.endsWith('skipped'))).toBe(skipped);
  expect(runs.find((run) => run.endsWith('twice'))).toBe(twice);
  expect(jumpOf(expression, timeZone, NOW) === undefined).toBe(skipped === undefined && twice === undefined);
});

test('of a time that comes twice there is one run, and none when it comes again', () => {
  const between = Date.parse('2027-10-31T01:00:00Z'); // 02:00 in Berlin for the second time.
  expect(firstRuns('cron(30 2 * * ? *)', 'Europe/Berlin', 1, between)).toEqual(['2027-11-01T01:30:00.000Z']);
});

test.each(['cron(30 * * * ? *)', 'rate(5 minutes)'])(
  '%s needs no warning: its next run makes up for a skipped one',
  (often) => {
    expect(jumpOf(often, 'Europe/Berlin', NOW)).toBeUndefined();
  },
);

test('every expression that synthesis takes can be read, and its runs come in order', () => {
  const field = (lowest: number, highest: number, ...more: string[]) => {
    const value = fc.integer({ min: lowest, max: highest });
    return fc.oneof(
      fc.constantFrom('*', ...more),
      value.map(String),
      fc.tuple(value, fc.integer({ min: 1, max: highest })).map(([from, step]) => `${from}/${step}`),
      fc.tuple(value, value).map((ends) => [Math.min(...ends), Math.max(...ends)].join('-')),
      fc.array(value, { minLength: 1, maxLength: 3 }).map((list) => list.join(',')),
    );
  };
  const days = fc.oneof(
    field(1, 31, 'L', 'LW', '15W').map((day) => [day, '?'] as const),
    field(1, 7, 'L', '6L', '2#1', 'MON-FRI', 'SUN').map((day) => ['?', day] as const),
  );
  const cron = fc
    .tuple(field(0, 59), field(0, 23), days, field(1, 12, 'JAN', 'MAR-OCT'), field(2026, 2199))
    .map(
      ([minute, hour, [date, weekday], month, year]) => `cron(${minute} ${hour} ${date} ${month} ${weekday} ${year})`,
    )
    .filter(isCron);
  fc.assert(
    fc.property(
      cron,
      fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata'),
      (expression, zone) => {
        const times = firstRuns(expression, zone, 5).map((run) => run.split(' ')[0] ?? '');
        expect([...times].sort()).toEqual(times);
      },
    ),
    { numRuns: 200 },
  );
});

test('the list says where the clocks have changed, what is skipped, and what counts from its creation', () => {
  const schedule = {
    name: 'night',
    expression: 'cron(30 2 * * ? *)',
    timeZone: 'Europe/Berlin',
    select: { all: true },
  } as const;
  expect(linesOf(schedule, Date.parse('2027-03-26T12:00:00Z'), 3)).toEqual([
    'night: cron(30 2 * * ? *) in Europe/Berlin, revokes {"all":true}',
    '  2027-03-27 02:30  2027-03-27 01:30 UTC',
    '  2027-03-28 02:30  no run                SKIPPED: this local time does not exist, the clocks go forward over it',
    '  2027-03-29 02:30  2027-03-29 00:30 UTC  the clocks have changed',
  ]);
  expect(linesOf({ ...schedule, expression: 'rate(2 hours)' }, NOW, 3)).toHaveLength(2);
  expect(linesOf({ ...schedule, expression: 'cron(0 0 1 1 ? 2020)' }, NOW, 3)[1]).toBe('  never again');
});

test('synthesis warns of a local time that is skipped or comes twice', () => {
  const prod = loadEnvironment('prod', { account: '111122223333', region: 'eu-central-1' });
  const warned = (expression: string, timeZone: string) =>
    warningsOf(
      { ...prod, revocationSchedules: [{ name: 'night', expression, timeZone, select: { all: true } }] },
      environmentPolicy(prod),
      NOW,
    );
  expect(warned('cron(30 2 * * ? *)', 'Europe/Berlin')).toEqual([
    [
      'clock-jump-night',
      expect.stringMatching(
        /^revocationSchedules "night" would run at 2027-03-28 02:30 in Europe\/Berlin, .*there is no run/,
      ),
    ],
  ]);
  expect(warned('cron(30 1 * * ? *)', 'America/New_York')[0]?.[1]).toContain('comes twice that night: it runs once');
  expect(warned('cron(30 4 * * ? *)', 'Europe/Berlin')).toEqual([]);
});

describe('npm run schedules', () => {
  const program = path.join(import.meta.dirname, '../../infra/schedules.ts');
  const refused = (...args: string[]) => {
    const env = { PATH: process.env['PATH'], HOME: '/nowhere', AWS_EC2_METADATA_DISABLED: 'true' };
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env });
    return [status, stderr.split('\n')[0]];
  };

  test('prints the next ten runs of each schedule', () => {
    const text = execFileSync(process.execPath, [program, 'next', '--env', 'prod'], { encoding: 'utf8' });
    expect(text.match(/^ {2}\d{4}-\d\d-\d\d 20:00 {2}\d{4}-\d\d-\d\d 1[89]:00 UTC/gm)).toHaveLength(10);
    expect(text).toContain('older-than-40-minutes: rate(5 minutes) in UTC');
  });

  test('fires a schedule at the local broker', async () => {
    const broker = await startLocalBroker({ sweepEveryMs: null });
    try {
      const seen = witness(broker);
      expect(await seen.ask('alice')).toMatchObject({ status: 200 });
      const event = { source: 'schedule', name: 'x', scheduledTime: new Date().toISOString() };
      const userName = seen.liveTokens('alice')[0]?.user;
      expect(JSON.parse(await fireLocal(broker.url, { ...event, select: { userName } }))).toMatchObject({ revoked: 1 });
      expect(seen.liveTokens('alice')).toEqual([]);
      expect(await seen.ask('bob')).toMatchObject({ status: 200 });
      // As npm start does when one is due.
      let now = Date.now() - 60_000;
      const night = { name: 'x', expression: 'rate(1 minute)', timeZone: 'UTC', select: { all: true } };
      const due: Promise<unknown>[] = [];
      const look = makeClockwork(
        [night],
        (run) => due.push(broker.invoke('revoketoken', run)),
        () => now,
      );
      now = Date.now();
      look();
      expect(await Promise.all(due)).toEqual([expect.objectContaining({ status: 'answered' })]);
      await expect(fireLocal(broker.url, { ...event, select: {} })).rejects.toThrow(/answered 500: .*select/);
    } finally {
      await broker.close();
    }
  });

  test.each([
    [['next'], 2, 'Name an environment: --env dev.'],
    [['next', '--env', 'prod', '--count', 'x'], 2, '--count is a whole number, 1 to 9999.'],
    [
      ['fire', 'nightly', '--env', 'prod', '--local', 'http://127.0.0.1:1'],
      2,
      'prod has no schedule nightly. Known: end-of-day, older-than-40-minutes.',
    ],
    [
      ['fire', 'end-of-day', '--env', 'prod', '--local', 'http://127.0.0.1:1'],
      1,
      'Nothing answers at http://127.0.0.1:1. Is npm start running?',
    ],
    [
      ['fire', 'end-of-day', '--env', 'prod', '--region', 'eu-central-1'],
      1,
      expect.stringMatching(
        /^thoughtspot-broker-prod-revoketoken \(alias live\) in eu-central-1 was not invoked: Could not load credentials .*signed in to AWS\?$/,
      ),
    ],
    [['next', '--env', 'nowhere'], 1, expect.stringMatching(/^Unknown environment nowhere\. Known: /)],
  ])('%j ends with %i and words', (args, status, words) => {
    expect(refused(...args)).toEqual([status, words]);
  });
});
