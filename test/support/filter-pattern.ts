/** Filter patterns of CloudWatch Logs for JSON lines, as far as the stack uses them: `{ ($.a = "b*") && ($.c < 5) }`. */

type Line = Readonly<Record<string, unknown>>;

/** Whether a line matches. Throws where the pattern is none. */
export function matchesPattern(pattern: string, line: Line): boolean {
  const [, inner] = /^\{(.*)\}$/.exec(pattern.trim()) ?? [];
  if (inner === undefined) throw new Error(`no pattern for JSON: ${pattern}`);
  const tokens = inner.match(/\(|\)|&&|\|\||\$[\w.]+|<=|>=|!=|<|>|=|"[^"]*"|[\w.-]+/g) ?? [];
  if (tokens.join('') !== inner.replaceAll(/\s+(?=(?:[^"]*"[^"]*")*[^"]*$)/g, ''))
    throw new Error(`cannot read ${inner}`);
  let at = 0;
  const take = () => tokens[at++] ?? '';
  const term = (): boolean => {
    if (tokens[at] === '(') {
      take();
      const value = either();
      if (take() !== ')') throw new Error(`a bracket is open in ${inner}`);
      return value;
    }
    return compare(fieldOf(line, take()), take(), take());
  };
  const both = (): boolean => {
    let value = term();
    while (tokens[at] === '&&') {
      take();
      value = term() && value;
    }
    return value;
  };
  const either = (): boolean => {
    let value = both();
    while (tokens[at] === '||') {
      take();
      value = both() || value;
    }
    return value;
  };
  const value = either();
  if (at !== tokens.length) throw new Error(`more than a pattern: ${inner}`);
  return value;
}

function fieldOf(line: Line, selector: string): unknown {
  const names = selector.replace(/^\$\.?/, '').split('.');
  return names.reduce<unknown>((value, name) => (value as Line | undefined)?.[name], line);
}

/** Text is compared with text, and numbers with numbers: neither becomes the other. */
function compare(field: unknown, operator: string, literal: string): boolean {
  if (literal.startsWith('"')) {
    if (typeof field !== 'string') return false;
    const parts = literal
      .slice(1, -1)
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    const matches = new RegExp(`^${parts.join('.*')}$`).test(field);
    return operator === '=' ? matches : !matches;
  }
  if (typeof field !== 'number') return false;
  const number = Number(literal);
  if (operator === '=') return field === number;
  if (operator === '<') return field < number;
  if (operator === '<=') return field <= number;
  if (operator === '>') return field > number;
  if (operator === '>=') return field >= number;
  return field !== number;
}
