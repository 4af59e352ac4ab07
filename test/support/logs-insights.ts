/**
 * The query language of CloudWatch Logs Insights, as far as the saved queries use it: fields, filter, stats, sort, limit.
 * Lines are JSON; fields are found by their path, true is 1, and what no line has is missing, as there. Throws on any other
 * word, so that no query is taken for one that it is not.
 */

export type Row = Readonly<Record<string, string | number>>;
export interface LogLine {
  readonly text: string;
  /** Epoch ms. */
  readonly at: number;
}

/** Its result: a row per line, or per group. */
export function runQuery(query: string, lines: readonly LogLine[]): readonly Row[] {
  let rows: Row[] = lines.map(({ text, at }) => ({ ...flat(parse(text)), '@timestamp': at, '@message': text }));
  for (const command of query.split('\n|').map((one) => one.trim())) {
    const [, word = '', rest = ''] = /^(\w+)\s+([^]*)$/.exec(command) ?? [];
    if (word === 'filter') rows = rows.filter((row) => isTrue(valueOf(rest, row)));
    else if (word === 'fields') rows = rows.map((row) => ({ ...row, ...named(rest, row) }));
    else if (word === 'stats') rows = grouped(rest, rows);
    else if (word === 'sort') rows = sorted(rest, rows);
    else if (word === 'limit') rows = rows.slice(0, Number(rest));
    else throw new Error(`unknown command: ${command}`);
  }
  return rows;
}

/** The fields that the last `fields` or `stats` of a query shows. */
export function shownBy(query: string): readonly string[] {
  const commands = query.split('\n|').map((one) => one.trim());
  const shown = commands.filter((one) => /^(fields|stats) /.test(one)).at(-1) ?? '';
  return parts(shown.replace(/^\w+ /, '').replace(' by ', ', ')).map((part) => part.split(' as ').at(-1) ?? part);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function flat(value: unknown, path = ''): Record<string, string | number> {
  if (typeof value === 'string' || typeof value === 'number') return { [path]: value };
  if (typeof value === 'boolean') return { [path]: value ? 1 : 0 };
  if (typeof value !== 'object' || value === null) return {};
  const members = Object.entries(value).map(([name, inner]) => flat(inner, path === '' ? name : `${path}.${name}`));
  return Object.assign({}, ...members) as Record<string, string | number>;
}

/** Split at commas that are in no bracket. */
function parts(list: string): string[] {
  return (list.match(/(?:\([^)]*\)|\[[^\]]*\]|[^,])+/g) ?? []).map((part) => part.trim());
}

function named(list: string, row: Row): Row {
  const pairs = parts(list).map((part) => {
    const [expression = '', name = expression] = part.split(' as ');
    return [name, valueOf(expression, row)] as const;
  });
  return Object.fromEntries(pairs.filter((pair): pair is [string, string | number] => pair[1] !== undefined));
}

const isTrue = (value: unknown) => value !== undefined && value !== 0;

/** An expression of this language over one row: and, or, not, comparisons, `in`, `like /.../`, `ispresent()`, a difference. */
function valueOf(expression: string, row: Row): string | number | undefined {
  const tokens = expression.match(/\/(?:\\.|[^/])+\/|"[^"]*"|\[[^\]]*\]|\(|\)|>=|<=|!=|[=<>-]|[\w@.]+/g) ?? [];
  let at = 0;
  const bool = (value: boolean) => (value ? 1 : 0);
  const atom = (): string | number | undefined => {
    const token = tokens[at++] ?? '';
    if (token === '(') {
      const value = or();
      at += 1;
      return value;
    }
    if (token === 'ispresent') {
      const name = tokens[at + 1] ?? '';
      at += 3;
      return bool(row[name] !== undefined);
    }
    if (token.startsWith('"')) return token.slice(1, -1);
    return /^\d+$/.test(token) ? Number(token) : row[token];
  };
  const difference = (): string | number | undefined => {
    const value = atom();
    if (tokens[at] !== '-') return value;
    at += 1;
    return Number(value) - Number(atom());
  };
  const comparison = (): string | number | undefined => {
    if (tokens[at] === 'not') {
      at += 1;
      return bool(!isTrue(comparison()));
    }
    const left = difference();
    const operator = tokens[at] ?? '';
    if (operator === 'in' || operator === 'like') {
      const right = tokens[at + 1] ?? '';
      at += 2;
      if (operator === 'like') return bool(new RegExp(right.slice(1, -1)).test(String(left ?? '')));
      return bool(parts(right.slice(1, -1)).some((one) => one === `"${left}"`));
    }
    if (!['=', '!=', '>=', '<=', '>', '<'].includes(operator)) return left;
    at += 1;
    const right = difference();
    if (left === undefined || right === undefined) return 0;
    if (operator === '=') return bool(left === right);
    if (operator === '!=') return bool(left !== right);
    const [one, other] = [Number(left), Number(right)];
    if (operator === '>=') return bool(one >= other);
    if (operator === '<=') return bool(one <= other);
    return bool(operator === '>' ? one > other : one < other);
  };
  const and = (): string | number | undefined => {
    let value = comparison();
    while (tokens[at] === 'and') {
      at += 1;
      value = bool([value, comparison()].every(isTrue));
    }
    return value;
  };
  const or = (): string | number | undefined => {
    let value = and();
    while (tokens[at] === 'or') {
      at += 1;
      value = bool([value, and()].some(isTrue));
    }
    return value;
  };
  const value = or();
  if (at < tokens.length) throw new Error(`cannot read "${tokens.slice(at).join(' ')}" of: ${expression}`);
  return value;
}

function grouped(rest: string, rows: readonly Row[]): Row[] {
  const [wanted = '', by = ''] = rest.split(' by ');
  const keys = parts(by);
  const groups = Map.groupBy(rows, (row) => JSON.stringify(keys.map((key) => row[key] ?? null)));
  return [...groups.values()].map((group) => {
    const key = Object.fromEntries(
      keys.flatMap((one) => (group[0]?.[one] === undefined ? [] : [[one, group[0][one]]])),
    );
    return { ...key, ...Object.fromEntries(parts(wanted).map((part) => aggregate(part, group))) };
  });
}

function aggregate(part: string, group: readonly Row[]): [string, number] {
  const [, how = '', field = '', percent = '0', name = part] =
    /^(\w+)\(\s*([^,)]+?)\s*(?:,\s*(\d+))?\s*\)(?: as (\w+))?$/.exec(part) ?? [];
  const values = group.flatMap((row) => row[field] ?? []);
  const numbers = values.map(Number).sort((one, other) => one - other);
  if (how === 'count') return [name, field === '*' ? group.length : values.length];
  if (how === 'count_distinct') return [name, new Set(values).size];
  if (how === 'min') return [name, Math.min(...numbers)];
  if (how === 'max') return [name, Math.max(...numbers)];
  const rank = Math.max(0, Math.ceil((Number(percent) / 100) * numbers.length) - 1);
  if (how === 'pct') return [name, numbers[rank] ?? NaN];
  throw new Error(`unknown: ${part}`);
}

function sorted(rest: string, rows: readonly Row[]): Row[] {
  const [field = '', order = 'asc'] = rest.split(/\s+/);
  const sign = order === 'desc' ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [left, right] = [one[field] ?? '', other[field] ?? ''];
    return left === right ? 0 : sign * (left < right ? -1 : 1);
  });
}
