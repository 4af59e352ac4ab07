/** What a token or a user may see: the attributes that custom tokens carry. */
export interface Entitlements {
  variables: Record<string, string[]>;
  filters: { column: string; operator: string; values: string[] }[];
  parameters: Record<string, string>;
}

export type PersistOption = 'REPLACE' | 'APPEND' | 'NONE' | 'RESET';

export const NO_ENTITLEMENTS: Entitlements = { variables: {}, filters: [], parameters: {} };

/** Wire facts 3.1: an empty array does not clear a variable. */
const filled = (variables: Entitlements['variables']): Entitlements['variables'] =>
  Object.fromEntries(Object.entries(variables).filter(([, values]) => values.length > 0));

/** APPEND: what was there stays, so entitlements pile up over mints. */
function appended(old: Entitlements, added: Entitlements): Entitlements {
  const variables = { ...old.variables };
  for (const [name, values] of Object.entries(filled(added.variables))) {
    variables[name] = [...new Set([...(variables[name] ?? []), ...values])];
  }
  const filters = [...old.filters];
  for (const filter of added.filters) {
    if (!filters.some((known) => JSON.stringify(known) === JSON.stringify(filter))) filters.push(filter);
  }
  return { variables, filters, parameters: { ...old.parameters, ...added.parameters } };
}

/**
 * What a custom mint leaves on the user object and what its token carries. REPLACE is authoritative, except that an
 * empty array leaves a variable as it was; NONE leaves the user alone; RESET clears it.
 */
export function applyPersistOption(
  option: PersistOption,
  old: Entitlements,
  asked: Entitlements,
): { user: Entitlements; token: Entitlements } {
  switch (option) {
    case 'REPLACE': {
      const emptied = Object.keys(asked.variables).filter((name) => asked.variables[name]?.length === 0);
      const kept = Object.fromEntries(
        emptied.flatMap((name) => (old.variables[name] ? [[name, old.variables[name]]] : [])),
      );
      const user = { ...asked, variables: { ...kept, ...filled(asked.variables) } };
      return { user, token: user };
    }
    case 'APPEND': {
      const user = appended(old, asked);
      return { user, token: user };
    }
    case 'NONE':
      return { user: old, token: appended(old, asked) };
    case 'RESET':
      return { user: NO_ENTITLEMENTS, token: { ...asked, variables: filled(asked.variables) } };
  }
}
