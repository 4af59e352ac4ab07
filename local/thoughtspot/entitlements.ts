/** What decides which rows somebody sees. */
export interface Entitlements {
  variables: Record<string, string[]>;
  filters: { column: string; operator: string; values: string[] }[];
  parameters: Record<string, string>;
  /** GUIDs of the logical tables that all of this is for; empty: all objects of the Org (wire facts 3.8). */
  objects: string[];
}

export type PersistOption = 'REPLACE' | 'APPEND' | 'NONE' | 'RESET';

export const NO_ENTITLEMENTS: Entitlements = { variables: {}, filters: [], parameters: {}, objects: [] };

/** Wire facts 3.1: an empty array does not clear a variable. */
const filled = (variables: Entitlements['variables']): Entitlements['variables'] =>
  Object.fromEntries(Object.entries(variables).filter(([, values]) => values.length > 0));

const isEmpty = ({ variables, filters, parameters }: Entitlements): boolean =>
  filters.length === 0 && Object.keys(variables).length === 0 && Object.keys(parameters).length === 0;

/** How two lists of objects combine is not documented: they add up, and "all objects" stays all. */
function joinedObjects(old: Entitlements, added: Entitlements): string[] {
  if (isEmpty(old)) return added.objects;
  if (isEmpty(added)) return old.objects;
  if (old.objects.length === 0 || added.objects.length === 0) return [];
  return [...new Set([...old.objects, ...added.objects])];
}

/** Both together: values pile up per variable, filters are all applied. */
export function joined(old: Entitlements, added: Entitlements): Entitlements {
  const variables = { ...old.variables };
  for (const [name, values] of Object.entries(filled(added.variables))) {
    variables[name] = [...new Set([...(variables[name] ?? []), ...values])];
  }
  const filters = [...old.filters];
  for (const filter of added.filters) {
    if (!filters.some((known) => JSON.stringify(known) === JSON.stringify(filter))) filters.push(filter);
  }
  const parameters = { ...old.parameters, ...added.parameters };
  return { variables, filters, parameters, objects: joinedObjects(old, added) };
}

/**
 * What a custom mint leaves on the user in the Org (`user`), and what only its token carries (`own`). REPLACE replaces
 * the whole set, except that an empty array leaves a variable as it was; APPEND adds to it. NONE leaves the user alone.
 * RESET clears filters and parameters; variables stay as they are, since NONE and RESET do not touch them (API reference
 * of token/custom).
 */
export function applyPersistOption(
  option: PersistOption,
  old: Entitlements,
  asked: Entitlements,
): { user: Entitlements; own: Entitlements } {
  switch (option) {
    case 'REPLACE': {
      const emptied = Object.keys(asked.variables).filter((name) => asked.variables[name]?.length === 0);
      const kept = Object.fromEntries(
        emptied.flatMap((name) => (old.variables[name] ? [[name, old.variables[name]]] : [])),
      );
      return { user: { ...asked, variables: { ...kept, ...filled(asked.variables) } }, own: NO_ENTITLEMENTS };
    }
    case 'APPEND':
      return { user: joined(old, asked), own: NO_ENTITLEMENTS };
    case 'NONE':
      return { user: old, own: asked };
    case 'RESET':
      return { user: { ...NO_ENTITLEMENTS, variables: old.variables, objects: old.objects }, own: asked };
  }
}
