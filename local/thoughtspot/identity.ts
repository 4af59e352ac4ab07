import type { Call } from './call.ts';
import type { User } from './directory.ts';
import { badInput, forbidden, Refusal, CODE, unauthenticated } from './refusal.ts';
import type { RunningCluster } from './running-cluster.ts';
import { SESSION_COOKIE, type Session } from './sessions.ts';
import type { IssuedToken } from './tokens.ts';

/** Who is calling, and by what. */
export interface Identity {
  user: User;
  org: number;
  token: IssuedToken | null;
  session: Session | null;
}

function cookie(call: Call, name: string): string | undefined {
  const pairs = (call.headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The live token that the call carries as its bearer. Throws 401 without one. */
export function requireBearer(cluster: RunningCluster, call: Call): IssuedToken {
  const [, text] = /^Bearer +(\S+)$/i.exec(call.headers.authorization ?? '') ?? [];
  const token = text === undefined ? undefined : cluster.aliveToken(text);
  if (!token) throw unauthenticated();
  return token;
}

/**
 * Who the call is from, by bearer or by session cookie. A dead bearer is a 401 even beside a live cookie.
 */
export function requireIdentity(cluster: RunningCluster, call: Call): Identity {
  if (call.headers.authorization !== undefined) {
    const token = requireBearer(cluster, call);
    return { user: userOf(cluster, token.user), org: token.org, token, session: null };
  }
  const id = cookie(call, SESSION_COOKIE);
  const session = id === undefined ? undefined : cluster.sessions.touch(id, cluster.now());
  if (!session || !cluster.isActive(session.user)) throw unauthenticated();
  return { user: userOf(cluster, session.user), org: session.org, token: session.token, session };
}

function userOf(cluster: RunningCluster, name: string): User {
  const user = cluster.directory.user(name);
  if (!user) throw unauthenticated();
  return user;
}

/** The user with that password. An unknown user and a wrong password look alike (wire facts 3.5: 401, 10097). */
export function requirePassword(cluster: RunningCluster, name: string, password: string): User {
  const user = cluster.directory.user(name);
  if (!user || user.password === null || user.password !== password) {
    throw new Refusal(401, CODE.credential, 'The provided secret key or password is incorrect.');
  }
  return user;
}

/** Wire facts 3.5: inactive or locked user = 403, 10023. */
export function requireActive(user: User): void {
  if (user.status !== 'ACTIVE') throw forbidden(`The account of the user is ${user.status}.`);
}

/** Wire facts 3.5: an Org that the user is not in = 400, 10002. */
export function requireMember(user: User, org: number): void {
  if (!user.orgs.includes(org)) throw badInput('The specified Org is not valid or not accessible to the user.');
}
