import { DEMO_CLIENT } from '../../local/issuer.ts';
import type { LocalBroker } from '../../local/local-broker.ts';

/** The local issuer says that a demo user has signed out; the answer. */
export async function postLogout(
  { url, issuer }: Pick<LocalBroker, 'url' | 'issuer'>,
  user: string,
): Promise<Response> {
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const token = await issuer.accessToken(user, { aud: DEMO_CLIENT, events });
  return fetch(`${url}/backchannel-logout`, { method: 'POST', body: new URLSearchParams({ logout_token: token }) });
}
