import type { GrantOffer, NamedSource, RightsSource, ValuesSource } from '../broker/entitlement.ts';
import type { ValueCompiler } from './compile-values.ts';
import type { Faults } from './faults.ts';
import type { GrantDocument, ValuesDocument } from './schema.ts';

type Path = readonly PropertyKey[];
type CustomDocument = Extract<GrantDocument, { kind: 'custom' }>;

export function compileGrant(document: GrantDocument, path: Path, values: ValueCompiler, faults: Faults): GrantOffer {
  const { name, validity } = document;
  const { defaultSeconds, minSeconds, maxSeconds } = validity;
  if (defaultSeconds < minSeconds || defaultSeconds > maxSeconds) {
    const problem = `must lie from minSeconds to maxSeconds (${minSeconds} to ${maxSeconds}), found ${defaultSeconds}`;
    faults.add([...path, 'validity', 'defaultSeconds'], problem);
  }
  const reuse = document.reuse === 'off' ? null : document.reuse;
  if (reuse !== null && reuse.minLifeLeftSeconds >= defaultSeconds) {
    const problem = `must be less than defaultSeconds (${defaultSeconds}), or no token is ever served again`;
    faults.add([...path, 'reuse', 'minLifeLeftSeconds'], `${problem}, found ${reuse.minLifeLeftSeconds}`);
  }
  return { name, validity, reuse, rights: compileRights(document, path, values, faults) };
}

function compileRights(document: GrantDocument, path: Path, values: ValueCompiler, faults: Faults): RightsSource {
  switch (document.kind) {
    case 'full':
      return { kind: 'full' };
    case 'object': {
      const { objects } = document;
      return { kind: 'object', objects: objects === 'any' ? null : new Set(objects.map((id) => id.toLowerCase())) };
    }
    case 'custom':
      return compileCustom(document, path, values, faults);
  }
}

/** Wire facts: `persist_option` NONE and RESET are rejected together with variables; a parameter takes one value. */
function compileCustom(document: CustomDocument, path: Path, values: ValueCompiler, faults: Faults): RightsSource {
  const { persist, variables, filters, parameters, groups, objects } = document;
  if (variables.length > 0 && (persist === 'NONE' || persist === 'RESET')) {
    faults.add([...path, 'persist'], `must be "REPLACE" or "APPEND" together with variables, found "${persist}"`);
  }
  if (variables.length + filters.length + parameters.length + objects.length === 0 && isEmpty(groups)) {
    faults.add(path, 'restricts nothing: name variables, filters, parameters, groups or objects, or use kind "full"');
  }
  return {
    kind: 'custom',
    persist,
    variables: variables.map((variable, index) => named(variable, 'variables', index)),
    filters: filters.map(({ column, operator, values: list }, index) => ({
      column,
      operator,
      values: restricting(list, [...path, 'filters', index, 'values']),
    })),
    parameters: parameters.map((parameter, index) => {
      const many = Array.isArray(parameter.values) && parameter.values.length > 1;
      if (many) faults.add([...path, 'parameters', index, 'values'], 'must be one value');
      return named(parameter, 'parameters', index);
    }),
    groups: values.values(groups, [...path, 'groups'], 'listed'),
    objects: objects.map(({ type, identifiers }, index) => ({
      identifiers: restricting(identifiers, [...path, 'objects', index, 'identifiers']),
      ...(type !== undefined && { type }),
    })),
  };

  function named(
    source: { name: string; values: ValuesDocument },
    list: 'variables' | 'parameters',
    index: number,
  ): NamedSource {
    const at = [...path, list, index];
    if (document[list].findIndex(({ name }) => name === source.name) < index) {
      faults.add([...at, 'name'], `is taken: ${JSON.stringify(source.name)} comes before`);
    }
    return { name: source.name, values: restricting(source.values, [...at, 'values']) };
  }

  function restricting(list: ValuesDocument, at: Path): ValuesSource {
    if (isEmpty(list)) faults.add(at, 'must have a value: an empty list restricts nothing');
    return values.values(list, at, 'mapped');
  }
}

function isEmpty(values: ValuesDocument): boolean {
  return Array.isArray(values) && values.length === 0;
}
