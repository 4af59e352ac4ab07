/** One provider for the whole page, in a module of its own: hot reload of components leaves it alone. */
import { createTokenProvider } from '@thoughtspot-token-broker/client';
import { AuthType, init } from '@thoughtspot/visual-embed-sdk';

const { VITE_BROKER, VITE_THOUGHTSPOT, VITE_ISSUER } = import.meta.env;

/** The issuer of `npm start` signs in whoever asks. In your app this is your OIDC library. */
async function accessToken(): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'password', username: 'alice' });
  const answer = await fetch(`${VITE_ISSUER ?? 'http://127.0.0.1:8789'}/token`, { method: 'POST', body });
  return (await answer.json()).access_token;
}

export const tokens = createTokenProvider({
  endpoint: VITE_BROKER ?? 'http://127.0.0.1:8787',
  getAccessToken: accessToken,
});

export const startSdk = () =>
  init({
    thoughtSpotHost: VITE_THOUGHTSPOT ?? 'http://127.0.0.1:8788',
    authType: AuthType.TrustedAuthTokenCookieless,
    getAuthToken: tokens.getAuthToken,
    disableSDKTracking: true,
    suppressErrorAlerts: true,
  });
