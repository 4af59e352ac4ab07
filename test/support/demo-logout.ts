import { DEMO_CLIENT } from '../../local/issuer.ts';
import type { LocalBroker } from '../../local/local-broker.ts';

/** What the local issuer says when a demo user has signed out, by a clock that is `aheadMs` ahead. `claims` replaces some. */
export function logoutToken(
  { issuer }: Pick<LocalBroker, 'issuer'>,
  user: string,
  aheadMs = 0,
  claims: object = {},
): Promise<string> {
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const iat = Math.floor((Date.now() + aheadMs) / 1_000);
  return issuer.accessToken(user, { aud: DEMO_CLIENT, events, iat, exp: iat + 120, ...claims }, 'logout+jwt');
}

/** The answer to a logout token. */
export function postLogoutToken({ url }: Pick<LocalBroker, 'url'>, token: string): Promise<Response> {
  return fetch(`${url}/backchannel-logout`, { method: 'POST', body: new URLSearchParams({ logout_token: token }) });
}

/** The local issuer says that a demo user has signed out; the answer. */
export async function postLogout(
  broker: Pick<LocalBroker, 'url' | 'issuer'>,
  user: string,
  aheadMs = 0,
  claims: object = {},
): Promise<Response> {
  return postLogoutToken(broker, await logoutToken(broker, user, aheadMs, claims));
}
