/**
 * Checks EventBridge Scheduler's expressions before AWS sees them. Grammar: EventBridge Scheduler user guide,
 * "Schedule types". A cron has six fields; exactly one of day-of-month and day-of-week is `?`.
 */
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** Of an expression, in characters. */
const LONGEST = 256;

interface Field {
  readonly lowest: number;
  readonly highest: number;
  readonly names?: readonly string[];
  /** Forms beyond numbers, ranges, lists and steps. */
  readonly special?: RegExp;
}

const FIELDS: readonly Field[] = [
  { lowest: 0, highest: 59 },
  { lowest: 0, highest: 23 },
  { lowest: 1, highest: 31, special: /^(\?|L|LW|([1-9]|[12]\d|3[01])W)$/ },
  { lowest: 1, highest: 12, names: MONTHS },
  { lowest: 1, highest: 7, names: DAYS, special: /^(\?|L|[1-7]L|[1-7]#[1-5])$/ },
  { lowest: 1970, highest: 2199 },
];

function isField(text: string, field: Field): boolean {
  if (field.special?.test(text)) return true;
  const value = (part: string): number => {
    const name = field.names?.indexOf(part.toUpperCase()) ?? -1;
    return name >= 0 ? name + field.lowest : /^\d{1,4}$/.test(part) ? Number(part) : NaN;
  };
  const inside = (part: string) => value(part) >= field.lowest && value(part) <= field.highest;
  return text.split(',').every((item) => {
    const [range = '', step, ...rest] = item.split('/');
    if (rest.length > 0) return false;
    if (step !== undefined && !(/^[1-9]\d*$/.test(step) && Number(step) <= field.highest - field.lowest)) return false;
    if (range === '*') return true;
    const [from = '', to, ...more] = range.split('-');
    return more.length === 0 && inside(from) && (to === undefined || (inside(to) && value(to) >= value(from)));
  });
}

/** Whether this is a `cron(m h dom mon dow y)` that EventBridge Scheduler accepts. */
export function isCron(expression: string): boolean {
  const parts = /^cron\(([^()]*)\)$/.exec(expression)?.[1]?.split(' ');
  if (parts?.length !== FIELDS.length || expression.length > LONGEST) return false;
  if ((parts[2] === '?') === (parts[4] === '?')) return false;
  return FIELDS.every((field, index) => isField(parts[index] ?? '', field));
}

/** Whether this is a `rate(n unit)` that EventBridge accepts: one minute, several minutes. */
export function isRate(expression: string): boolean {
  return /^rate\((1 (minute|hour|day)|([2-9]|[1-9]\d{1,5}) (minutes|hours|days))\)$/.test(expression);
}

/**
 * Whether this is the name of an IANA time zone, in its own letter case. Offsets such as +01:00 are not: they have no
 * daylight saving time.
 */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Z][\w+-]*(\/[A-Z][\w+-]*)*$/.test(name)) return false;
  try {
    // Of an alias, such as US/Eastern, that is the name of what it stands for.
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}
