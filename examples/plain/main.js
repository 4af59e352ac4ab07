import { createTokenProvider } from '@thoughtspot-token-broker/client';
import { AuthType, init, LiveboardEmbed } from '@thoughtspot/visual-embed-sdk';

/** Where the broker, ThoughtSpot and the issuer are; written by serve.js. */
const { broker, thoughtspot, issuer } = await (await fetch('/addresses.json')).json();
const byId = (id) => document.getElementById(id);

const tokens = createTokenProvider({
  endpoint: broker,
  // The issuer of `npm start` signs in whoever asks. In your app this is your OIDC library.
  async getAccessToken() {
    const body = new URLSearchParams({ grant_type: 'password', username: 'alice' });
    const answer = await fetch(`${issuer}/token`, { method: 'POST', body });
    return (await answer.json()).access_token;
  },
});

let shown = false;
tokens.subscribe(({ status, userName, error }) => {
  byId('status').textContent = [userName, status, error?.code].filter(Boolean).join(', ');
  byId('retry').hidden = error === undefined;
  if (status === 'live' && !shown) show();
  if (status === 'signed-out') byId('board').replaceChildren();
});

function show() {
  shown = true;
  init({
    thoughtSpotHost: thoughtspot,
    authType: AuthType.TrustedAuthTokenCookieless,
    getAuthToken: tokens.getAuthToken,
    disableSDKTracking: true,
    suppressErrorAlerts: true,
  });
  const frameParams = { width: '100%', height: '900px' };
  new LiveboardEmbed('#board', { liveboardId: '11111111-aaaa-4bbb-8ccc-000000000001', frameParams }).render();
}

byId('retry').addEventListener('click', () => tokens.retry());
byId('sign-out').addEventListener('click', () => tokens.signOut());
await tokens.getAuthToken().catch(() => undefined);
