/** "Use this in your app": the code that shows this board for this person and grant in a page of one's own. */
import { LIVEBOARD } from './board.ts';
import { byId, element, say } from './element.ts';
import type { Addresses } from './local-api.ts';
import type { Choice } from './who.ts';

const snippet = (
  { user, grant }: Choice,
  { thoughtspot, issuer }: Addresses,
): string => `import { createTokenProvider } from '${location.origin}/client.js';
import { AuthType, init, LiveboardEmbed } from '@thoughtspot/visual-embed-sdk';

const tokens = createTokenProvider({
  endpoint: '${location.origin}',
  grant: '${grant}',
  // In your app: the access token of the signed-in user. Here the issuer of npm start signs ${user} in.
  async getAccessToken() {
    const body = new URLSearchParams({ grant_type: 'password', username: '${user}' });
    const answer = await fetch('${issuer}/token', { method: 'POST', body });
    return (await answer.json()).access_token;
  },
});
init({
  thoughtSpotHost: '${thoughtspot}',
  authType: AuthType.TrustedAuthTokenCookieless,
  getAuthToken: tokens.getAuthToken,
});
new LiveboardEmbed('#board', { liveboardId: '${LIVEBOARD}' }).render();`;

export function showUse(choice: Choice, where: Addresses): void {
  const code = snippet(choice, where);
  const copy = () => {
    navigator.clipboard.writeText(code).then(
      () => say('Copied.'),
      () => say('This browser does not let the page copy. Select the text.'),
    );
  };
  byId('use').replaceChildren(
    element('h2', { id: 'use-title' }, 'Use this in your app'),
    element('pre', { tabindex: 0, role: 'region', 'aria-label': 'Code for your app' }, code),
    element(
      'div',
      { class: 'row' },
      element('button', { type: 'button', click: copy }, 'Copy'),
      element('a', { href: '/tutorial.md' }, 'Tutorial'),
    ),
  );
}
