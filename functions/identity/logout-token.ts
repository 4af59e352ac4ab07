/** Logout tokens: OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6. */
import type { JwtPayload } from 'aws-jwt-verify/jwt-model';
import type { Logout } from '../broker/ports.ts';
import { isObject } from '../contract/shapes.ts';
import type { IssuerSettings } from './issuers.ts';
import { type FaultsOf, invalid } from './verified.ts';

/** An older one is refused, ms. One that is shown again until then changes nothing: what it ends is over. */
const OLDEST_MS = 300_000;
/** Header `typ`, where there is one. */
const LOGOUT = /^(application\/)?logout\+jwt$/i;
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** What is wrong with a logout token, besides what can be wrong with any. */
export const faultsOfLogoutToken: FaultsOf = (header, payload, { logoutClients = [], logoutType }, now) => {
  const { aud, exp, iat = 0, sub, sid, nonce, events, token_use: use, typ } = payload;
  const { typ: type = 'logout+jwt' } = header;
  return [
    [!logoutClients.some((ours) => [aud].flat().includes(ours)), 'it is for another client'],
    [now - iat * 1_000 > OLDEST_MS, `it is older than ${OLDEST_MS / 1_000} s`],
    [exp !== undefined && !(exp * 1_000 > now), 'it has expired'],
    [type !== logoutType && !(typeof type === 'string' && LOGOUT.test(type)), 'its type is not that of a logout token'],
    [use !== undefined || typ === 'ID', 'it is an ID token or an access token'],
    [!isObject(events) || !isObject(events[EVENT]), 'it has no event of a back-channel logout'],
    // So that no ID token can pass for one.
    [nonce !== undefined, 'it has a nonce'],
    [[sub, sid].some((name) => name !== undefined && !isName(name)), 'its sub or sid is no text'],
    [sub === undefined && sid === undefined, 'it names neither a subject nor a session'],
  ];
};

const isName = (value: unknown): value is string => typeof value === 'string' && value !== '';

/**
 * What a verified logout token ends. `sid` says which session, so with it no other session of the subject ends; where
 * access tokens do not name their session (`sessionClaim`), all of the subject's end. Throws Failure `invalid-token`.
 */
export function logoutOf({ aud, iat = 0, sub, sid }: JwtPayload, issuer: IssuerSettings): Logout {
  const { url, sessionClaim, logoutClients = [] } = issuer;
  const by = { client: logoutClients.find((ours) => [aud].flat().includes(ours)) ?? '', at: iat * 1_000 };
  if (isName(sid) && sessionClaim !== undefined)
    return { ...by, scope: { kind: 'session', issuer: url, session: sid } };
  if (isName(sub)) return { ...by, scope: { kind: 'subject', issuer: url, subject: sub } };
  throw invalid('it names a session only, and the environment does not say which claim of access tokens names theirs');
}
