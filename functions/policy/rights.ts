/** What a token may do, and how ThoughtSpot may create its user: rights and provisioning from claims. */
import type { FieldError } from '../broker/failure.ts';
import type { Claims, NamedValues, Provisioning, Rights } from '../broker/ports.ts';
import { GUID } from '../contract/shapes.ts';
import type { CustomRights, NamedSource, ProvisioningSource, RightsSource, Tables } from './document.ts';
import { listFrom, type Outcome, textFrom, valuesFrom } from './values.ts';

type RightsOutcome = Outcome<Rights> | { readonly fault: FieldError };
type Custom = Extract<Rights, { kind: 'custom' }>;

const EMAIL = /^[^\s@]+@[^\s@]+$/;

/** `objectId` is the request's; it narrows a grant for objects to one of them and is a fault with any other grant. */
export function rightsFrom(
  source: RightsSource,
  claims: Claims,
  tables: Tables,
  objectId: string | undefined,
): RightsOutcome {
  if (source.kind === 'object') return objectRights(source.objects, objectId);
  if (objectId !== undefined) {
    return { fault: { field: 'objectId', detail: 'must be left out: this grant is not for one object' } };
  }
  return source.kind === 'full' ? { value: { kind: 'full' } } : customRights(source, claims, tables);
}

function objectRights(allowed: 'any' | readonly string[], asked: string | undefined): RightsOutcome {
  const only = allowed !== 'any' && allowed.length === 1 ? allowed[0] : undefined;
  const objectId = asked?.toLowerCase() ?? only;
  if (objectId === undefined) {
    return { fault: { field: 'objectId', detail: 'is required: this grant is for one object' } };
  }
  if (!GUID.test(objectId)) return { fault: { field: 'objectId', detail: 'must be a GUID' } };
  return allowed === 'any' || allowed.includes(objectId)
    ? { value: { kind: 'object', objectId } }
    : { refusal: 'the object asked for is not on the list of the grant' };
}

/**
 * A list that filters must never come out empty: to ThoughtSpot an empty variable or filter may mean "no restriction".
 */
function customRights(source: CustomRights, claims: Claims, tables: Tables): RightsOutcome {
  const variables = namedFrom(source.variables, (values) => listFrom(values, claims, tables), 'variable');
  if ('refusal' in variables) return variables;
  const parameters = namedFrom(source.parameters, (values) => valuesFrom(values, claims, tables), 'parameter');
  if ('refusal' in parameters) return parameters;
  const many = parameters.value.find(({ values }) => values.length > 1);
  if (many !== undefined) return { refusal: `parameter "${many.name}" takes one value, the claim has several` };

  const filters: Custom['filters'][number][] = [];
  for (const { column, operator, values } of source.filters) {
    const list = valuesFrom(values, claims, tables);
    if ('refusal' in list) return list;
    if (list.value.length === 0) return { refusal: `filter on "${column}" has no value: it would not restrict` };
    filters.push({ column, operator, values: list.value });
  }

  const groups = listFrom(source.groups, claims, tables);
  if ('refusal' in groups) return groups;

  const objects: Custom['objects'][number][] = [];
  for (const { type, identifiers } of source.objects) {
    const list = listFrom(identifiers, claims, tables);
    if ('refusal' in list) return list;
    if (list.value.length === 0) return { refusal: 'a list of objects is empty: it would not restrict' };
    objects.push(...list.value.map((identifier) => (type === undefined ? { identifier } : { type, identifier })));
  }
  const { persist } = source;
  const lists = { variables: variables.value, filters, parameters: parameters.value, groups: groups.value, objects };
  return { value: { kind: 'custom', persist, ...lists } };
}

function namedFrom(
  sources: readonly NamedSource[],
  read: (values: NamedSource['values']) => Outcome<readonly string[]>,
  what: string,
): Outcome<readonly NamedValues[]> {
  const named: NamedValues[] = [];
  for (const { name, values } of sources) {
    const list = read(values);
    if ('refusal' in list) return list;
    if (list.value.length === 0) return { refusal: `${what} "${name}" has no value: it would not restrict` };
    named.push({ name, values: list.value });
  }
  return { value: named };
}

/** The data with which ThoughtSpot may create or update the user; every claim that the rule names must be present. */
export function provisioningFrom(
  source: ProvisioningSource | null,
  claims: Claims,
  tables: Tables,
): Outcome<Provisioning | null> {
  if (source === null) return { value: null };
  const groups = listFrom(source.groups, claims, tables);
  if ('refusal' in groups) return groups;
  if ('claim' in source.groups && groups.value.length === 0) {
    // Sent without groups, ThoughtSpot would leave the user in those that the claims no longer give.
    return { refusal: 'the claim gives no group for provisioning, and ThoughtSpot would keep the old ones' };
  }
  const displayName = source.displayName && textFrom(source.displayName, claims, tables, 'label');
  if (displayName && 'refusal' in displayName) return displayName;
  const email = source.email && textFrom(source.email, claims, tables);
  if (email && 'refusal' in email) return email;
  if (email && !EMAIL.test(email.value)) return { refusal: 'the e-mail address for provisioning is malformed' };
  return {
    value: {
      groups: groups.value,
      ...(displayName && displayName.value !== '' && { displayName: displayName.value }),
      ...(email && { email: email.value }),
    },
  };
}
