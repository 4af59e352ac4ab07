import { endpointsUnder, type Answer, type Call, type Endpoint } from '../call.ts';
import { formBody } from '../fields.ts';
import { requireActive, requireIdentity, requirePassword } from '../identity.ts';
import { forbidden, unauthenticated } from '../refusal.ts';
import type { RunningCluster } from '../running-cluster.ts';
import { sessionCookie } from '../sessions.ts';
import { logout } from './session.ts';

/* What the Visual Embed SDK calls around the iframe (wire facts 5.5; C1-C3, K1-K4, B1, L1). */

/** The embed SDK needs `configInfo`; `simulator` is for this simulator's own page and no part of the real answer. */
function sessionDetails(cluster: RunningCluster, call: Call) {
  const { user, org, token, session } = requireIdentity(cluster, call);
  const { clusterId, clusterName, releaseVersion } = cluster.data;
  return {
    releaseVersion,
    userGUID: user.id,
    userName: user.name,
    userDisplayName: user.displayName,
    userEmail: user.email,
    currentOrgId: org,
    privileges: cluster.directory.privileges(user, org),
    configInfo: {
      isPublicUser: false,
      selfClusterId: clusterId,
      selfClusterName: clusterName,
      mixpanelConfig: { devSdkKey: '', prodSdkKey: '', production: false },
    },
    simulator: {
      org: { id: org, name: cluster.directory.orgName(org) },
      groups: user.groups,
      kind: token?.kind ?? 'cookie session',
      objectId: token?.objectId ?? null,
      issuedAt: token?.issuedAt ?? null,
      expiresAt: token?.expiresAt ?? session?.expiresAt ?? null,
      now: cluster.now(),
      entitlements: cluster.entitlementsInForce(user, org, token),
      pollMs: cluster.switches.embedPollMs,
    },
  };
}

export type SessionDetails = ReturnType<typeof sessionDetails>;

/** v1 wants X-Requested-By on calls that change something (wire facts 3.7); it is what keeps forms of other sites out. */
function requireRequestedBy(call: Call): void {
  if (!call.headers['x-requested-by']) throw forbidden('The X-Requested-By header is missing.');
}

/** Signs a browser in with a token: 302 and a cookie, by POST form or, as the SDK's fallback, by query. */
function loginWithToken(cluster: RunningCluster, form: URLSearchParams): Answer {
  const text = form.get('auth_token') ?? '';
  const userName = form.get('username');
  const token = cluster.aliveToken(text);
  if (!token || (userName && userName !== token.user)) {
    lockOwner(cluster, text);
    throw unauthenticated();
  }
  const session = cluster.sessions.start({ user: token.user, org: token.org, token }, false, cluster.now());
  const user = cluster.directory.user(token.user);
  if (user) user.lastOrg = token.org;
  return { status: 302, headers: { location: '/', 'set-cookie': sessionCookie(session.id) } };
}

/** Wire facts 4, lock-out: a stale token at sign-in may lock its user (SCAL-117106). */
function lockOwner(cluster: RunningCluster, text: string): void {
  const owner = cluster.tokens.find(text)?.user;
  if (cluster.switches.lockOnStaleToken && owner !== undefined) cluster.setUserStatus(owner, 'LOCKED');
}

function loginWithPassword(cluster: RunningCluster, call: Call): Answer {
  requireRequestedBy(call);
  const form = formBody(call);
  const user = requirePassword(cluster, form.get('username') ?? '', form.get('password') ?? '');
  requireActive(user);
  const session = cluster.sessions.start({ user: user.name, org: user.lastOrg, token: null }, false, cluster.now());
  return { status: 204, headers: { 'set-cookie': sessionCookie(session.id) } };
}

const endpoint = endpointsUnder('v1', '');
const SESSION = '/callosum/v1/session';

export const CALLOSUM_ENDPOINTS: readonly Endpoint[] = [
  // 2xx if the bearer or the cookie is alive, 401 if not; the body is ignored.
  endpoint('GET', `${SESSION}/isactive`, 'session', (cluster, call) => {
    requireIdentity(cluster, call);
    return { status: 204 };
  }),
  endpoint('GET', '/prism/preauth/info', 'session', (cluster, call) => {
    return { status: 200, json: { info: sessionDetails(cluster, call) } };
  }),
  endpoint('GET', `${SESSION}/info`, 'session', (cluster, call) => {
    return { status: 200, json: sessionDetails(cluster, call) };
  }),
  endpoint('POST', `${SESSION}/login/token`, 'session', (cluster, call) => {
    requireRequestedBy(call);
    return loginWithToken(cluster, formBody(call));
  }),
  endpoint('GET', `${SESSION}/login/token`, 'session', (cluster, call) => loginWithToken(cluster, call.query)),
  endpoint('POST', `${SESSION}/login`, 'session', loginWithPassword),
  endpoint('POST', `${SESSION}/logout`, 'session', (cluster, call) => {
    requireRequestedBy(call);
    return logout(cluster, call);
  }),
];
