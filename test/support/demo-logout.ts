import { DEMO_CLIENT } from '../../local/issuer.ts';
import type { LocalBroker } from '../../local/local-broker.ts';

/** The local issuer says that a demo user has signed out, by a clock that is `aheadMs` ahead; the answer. `claims` replaces some. */
export async function postLogout(
  { url, issuer }: Pick<LocalBroker, 'url' | 'issuer'>,
  user: string,
  aheadMs = 0,
  claims: object = {},
): Promise<Response> {
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const iat = Math.floor((Date.now() + aheadMs) / 1_000);
  const token = await issuer.accessToken(
    user,
    { aud: DEMO_CLIENT, events, iat, exp: iat + 120, ...claims },
    'logout+jwt',
  );
  return fetch(`${url}/backchannel-logout`, { method: 'POST', body: new URLSearchParams({ logout_token: token }) });
}
