import { endpointsUnder, type Answer, type Endpoint } from '../call.ts';
import type { User } from '../directory.ts';
import { applyPersistOption, joined, NO_ENTITLEMENTS, type Entitlements } from '../entitlements.ts';
import { jsonBody } from '../fields.ts';
import { requireActive, requireMember, requirePassword } from '../identity.ts';
import { badInput, CODE, forbidden, Refusal } from '../refusal.ts';
import type { RunningCluster } from '../running-cluster.ts';
import type { IssuedToken } from '../tokens.ts';
import { readCustomMint, readMint, type MintRequest } from './mint-request.ts';

/** By what a mint is allowed: a secret key for all Orgs or one, or the user's own password. */
type Authority = { key: string; keyOrg: number | null } | { key: null; keyOrg: null };

function authorise(cluster: RunningCluster, request: MintRequest): Authority {
  const byKey = request.password === null || cluster.switches.bothCredentials === 'secret-key';
  if (request.secretKey === null || !byKey) {
    requirePassword(cluster, request.userName, request.password ?? '');
    return { key: null, keyOrg: null };
  }
  if (!cluster.switches.trustedAuth) throw forbidden('Trusted authentication is not enabled for this cluster or Org.');
  const level = cluster.keys.levelOf(request.secretKey);
  if (!level) throw new Refusal(401, CODE.credential, 'The provided secret key or password is incorrect.');
  return { key: request.secretKey, keyOrg: level.org };
}

/** The Org of the token. An Org's own key works for that Org only (wire facts 3.6). */
function chooseOrg(
  cluster: RunningCluster,
  request: MintRequest,
  { keyOrg }: Authority,
  user: User | undefined,
): number {
  if (request.org === null) {
    if (cluster.switches.orgWhenOmitted === 'refuse') throw badInput('The Org must be specified.');
    if (keyOrg !== null) return keyOrg;
    return cluster.switches.orgWhenOmitted === 'last' ? (user?.lastOrg ?? 0) : 0;
  }
  const org = cluster.directory.orgByNameOrId(request.org);
  if (!org) throw badInput('The specified Org is not valid or not accessible to the user.');
  if (keyOrg !== null && keyOrg !== org.id) {
    throw new Refusal(401, CODE.credential, 'The provided secret key or password is incorrect.');
  }
  return org.id;
}

function requireObject(cluster: RunningCluster, id: string, org: number): void {
  const known = cluster.directory.liveboard(id);
  if (!known && cluster.switches.unknownObject === 'accept') return;
  if (known?.org !== org) throw badInput('The object does not exist or is not accessible to the user.');
}

/**
 * Grants a mint, or throws and changes nothing. A mint is a write: auto_create creates users, and on full and object
 * also replaces the groups and names of existing ones; persist_option changes the user object (wire facts 3.1).
 */
function mint(cluster: RunningCluster, request: MintRequest): Minted {
  const { directory, switches } = cluster;
  const authority = authorise(cluster, request);
  const known = directory.user(request.userName);
  const org = chooseOrg(cluster, request, authority, known);
  if (!known && !request.autoCreate) throw new Refusal(switches.unknownUserStatus, CODE.badInput, 'User not found.');
  if (known) {
    requireActive(known);
    requireMember(known, org);
  }
  if (request.objectId !== null) requireObject(cluster, request.objectId, org);

  const before = known?.entitlements[org] ?? NO_ENTITLEMENTS;
  const persisted = applyPersistOption(request.persist, before, request.entitlements);
  const pending = updateVariables(cluster, before, persisted.user, request);
  const asked = provision(cluster, request, known, org);
  if (persisted.user !== before) asked.entitlements[org] = persisted.user;

  const user = (switches.wrongUser === null ? undefined : directory.user(switches.wrongUser)) ?? asked;
  const kind = switches.wrongKind ? WRONG_KIND[request.kind] : request.kind;
  const issuedAt = cluster.now();
  const grant = {
    user: user.name,
    org: switches.wrongOrg ?? org,
    kind,
    issuedAt,
    expiresAt: issuedAt + request.validitySeconds * 1000,
    objectId: kind === 'object' ? (request.objectId ?? user.id) : null,
    own: persisted.own,
    entitlements: joined(persisted.user, persisted.own),
    mintedWith: authority.key,
    parent: null,
  };
  return { token: cluster.tokens.issue(grant, switches.tokenForm), user, pending };
}

interface Minted {
  readonly token: IssuedToken;
  readonly user: User;
  readonly pending: Answer['pending'];
}

/**
 * Updates the variables that the mint sets or removes, for as long as the switch variableConflictMs says. Throws 409 if
 * another mint is updating one of them. Setting a variable to the value it has counts: no source says otherwise.
 */
function updateVariables(
  cluster: RunningCluster,
  before: Entitlements,
  after: Entitlements,
  { entitlements }: MintRequest,
) {
  const removed = Object.keys(before.variables).filter((name) => !(name in after.variables));
  const names = [...Object.keys(entitlements.variables), ...removed];
  const ms = cluster.switches.variableConflictMs;
  if (ms === 0 || names.length === 0) return undefined;
  const conflict = cluster.variableUpdates.conflict(names);
  if (conflict !== undefined) {
    const text = `A concurrent update of the variable ${conflict} was detected. Nothing was applied.`;
    throw new Refusal(409, CODE.badInput, text);
  }
  return { ms, end: cluster.variableUpdates.begin(names) };
}

const WRONG_KIND = { full: 'object', object: 'full', custom: 'full' } as const;

function provision(cluster: RunningCluster, request: MintRequest, known: User | undefined, org: number): User {
  const { userName: name, displayName, email, groups } = request;
  if (!known) return cluster.directory.create({ name, org, displayName, email, groups: groups ?? [] }, cluster.now());
  if (request.autoCreate && request.kind !== 'custom') {
    if (displayName !== undefined) known.displayName = displayName;
    if (email !== undefined) known.email = email;
    if (groups !== undefined) cluster.directory.setGroups(known, groups, org);
  }
  return known;
}

/** Answer of token/full and token/object. The API reference's texts for the last two are swapped; these are right. */
function tokenAnswer({ switches }: RunningCluster, { token, user }: Minted): Answer {
  return {
    status: 200,
    json: {
      token: token.text,
      creation_time_in_millis: token.issuedAt,
      expiration_time_in_millis: token.expiresAt,
      ...(!switches.withoutScope && { scope: scopeOf(token) }),
      valid_for_user_id: user.id,
      valid_for_username: user.name,
    },
  };
}

export function scopeOf(token: IssuedToken): Record<string, unknown> {
  const access_type = token.kind === 'object' ? 'REPORT_BOOK_VIEW' : 'FULL';
  return { access_type, org_id: token.org, metadata_id: token.objectId };
}

function accessTokenAnswer(cluster: RunningCluster, { token, user }: Minted): Answer {
  return {
    status: 200,
    json: {
      id: `${token.digest.slice(0, 8)}-${token.digest.slice(8, 12)}-4000-8000-${token.digest.slice(12, 24)}`,
      token: token.text,
      org: { id: token.org, name: cluster.directory.orgName(token.org) },
      user: { id: user.id, name: user.name },
      creation_time_in_millis: token.issuedAt,
      expiration_time_in_millis: token.expiresAt,
    },
  };
}

const endpoint = endpointsUnder('auth-2.0', '/api/rest/2.0/auth/token/');

/** The three endpoints that need no Authorization header (wire facts 3.1, 3.2). */
export const MINT_ENDPOINTS: readonly Endpoint[] = [
  ...(['full', 'object'] as const).map((kind) =>
    endpoint('POST', kind, 'mint', (cluster, call) =>
      tokenAnswer(cluster, mint(cluster, readMint(kind, jsonBody(call), cluster.switches))),
    ),
  ),
  endpoint('POST', 'custom', 'mint', (cluster, call) => {
    const minted = mint(cluster, readCustomMint(jsonBody(call), cluster.switches));
    const answer = minted.token.kind === 'custom' ? accessTokenAnswer(cluster, minted) : tokenAnswer(cluster, minted);
    return minted.pending === undefined ? answer : { ...answer, pending: minted.pending };
  }),
];
