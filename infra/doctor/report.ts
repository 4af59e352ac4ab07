import type { Check } from './checklist.ts';
import type { Examination } from './examination.ts';

const MARKS = { passed: 'ok  ', failed: 'FAIL', skipped: '-   ' } as const;

export function isHealthy({ checks }: Examination): boolean {
  return checks.every(({ status }) => status !== 'failed');
}

/** The table for people: a line per check. A failed check is followed by its cure. */
export function reportLines(examination: Examination): readonly string[] {
  const { host, dialect, broker, checks } = examination;
  const width = Math.max(...checks.map(({ name }) => name.length));
  const section = (title: string, name: Check['section']) => [
    title,
    ...checks.filter((check) => check.section === name).flatMap((check) => linesOf(check, width)),
    '',
  ];
  const count = (status: Check['status']) => checks.filter((check) => check.status === status).length;
  return [
    ...(checks.some(({ section: of }) => of === 'environment') ? section('Environment', 'environment') : []),
    ...section(`ThoughtSpot ${host} (${dialect})`, 'ThoughtSpot'),
    ...section(`Broker ${broker ?? ''}`.trim(), 'broker'),
    `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`,
  ];
}

function linesOf({ name, status, ms, detail, cure }: Check, width: number): readonly string[] {
  const time = status === 'skipped' ? '' : `${ms} ms`;
  const line = `  ${MARKS[status]}  ${name.padEnd(width)}  ${time.padStart(8)}  ${detail}`;
  return cure === undefined ? [line] : [line, `${' '.repeat(width + 20)}-> ${cure}`];
}
