import type { MintedToken, Rights } from '../broker/ports.ts';
import { isObject } from '../contract/shapes.ts';
import { epochMs, numberIn, objectIn, parseJson, textIn } from './json-fields.ts';
import type { Reply } from './transport.ts';
import { isToken, type GettokenInput, type Proof } from './dialect.ts';

/** ThoughtSpot's own id for "every org", and ours for "not just one": it never equals the org that was asked for. */
export const MORE_THAN_ONE_ORG = -1;
/** Default of validity_time_in_sec (wire facts 3.1): sent explicitly all the same. */
const DEFAULT_VALIDITY_SECONDS = 300;
/** Longest life that is assumed if an answer gives none, ms: that of GET /auth/session/token. */
const DAY_MS = 86_400_000;

type Body = Readonly<Record<string, unknown>>;

/**
 * The body of token/full, token/object or token/custom (wire facts 3.1). The org goes into the field that the endpoint
 * reads: with the wrong one ThoughtSpot answers 200 and a token for another org. auto_create and persist_option are
 * always explicit, since their defaults differ and persist.
 */
export function mintBody(input: GettokenInput): Body {
  const { userName, proof, validitySeconds = DEFAULT_VALIDITY_SECONDS, rights } = input;
  const common = { username: userName, ...proofFields(proof), validity_time_in_sec: validitySeconds };
  switch (rights.kind) {
    case 'full':
      return { ...common, ...numericOrg(input), ...provisioning(input) };
    case 'object':
      return { ...common, ...numericOrg(input), object_id: rights.objectId, ...provisioning(input) };
    case 'custom':
      return { ...common, ...customFields(input, rights) };
  }
}

const proofFields = (proof: Proof): Body =>
  proof.kind === 'password' ? { password: proof.password } : { secret_key: proof.secretKey };

const numericOrg = ({ orgId }: GettokenInput): Body => (orgId === undefined ? {} : { org_id: orgId });

/** group_identifiers replaces the groups of a user who exists: no groups in the grant means leave them alone. */
function provisioning({ provisioning: jit }: GettokenInput): Body {
  if (jit === null) return { auto_create: false };
  return { auto_create: true, ...person(jit), ...(jit.groups.length > 0 ? { group_identifiers: jit.groups } : {}) };
}

function person({ displayName, email }: { readonly displayName?: string; readonly email?: string }): Body {
  return {
    ...(displayName === undefined ? {} : { display_name: displayName }),
    ...(email === undefined ? {} : { email }),
  };
}

function customFields(
  { orgId, provisioning: jit }: GettokenInput,
  rights: Extract<Rights, { readonly kind: 'custom' }>,
): Body {
  const groups = [...new Set([...rights.groups, ...(jit?.groups ?? [])])];
  return {
    ...(orgId === undefined ? {} : { org_identifier: String(orgId) }),
    persist_option: rights.persist,
    auto_create: jit !== null,
    ...(jit === null ? {} : person(jit)),
    ...filled(
      'groups',
      groups.map((identifier) => ({ identifier })),
    ),
    ...filled('variable_values', rights.variables),
    ...filled(
      'filter_rules',
      rights.filters.map(({ column, operator, values }) => ({ column_name: column, operator, values })),
    ),
    ...filled('parameter_values', rights.parameters),
    ...filled('objects', rights.objects),
  };
}

const filled = (name: string, values: readonly unknown[]): Body => (values.length > 0 ? { [name]: values } : {});

/**
 * The token of a 2xx answer (wire facts 3.2); undefined if there is none. A token whose answer lacks the user, the org
 * or the times is still returned, with '', no org or no life: it is alive, so the broker must hold it to revoke it.
 */
export function mintedIn(reply: Reply, { rights, validitySeconds }: GettokenInput): MintedToken | undefined {
  const json = parseJson(reply.body);
  const token = textIn(json, 'token');
  if (!isToken(token)) return undefined;
  const custom = rights.kind === 'custom';
  const scope = objectIn(json, 'scope');
  const userName = custom ? textIn(objectIn(json, 'user'), 'name') : textIn(json, 'valid_for_username');
  const orgId = orgIn(custom ? numberIn(objectIn(json, 'org'), 'id') : numberIn(scope, 'org_id'), scope);
  const kind = custom ? 'custom' : KINDS[textIn(scope, 'access_type') ?? ''];
  const objectId = textIn(scope, 'metadata_id');
  return {
    token,
    userName: userName ?? '',
    ...(orgId === undefined ? {} : { orgId }),
    ...(kind === undefined ? {} : { kind }),
    ...(objectId === undefined ? {} : { objectId }),
    ...life(json, (validitySeconds ?? DEFAULT_VALIDITY_SECONDS) * 1_000),
    tokenType: 'Bearer',
  };
}

const KINDS: Readonly<Record<string, 'full' | 'object'>> = { FULL: 'full', REPORT_BOOK_VIEW: 'object' };

/** One token may cover several orgs in newer releases (scope.org_scope, org_ids): then it is not what was asked for. */
function orgIn(orgId: number | undefined, scope: Body): number | undefined {
  const listed = Array.isArray(scope.org_ids) ? scope.org_ids.map((org: unknown) => numberIn(org, 'id') ?? org) : [];
  const orgScope = textIn(scope, 'org_scope');
  if (orgScope !== undefined && orgScope !== 'SPECIFIC_ORGS') return MORE_THAN_ONE_ORG;
  const ids = new Set([...(orgId === undefined ? [] : [orgId]), ...listed]);
  if (ids.size > 1) return MORE_THAN_ONE_ORG;
  const [only] = ids;
  return typeof only === 'number' ? only : undefined;
}

/** Both times are ThoughtSpot's, so their difference does not depend on the broker's clock. */
function life(json: unknown, askedMs: number): Pick<MintedToken, 'lifetimeMs' | 'longestLifetimeMs' | 'createdAt'> {
  const created = isObject(json) ? numberIn(json, 'creation_time_in_millis') : undefined;
  const expires = isObject(json) ? numberIn(json, 'expiration_time_in_millis') : undefined;
  const createdAt = created === undefined || created <= 0 ? undefined : epochMs(created);
  const lifetimeMs = createdAt === undefined || expires === undefined ? 0 : epochMs(expires) - createdAt;
  const known = lifetimeMs > 0;
  return {
    lifetimeMs: known ? lifetimeMs : 0,
    longestLifetimeMs: known ? lifetimeMs : Math.max(askedMs, DAY_MS),
    ...(createdAt === undefined ? {} : { createdAt }),
  };
}
