import type { Call, Endpoint } from '../call.ts';
import type { User } from '../directory.ts';
import { jsonBody, optionalText } from '../fields.ts';
import { requireBearer } from '../identity.ts';
import { badInput, forbidden } from '../refusal.ts';
import type { RunningCluster } from '../running-cluster.ts';
import type { IssuedToken } from '../tokens.ts';

/**
 * POST token/revoke (wire facts 3.4). First the bearer, then the body's four shapes:
 *
 * | body | strict | lenient |
 * |---|---|---|
 * | nothing, `{}` | 400 (the reference's example) | revokes the bearer (a library does it) |
 * | `{token}` | 400 (the SDK's tests list it as failing) | revokes that token |
 * | `{user_identifier}` | revokes the bearer, or all of the user's tokens: switch revokeByUser | same |
 * | both | revokes that token, which must be that user's | same |
 *
 * Empty strings are refused when strict and count as left out when lenient. Another user's tokens take an
 * administrator (403, 10023). A token that is dead or unknown is 400 when strict, done when lenient.
 */
function revoke(cluster: RunningCluster, call: Call): void {
  const bearer = requireBearer(cluster, call);
  const strict = cluster.switches.strictRevoke;
  const body = jsonBody(call, strict ? undefined : {});
  const identifier = optionalText(body, 'user_identifier');
  const text = optionalText(body, 'token');
  if (strict && (identifier === '' || text === '' || identifier === undefined)) {
    throw badInput('user_identifier must be provided, alone or together with token.');
  }
  const user = identifier ? requireUser(cluster, bearer, identifier) : undefined;
  for (const token of chosenTokens(cluster, bearer, user, text)) cluster.revoke(token);
}

function requireUser(cluster: RunningCluster, bearer: IssuedToken, identifier: string): User {
  const user = cluster.directory.userByNameOrId(identifier);
  if (!user) throw badInput('The user does not exist.');
  requireRight(cluster, bearer, user.name);
  return user;
}

function requireRight(cluster: RunningCluster, bearer: IssuedToken, userName: string): void {
  if (bearer.user === userName) return;
  const caller = cluster.directory.user(bearer.user);
  if (!caller || !cluster.directory.isAdministrator(caller, bearer.org)) {
    throw forbidden('Insufficient privileges to revoke the token of another user.');
  }
}

function chosenTokens(
  cluster: RunningCluster,
  bearer: IssuedToken,
  user: User | undefined,
  text: string | undefined,
): IssuedToken[] {
  if (text) {
    const token = cluster.aliveToken(text);
    if (!token || (user && token.user !== user.name)) {
      if (!cluster.switches.strictRevoke && !token) return [];
      throw badInput('The token is invalid, expired or not of this user.');
    }
    requireRight(cluster, bearer, token.user);
    return [token];
  }
  if (!user || cluster.switches.revokeByUser === 'bearer') return [bearer];
  return cluster.aliveTokens().filter((token) => token.user === user.name);
}

export const REVOKE_ENDPOINT: Endpoint = {
  method: 'POST',
  path: '/api/rest/2.0/auth/token/revoke',
  scope: 'revoke',
  dialect: 'auth-2.0',
  answer: (cluster, call) => {
    revoke(cluster, call);
    return { status: cluster.switches.revokeStatus };
  },
};
