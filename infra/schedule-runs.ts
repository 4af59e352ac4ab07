/**
 * When a schedule runs. Of daylight saving time EventBridge Scheduler says (user guide, "Schedule types"): a local time that
 * does not exist is skipped, and of one that comes twice there is one run.
 */
import { Cron } from 'croner';

export interface Run {
  /** Epoch ms; of a skipped run when it would have been without the jump. */
  readonly at: number;
  /** The clock on the wall there: `2027-03-28 02:30`. */
  readonly local: string;
  /** Minutes that the wall is ahead of UTC. */
  readonly offset: number;
  readonly jump?: 'skipped' | 'comes twice';
}

const DAY_MS = 86_400_000;
const YEAR_MS = 366 * DAY_MS;

/** The runs of a cron after `from` (epoch ms), in order; ends where its years end. `expression` must be one that `isCron` takes. */
export function* runsOf(expression: string, timeZone: string, from: number): Generator<Run> {
  const offsetAt = offsetsOf(timeZone);
  // In UTC every time exists once, so it serves as the wall; what is true of the zone is looked up afterwards.
  const wall = new Cron(sevenFields(expression), { mode: '7-part', timezone: 'UTC', alternativeWeekdays: true });
  let last: Date | null = new Date(from + offsetAt(from) * 60_000 - DAY_MS);
  while ((last = wall.nextRun(last)) !== null) {
    const time = last.getTime();
    const offsets = [...new Set([offsetAt(time - DAY_MS), offsetAt(time + DAY_MS)])];
    const real = offsets.filter((offset) => offsetAt(time - offset * 60_000) === offset);
    // The earlier of two instants is the one with the greater offset.
    const offset = real.length > 0 ? Math.max(...real) : Math.min(...offsets);
    const at = time - offset * 60_000;
    if (at <= from) continue;
    const jump = real.length === 0 ? ('skipped' as const) : real.length > 1 ? ('comes twice' as const) : undefined;
    yield { at, local: last.toISOString().slice(0, 16).replace('T', ' '), offset, ...(jump && { jump }) };
  }
}

/**
 * The first run in the year after `from` that daylight saving time takes away or doubles. Undefined too where the schedule
 * runs in every hour: there the next run makes up for it.
 */
export function jumpOf(expression: string, timeZone: string, from: number): Run | undefined {
  if (!expression.startsWith('cron(') || expression.split(' ')[1] === '*') return undefined;
  for (const run of runsOf(expression, timeZone, from)) {
    if (run.at > from + YEAR_MS) return undefined;
    if (run.jump !== undefined) return run;
  }
  return undefined;
}

/** The library's fields: with seconds, `*` for `?`, a range before a step, and Saturday for the last day of the week. */
function sevenFields(expression: string): string {
  const highest = [59, 23, 31, 12, 7, 2199];
  const fields = expression.slice('cron('.length, -1).split(' ');
  const written = fields.map((field, index) =>
    field
      .replace('?', '*')
      .replace(/(^|,)(\d+)\//g, `$1$2-${highest[index]}/`)
      .replace(/^L$/, index === 4 ? '7' : 'L'),
  );
  return ['0', ...written].join(' ');
}

/** Minutes that the clocks of a zone are ahead of UTC at an instant. */
function offsetsOf(timeZone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  return (instant) => {
    const name = format.formatToParts(instant).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign = '+', hours = '0', minutes = '0'] = /GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  };
}
