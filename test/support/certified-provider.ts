/**
 * A program: an OpenID provider that is certified, not ours, which signs people in with a JWT for our API and tells us when
 * they have signed out. A process of its own, since plain Node loads it as it is. It sends where it is; it serves once it
 * has been sent where logout tokens go.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { readDemoUsers } from '../../local/issuer.ts';
import { API, APP, CALLBACK } from './signed-in.ts';

interface Context {
  readonly oidc: {
    readonly provider: Provider;
    readonly client: { readonly clientId: string };
    readonly session: { readonly accountId: string };
  };
}

const server = createServer().listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.once('message', (logoutUri: string) => {
    server.on('request', new Provider(url, configurationFor(logoutUri)).callback());
    process.send?.('open');
  });
  process.send?.(url);
});
process.once('disconnect', () => process.exit(0));

function configurationFor(logoutUri: string): object {
  const { sub: _sub, ...claims } = readDemoUsers().users['alice']?.claims ?? {};
  const key = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ format: 'jwk' });
  return {
    clients: [
      {
        client_id: APP,
        token_endpoint_auth_method: 'none',
        redirect_uris: [CALLBACK],
        backchannel_logout_uri: logoutUri,
        backchannel_logout_session_required: true,
      },
    ],
    jwks: { keys: [{ ...key, kid: 'certified', use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['for a test'] },
    findAccount: (_context: Context, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      backchannelLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'broker:token',
          audience: API,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    // Its own refuses to reach this machine. It waits 2.5 s for an answer.
    fetch: (url: string, { dispatcher: _dispatcher, ...options }: RequestInit & { readonly dispatcher?: unknown }) =>
      fetch(url, options),
    // What an Action of Auth0 or a mapper of Keycloak adds.
    extraTokenClaims: (_context: Context, token: { readonly sid: string }) => ({ ...claims, sid: token.sid }),
    // Nobody is asked for consent.
    async loadExistingGrant({ oidc: { provider, client, session } }: Context) {
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid');
      grant.addResourceScope(API, 'broker:token');
      await grant.save();
      return grant;
    },
  };
}
