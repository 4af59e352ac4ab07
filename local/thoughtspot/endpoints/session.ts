import { endpointsUnder, type Answer, type Call, type Endpoint } from '../call.ts';
import type { User } from '../directory.ts';
import { jsonBody, optionalFlag, optionalText, requiredText } from '../fields.ts';
import { requireActive, requireBearer, requireIdentity, requireMember, requirePassword } from '../identity.ts';
import { badInput } from '../refusal.ts';
import type { RunningCluster } from '../running-cluster.ts';
import { sessionCookie } from '../sessions.ts';
import { scopeOf } from './mint.ts';

/** POST token/validate: a token that is not valid is 400 and only the text says why (wire facts 3.3, 3.5). */
function validate(cluster: RunningCluster, call: Call): Answer {
  requireBearer(cluster, call);
  const text = requiredText(jsonBody(call), 'token');
  const token = cluster.tokens.find(text);
  if (!token) throw badInput('The token is malformed or invalid.');
  if (!cluster.aliveToken(text)) throw badInput('The token has expired.');
  return {
    status: 200,
    json: {
      creation_time_in_millis: token.issuedAt,
      expiration_time_in_millis: token.expiresAt,
      scope: scopeOf(token),
      valid_for_user_id: cluster.directory.user(token.user)?.id,
      token_type: 'bearer',
    },
  };
}

const DAY_SECONDS = 86_400;

/** GET session/token: since 26.x a new 24 h token; earlier documentation has the current one (wire facts 3.3). */
function sessionToken(cluster: RunningCluster, call: Call): Answer {
  const { user, org, token: current } = requireIdentity(cluster, call);
  const token = cluster.issueFromSession(user, org, current, DAY_SECONDS);
  return {
    status: 200,
    json: {
      token: token.text,
      creation_time_in_millis: token.issuedAt,
      expiration_time_in_millis: token.expiresAt,
      valid_for_user_id: user.id,
      valid_for_username: user.name,
    },
  };
}

/** GET session/user, the best "who am I" (wire facts 3.3). */
function currentUser(cluster: RunningCluster, call: Call): Answer {
  const { user, org, token } = requireIdentity(cluster, call);
  const { variables, filters, parameters } = cluster.entitlementsInForce(user, org, token);
  return {
    status: 200,
    json: {
      id: user.id,
      name: user.name,
      display_name: user.displayName,
      visibility: 'SHARABLE',
      can_change_password: user.password !== null,
      creation_time_in_millis: user.createdAt,
      account_type: 'LOCAL_USER',
      account_status: user.status,
      email: user.email,
      current_org: { id: org, name: cluster.directory.orgName(org) },
      orgs: cluster.directory.orgsOf(user),
      privileges: cluster.directory.privileges(user, org),
      user_groups: user.groups.map((name) => ({ id: name, name })),
      variable_values: variables,
      access_control_properties: { filter_rules: filters, parameter_values: parameters },
    },
  };
}

/** POST session/login: a cookie session by password, or from a bearer. */
function login(cluster: RunningCluster, call: Call): Answer {
  const body = jsonBody(call, {});
  const remember = optionalFlag(body, 'remember_me', false);
  const name = optionalText(body, 'username');
  if (!name) {
    const token = requireBearer(cluster, call);
    const session = cluster.sessions.start({ user: token.user, org: token.org, token }, remember, cluster.now());
    return { status: 204, headers: loginHeaders(session.id) };
  }
  const user = requirePassword(cluster, name, optionalText(body, 'password') ?? '');
  requireActive(user);
  const org = chosenOrg(cluster, user, optionalText(body, 'org_identifier'));
  user.lastOrg = org;
  const session = cluster.sessions.start({ user: user.name, org, token: null }, remember, cluster.now());
  return { status: 204, headers: loginHeaders(session.id) };
}

function chosenOrg(cluster: RunningCluster, user: User, identifier: string | undefined): number {
  if (!identifier) return user.lastOrg;
  const org = cluster.directory.orgByNameOrId(identifier);
  requireMember(user, org?.id ?? -1);
  return org?.id ?? user.lastOrg;
}

const loginHeaders = (id: string) => ({
  'set-cookie': [sessionCookie(id), 'clientId=simulator; Path=/; HttpOnly; SameSite=Lax'],
});

/** POST session/logout: ends the cookie session. Whether it ends a bearer is not documented, so it does not. */
export function logout(cluster: RunningCluster, call: Call): Answer {
  const { session } = requireIdentity(cluster, call);
  if (session) cluster.sessions.end(session.id);
  return { status: 204, headers: { 'set-cookie': sessionCookie('') } };
}

const endpoint = endpointsUnder('auth-2.0', '/api/rest/2.0/auth/');

export const SESSION_ENDPOINTS: readonly Endpoint[] = [
  endpoint('POST', 'token/validate', 'session', validate),
  endpoint('GET', 'session/token', 'mint', sessionToken),
  endpoint('GET', 'session/user', 'session', currentUser),
  endpoint('POST', 'session/login', 'session', login),
  endpoint('POST', 'session/logout', 'session', logout),
];
