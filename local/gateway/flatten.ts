/**
 * Claims as API Gateway's HTTP API hands them to a function: every value a string. Observed: numbers as digits, an
 * array as its items between brackets, joined by spaces, with no quotes and no escapes, so that a group named
 * `viewer] [admin` cannot be told from two. Objects are printed in the same manner (assumed: key:value, sorted).
 */
export function flattenClaims(claims: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, print(value)]));
}

function print(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(print).join(' ')}]`;
  if (typeof value === 'object') {
    const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${pairs.map(([key, item]) => `${key}:${print(item)}`).join(' ')}]`;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}
