import { endpointsUnder, type Answer, type Call, type Endpoint } from '../call.ts';
import type { User } from '../directory.ts';
import { jsonBody, optionalFlag, optionalSeconds, requiredText } from '../fields.ts';
import { requireActive, requireBearer, requireIdentity, requirePassword } from '../identity.ts';
import type { RunningCluster } from '../running-cluster.ts';
import { REMEMBERED_SESSION_SECONDS, SESSION_SECONDS, sessionCookie } from '../sessions.ts';

/*
 * The session API of the 2021 beta (wire facts 1). Every value of a login answer is a string and nothing in an answer
 * is null: its SDK throws otherwise. All refusals are 500, the only error that it declares.
 */

function issue(cluster: RunningCluster, user: User, seconds: number): Answer {
  const { wrongUser, wrongOrg } = cluster.switches;
  const owner = (wrongUser === null ? undefined : cluster.directory.user(wrongUser)) ?? user;
  const token = cluster.issueFromSession(owner, wrongOrg ?? owner.lastOrg, null, seconds);
  return { status: 200, json: loginResponse(owner.name, token.text, token.issuedAt, seconds, 'BEARER') };
}

const loginResponse = (userName: string, token: string, createdAt: number, seconds: number, tokenType: string) => ({
  userName,
  token,
  // The format is not stated anywhere; epoch ms is what the same cluster uses elsewhere.
  tokenCreatedTime: String(createdAt),
  tokenExpiryDuration: String(seconds),
  tokenType,
});

/** POST session/login: needs no bearer. Answers a bearer, or a cookie and a blank token (switch loginAnswers). */
function login(cluster: RunningCluster, call: Call): Answer {
  const body = jsonBody(call);
  const user = requirePassword(cluster, requiredText(body, 'userName'), requiredText(body, 'password'));
  const remember = optionalFlag(body, 'rememberMe', false);
  requireActive(user);
  const session = cluster.sessions.start({ user: user.name, org: user.lastOrg, token: null }, remember, cluster.now());
  const seconds = remember ? REMEMBERED_SESSION_SECONDS : SESSION_SECONDS;
  const headers = { 'set-cookie': sessionCookie(session.id) };
  if (cluster.switches.loginAnswers === 'cookie') {
    return { status: 200, headers, json: loginResponse(user.name, '', cluster.now(), seconds, 'COOKIE') };
  }
  return { ...issue(cluster, user, seconds), headers };
}

/** POST session/gettoken: needs a bearer, and the user's own name and password; seconds as a JSON number. */
function gettoken(cluster: RunningCluster, call: Call): Answer {
  requireBearer(cluster, call);
  const body = jsonBody(call);
  const user = requirePassword(cluster, requiredText(body, 'userName'), requiredText(body, 'password'));
  const seconds = optionalSeconds(body, 'tokenExpiryDuration', cluster.switches.defaultValiditySeconds);
  requireActive(user);
  return issue(cluster, user, seconds);
}

/** GET session. */
function sessionInfo(cluster: RunningCluster, call: Call): Answer {
  const { user, org, token, session } = requireIdentity(cluster, call);
  return {
    status: 200,
    json: {
      userName: user.name,
      userDisplayName: user.displayName,
      userEmail: user.email,
      userCreatedTime: user.createdAt,
      userGUID: user.id,
      canChangePassword: user.password !== null,
      isSystemUser: false,
      privileges: cluster.directory.privileges(user, org),
      expirationTime: token?.expiresAt ?? session?.expiresAt ?? cluster.now(),
      locale: 'en',
      timezone: 'UTC',
      isFirstLogin: false,
      userProperties: { mail: user.email },
      state: user.status,
    },
  };
}

/** POST session/revoketoken: no body; what it revokes is the bearer it is called with. Answers JSON true, never 204. */
function revoketoken(cluster: RunningCluster, call: Call): Answer {
  cluster.revoke(requireBearer(cluster, call));
  return { status: 200, json: true };
}

/** POST session/logout: the SDK sends no bearer, so this goes by cookie. */
function logout(cluster: RunningCluster, call: Call): Answer {
  const { session } = requireIdentity(cluster, call);
  if (session) cluster.sessions.end(session.id);
  return { status: 200, json: true, headers: { 'set-cookie': sessionCookie('') } };
}

const endpoint = endpointsUnder('session-v2', '/api/rest/v2/session');

export const SESSION_V2_ENDPOINTS: readonly Endpoint[] = [
  endpoint('GET', '', 'session', sessionInfo),
  endpoint('POST', '/login', 'session', login),
  endpoint('POST', '/gettoken', 'mint', gettoken),
  endpoint('POST', '/logout', 'session', logout),
  endpoint('POST', '/revoketoken', 'revoke', revoketoken),
];
