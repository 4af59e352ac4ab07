import { NO_ENTITLEMENTS, type Entitlements, type PersistOption } from '../entitlements.ts';
import {
  optionalChoice,
  optionalFlag,
  optionalObjects,
  optionalSeconds,
  optionalText,
  optionalTexts,
  requiredText,
  requiredTexts,
} from '../fields.ts';
import { isObject, type JsonObject } from '../json.ts';
import { badInput } from '../refusal.ts';
import type { Switches } from '../switches.ts';

/** A well-formed mint request; whether it is granted is another matter. Field names and rules: wire facts 3.1. */
export interface MintRequest {
  kind: 'full' | 'object' | 'custom';
  userName: string;
  secretKey: string | null;
  password: string | null;
  validitySeconds: number;
  /** A name or an id; null if left out or, as clusters do, ignored. */
  org: string | null;
  objectId: string | null;
  autoCreate: boolean;
  email: string | undefined;
  displayName: string | undefined;
  groups: string[] | undefined;
  persist: PersistOption;
  entitlements: Entitlements;
}

const PERSIST_OPTIONS = ['REPLACE', 'APPEND', 'NONE', 'RESET'] as const;
const OPERATORS =
  'EQ NE LT LE GT GE IN BW CONTAINS BEGINS_WITH ENDS_WITH BW_INC BW_INC_MIN BW_INC_MAX LIKE NOT_IN'.split(' ');
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The schema's default for both credentials is the empty string, so empty is the same as left out. */
const credential = (body: JsonObject, name: string): string | null => optionalText(body, name) || null;

/** Reads what all three mint endpoints share. Throws 400 for anything missing or of the wrong type. */
function common(body: JsonObject, switches: Switches) {
  const request = {
    userName: requiredText(body, 'username'),
    secretKey: credential(body, 'secret_key'),
    password: credential(body, 'password'),
    validitySeconds: optionalSeconds(body, 'validity_time_in_sec', switches.defaultValiditySeconds),
    email: optionalText(body, 'email'),
    displayName: optionalText(body, 'display_name'),
  };
  if (request.secretKey === null && request.password === null) {
    throw badInput('Either secret_key or password must be provided.');
  }
  // Which one counts is contradictory (wire facts 3.1), so a client must not send both.
  if (request.secretKey !== null && request.password !== null && switches.bothCredentials === 'refuse') {
    throw badInput('Only one of secret_key and password may be provided.');
  }
  return request;
}

/** token/full and token/object. */
export function readMint(kind: 'full' | 'object', body: JsonObject, switches: Switches): MintRequest {
  return {
    kind,
    ...common(body, switches),
    // Seen on live clusters: org_identifier and an org_id that is no number are ignored, with a 200 for another Org.
    org: Number.isInteger(body['org_id']) ? String(body['org_id']) : null,
    objectId: kind === 'object' ? readObjectId(body) : null,
    autoCreate: optionalFlag(body, 'auto_create', false, true),
    groups: optionalTexts(body, 'group_identifiers'),
    persist: 'NONE',
    entitlements: { ...NO_ENTITLEMENTS, filters: readUserParameters(body, switches) },
  };
}

/** Optional in the schema, required in practice. */
function readObjectId(body: JsonObject): string {
  const id = requiredText(body, 'object_id');
  if (!GUID.test(id)) throw badInput('object_id must be the GUID of a Liveboard.');
  return id;
}

function readUserParameters(body: JsonObject, switches: Switches): Entitlements['filters'] {
  const parameters = body['user_parameters'];
  if (parameters === undefined || parameters === null) return [];
  if (!switches.userParameters) throw badInput('JWT Beta endpoint is disabled');
  if (!isObject(parameters)) throw badInput('user_parameters must be an object.');
  return optionalObjects(parameters, 'runtime_filters').map(readFilter);
}

function readFilter(filter: JsonObject): Entitlements['filters'][number] {
  const operator = requiredText(filter, 'operator');
  if (!OPERATORS.includes(operator)) throw badInput(`${operator} is not a filter operator.`);
  return { column: requiredText(filter, 'column_name'), operator, values: requiredTexts(filter, 'values') };
}

/** token/custom. */
export function readCustomMint(body: JsonObject, switches: Switches): MintRequest {
  const request = common(body, switches);
  const persist = optionalChoice(body, 'persist_option', PERSIST_OPTIONS);
  if (persist === undefined) throw badInput('The required field persist_option is missing.');
  const variables = optionalObjects(body, 'variable_values');
  if (variables.length > 0 && (persist === 'NONE' || persist === 'RESET')) {
    throw badInput(`persist_option ${persist} cannot be used with variable_values.`);
  }
  return {
    kind: 'custom',
    ...request,
    org: optionalText(body, 'org_identifier') || null,
    objectId: null,
    autoCreate: optionalFlag(body, 'auto_create', true, true),
    groups:
      body['groups'] === undefined
        ? undefined
        : optionalObjects(body, 'groups').map((group) => requiredText(group, 'identifier')),
    persist,
    entitlements: {
      variables: Object.fromEntries(
        variables.map((item) => [requiredText(item, 'name'), requiredTexts(item, 'values')]),
      ),
      filters: optionalObjects(body, 'filter_rules').map(readFilter),
      parameters: Object.fromEntries(optionalObjects(body, 'parameter_values').map(readParameter)),
      objects: optionalObjects(body, 'objects').map(readObject),
    },
  };
}

/** The only type there is, and the default, is LOGICAL_TABLE. */
function readObject(object: JsonObject): string {
  optionalChoice(object, 'type', ['LOGICAL_TABLE']);
  return requiredText(object, 'identifier');
}

/** parameter_values take a single value each. */
function readParameter(parameter: JsonObject): [string, string] {
  const [value, ...more] = requiredTexts(parameter, 'values');
  if (value === undefined || more.length > 0) throw badInput('parameter_values take exactly one value each.');
  return [requiredText(parameter, 'name'), value];
}
