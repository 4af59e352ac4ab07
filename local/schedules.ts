/** The revocation schedules of an environment on this machine: what EventBridge Scheduler does with them in AWS. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ENVIRONMENTS_FOLDER, knownEnvironments } from '../infra/environment-list.ts';
import { isRate } from '../infra/schedule-expression.ts';
import { runsOf } from '../infra/schedule-runs.ts';
import { UsageError } from './command.ts';

export interface Schedule {
  readonly name: string;
  /** cron(...) or rate(...), as synthesis takes them. */
  readonly expression: string;
  readonly timeZone: string;
  readonly select: object;
}

/** What revoketoken gets of a schedule. */
export interface ScheduleEvent {
  readonly source: 'schedule';
  readonly name: string;
  readonly scheduledTime: string;
  readonly select: object;
}

const MINUTES = { minute: 1, hour: 60, day: 1_440 };
const LOOK_EVERY_MS = 1_000;

/** Those of an environment's file. Throws UsageError with the known names if there is none. */
export function schedulesIn(environment: string): readonly Schedule[] {
  const known = knownEnvironments();
  if (!known.includes(environment))
    throw new UsageError(`There is no environment ${environment}. Known: ${known.join(', ')}; none runs no schedules.`);
  const file = join(ENVIRONMENTS_FOLDER, `${environment}.ts`);
  const { default: values } = createRequire(import.meta.filename)(file) as {
    readonly default: { readonly revocationSchedules: readonly Schedule[] };
  };
  return values.revocationSchedules;
}

/** When a schedule runs next after `from`, epoch ms; undefined: never again. A rate counts from `begun`. */
export function nextRun({ expression, timeZone }: Schedule, from: number, begun: number): number | undefined {
  if (!isRate(expression)) {
    for (const { at, jump } of runsOf(expression, timeZone, from)) if (jump !== 'skipped') return at;
    return undefined;
  }
  const [, count = '1', unit = 'minute'] = /^rate\((\d+) (minute|hour|day)/.exec(expression) ?? [];
  const every = Number(count) * MINUTES[unit as keyof typeof MINUTES] * 60_000;
  return begun + (Math.floor((from - begun) / every) + 1) * every;
}

/** A line for each: what it revokes, and when it runs next. */
export function scheduleLines(schedules: readonly Schedule[], now: number): readonly string[] {
  return schedules.map((schedule) => {
    const next = nextRun(schedule, now, now);
    const when = next === undefined ? 'never again' : `next ${new Date(next).toISOString().slice(0, 16)}Z`;
    return `${schedule.name}: ${schedule.expression} in ${schedule.timeZone}, ${when}, revokes ${JSON.stringify(schedule.select)}`;
  });
}

/**
 * Runs them from `now()` on; the answer looks which are due, and runs each of these once. What was missed while the machine
 * slept runs once.
 */
export function makeClockwork(
  schedules: readonly Schedule[],
  run: (event: ScheduleEvent) => void,
  now: () => number = Date.now,
): () => void {
  const begun = now();
  const next = new Map(schedules.map((schedule) => [schedule, nextRun(schedule, begun, begun)]));
  return () => {
    for (const [schedule, at] of next) {
      const { name, select } = schedule;
      if (at === undefined || at > now()) continue;
      next.set(schedule, nextRun(schedule, now(), begun));
      run({ source: 'schedule', name, scheduledTime: new Date(at).toISOString(), select });
    }
  };
}

/** Looks every second which are due; the answer ends that. */
export function startSchedules(schedules: readonly Schedule[], run: (event: ScheduleEvent) => void): () => void {
  const timer = setInterval(makeClockwork(schedules, run), LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
