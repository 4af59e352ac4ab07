/** Whether EventBridge's pattern matches an event: the operators that the stack uses, and an error for any other. */
export function matchesPattern(pattern: unknown, event: unknown): boolean {
  return Object.entries(pattern as object).every(([name, part]) => {
    const value = (event as Record<string, unknown> | undefined)?.[name];
    return Array.isArray(part) ? part.some((test) => holds(test, value)) : matchesPattern(part, value);
  });
}

function holds(test: unknown, value: unknown): boolean {
  if (typeof test === 'string') return value === test;
  const entries = Object.entries(test as object);
  const [[operator, argument]] = entries.length === 1 ? (entries as [[string, unknown]]) : [['several', undefined]];
  if (operator === 'exists') return (value !== undefined) === argument;
  if (typeof value !== 'string') return false;
  if (operator === 'anything-but') return ![argument].flat().includes(value);
  if (operator === 'prefix') return value.startsWith(String(argument));
  if (operator === 'suffix') return value.endsWith(String(argument));
  if (operator === 'wildcard') {
    const parts = String(argument)
      .split('*')
      .map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`).test(value);
  }
  throw new Error(`The matcher does not know ${operator}`);
}
