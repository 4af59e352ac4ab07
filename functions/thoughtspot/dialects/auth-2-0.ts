import type { MintedToken, SessionInfo } from '../../broker/ports.ts';
import { defined, epochMs, listIn, numberIn, objectIn, textIn, type JsonObject } from '../json-fields.ts';
import { refusesBearer } from '../rejection.ts';
import type { Reply } from '../transport.ts';
import { DAY_MS, isSuccess, requestsTo, resultIn, tokenIn } from './dialect.ts';
import type { Dialect, GettokenInput, Life } from './dialect.ts';

const request = requestsTo('/api/rest/2.0/auth', {
  accept: 'application/json',
  'user-agent': 'thoughtspot-token-broker',
  // Needed by v1 endpoints only, harmless here, and sent by ThoughtSpot's own samples (wire facts 3.7).
  'x-requested-by': 'ThoughtSpot',
});

/** ThoughtSpot's own id for "every org", and ours for "not just one": it never equals the org that was asked for. */
const MORE_THAN_ONE_ORG = -1;
/** Default of validity_time_in_sec (wire facts 3.1): sent explicitly all the same. */
const DEFAULT_VALIDITY_SECONDS = 300;

/** REST API v2.0, `/api/rest/2.0/auth/*` (wire facts 3): seconds in requests, epoch ms in answers, errors by status. */
export const auth20: Dialect = {
  name: 'auth-2.0',
  mintsWithSession: false,

  unsupported(grant, credential) {
    if (credential.kind === 'secret-key') return undefined;
    if (grant.user !== credential.userName)
      return 'a password can mint for its own user only; others need a secret key';
    if (grant.provisioning !== null) return 'provisioning needs a secret key';
    return undefined;
  },

  sessionInfo: {
    encode: ({ bearer }) => request('GET', '/session/user', bearer),
    decode: (reply) => ({ value: refusesBearer(reply) ? 'not-accepted' : sessionInfoIn(resultIn(reply)) }),
  },

  login: {
    encode: ({ userName, password, rememberMe = false, orgId }) =>
      request('POST', '/session/login', undefined, {
        username: userName,
        password,
        remember_me: rememberMe,
        org_identifier: orgId?.toString(),
      }),
    decode: (reply) => ({ value: isSuccess(reply) ? {} : undefined }),
  },

  gettoken: {
    encode: (input) => request('POST', `/token/${input.rights.kind}`, input.bearer, mintBody(input)),
    decode: (reply, input) => ({ value: mintedIn(resultIn(reply), input) }),
  },

  logout: {
    encode: ({ bearer }) => request('POST', '/session/logout', bearer, {}),
    decode: (reply) => ({ value: isSuccess(reply) || undefined }),
  },

  revoketoken: {
    /** The token itself as the bearer, and named in the body: right under every reading (wire facts 3.4). */
    encode: ({ bearer, userName }) =>
      request('POST', '/token/revoke', bearer, { user_identifier: userName, token: bearer }),
    decode: (reply) => ({ value: refusesBearer(reply) ? 'not-accepted' : confirmsRevocation(reply) || undefined }),
  },
};

/** 204, or 200 before 9.5, and no body (wire facts 3.8). No text confirms anything: a refusal may hold the same words. */
const confirmsRevocation = ({ status, body }: Reply): boolean => status === 204 || (status === 200 && body === '');

/** In the seed's words, without its expiration: the docs contradict each other on that unit. */
function sessionInfoIn(json: unknown): SessionInfo | undefined {
  const userName = textIn(json, 'name');
  if (userName === undefined) return undefined;
  return {
    userName,
    ...defined({ userId: textIn(json, 'id'), orgId: numberIn(objectIn(json, 'current_org'), 'id') }),
    details: defined({
      userDisplayName: textIn(json, 'display_name'),
      userEmail: textIn(json, 'email'),
      locale: textIn(json, 'preferred_locale'),
      state: textIn(json, 'account_status'),
      userCreatedTime: numberIn(json, 'creation_time_in_millis'),
      privileges: listIn(json, 'privileges')?.filter((name) => typeof name === 'string'),
    }),
  };
}

/**
 * The body of token/full, token/object or token/custom (wire facts 3.1). The org goes into the field that the endpoint
 * reads: with the wrong one ThoughtSpot answers 200 and a token for another org. auto_create and persist_option are
 * always explicit, since their defaults differ and persist.
 */
function mintBody(input: GettokenInput): JsonObject {
  const { user, proof, validitySeconds = DEFAULT_VALIDITY_SECONDS, orgId, rights, provisioning } = input;
  const common = {
    username: user,
    ...('password' in proof ? { password: proof.password } : { secret_key: proof.secretKey }),
    validity_time_in_sec: validitySeconds,
    auto_create: provisioning !== null,
    display_name: provisioning?.displayName,
    email: provisioning?.email,
  };
  const groups = provisioning?.groups ?? [];
  if (rights.kind !== 'custom')
    return {
      ...common,
      org_id: orgId,
      object_id: rights.kind === 'object' ? rights.objectId : undefined,
      // It replaces the groups of a user who exists: no groups in the grant means leave them alone.
      group_identifiers: filled(groups),
    };
  return {
    ...common,
    org_identifier: orgId?.toString(),
    persist_option: rights.persist,
    groups: filled([...new Set([...rights.groups, ...groups])].map((identifier) => ({ identifier }))),
    variable_values: filled(rights.variables),
    filter_rules: filled(
      rights.filters.map(({ column, operator, values }) => ({ column_name: column, operator, values })),
    ),
    parameter_values: filled(rights.parameters),
    objects: filled(rights.objects),
  };
}

const filled = <Item>(items: readonly Item[]): readonly Item[] | undefined => (items.length > 0 ? items : undefined);

/**
 * The token of a 2xx answer (wire facts 3.2); undefined if there is none. A token whose answer lacks the user, the org
 * or the times is still returned, with '', no org or no life: it is alive, so the broker must hold it to revoke it.
 */
function mintedIn(json: unknown, { rights, validitySeconds }: GettokenInput): MintedToken | undefined {
  const token = tokenIn(json);
  if (token === undefined) return undefined;
  const custom = rights.kind === 'custom';
  const scope = objectIn(json, 'scope');
  const orgId = custom ? numberIn(objectIn(json, 'org'), 'id') : numberIn(scope, 'org_id');
  return {
    token,
    userName: (custom ? textIn(objectIn(json, 'user'), 'name') : textIn(json, 'valid_for_username')) ?? '',
    ...defined({
      orgId: orgIn(orgId, scope),
      kind: custom ? 'custom' : KINDS[textIn(scope, 'access_type') ?? ''],
      objectId: textIn(scope, 'metadata_id'),
    }),
    ...lifeIn(json, (validitySeconds ?? DEFAULT_VALIDITY_SECONDS) * 1_000),
    tokenType: 'Bearer',
  };
}

const KINDS: Readonly<Record<string, 'full' | 'object'>> = { FULL: 'full', REPORT_BOOK_VIEW: 'object' };

/** One token may cover several orgs in newer releases (scope.org_scope, org_ids): then it is not what was asked for. */
function orgIn(orgId: number | undefined, scope: JsonObject): number | undefined {
  const orgScope = textIn(scope, 'org_scope');
  if (orgScope !== undefined && orgScope !== 'SPECIFIC_ORGS') return MORE_THAN_ONE_ORG;
  const listed = listIn(scope, 'org_ids')?.map((org) => numberIn(org, 'id') ?? org) ?? [];
  const [only, ...others] = new Set([...(orgId === undefined ? [] : [orgId]), ...listed]);
  if (others.length > 0) return MORE_THAN_ONE_ORG;
  return typeof only === 'number' ? only : undefined;
}

/** Both times are ThoughtSpot's, so their difference needs no clock of ours. */
function lifeIn(json: unknown, askedMs: number): Life {
  const created = numberIn(json, 'creation_time_in_millis') ?? 0;
  const createdAt = created > 0 ? epochMs(created) : undefined;
  const expires = numberIn(json, 'expiration_time_in_millis');
  const lifetimeMs = createdAt === undefined || expires === undefined ? 0 : Math.max(0, epochMs(expires) - createdAt);
  const longestLifetimeMs = lifetimeMs > 0 ? lifetimeMs : Math.max(askedMs, DAY_MS);
  return { lifetimeMs, longestLifetimeMs, ...defined({ createdAt }) };
}
