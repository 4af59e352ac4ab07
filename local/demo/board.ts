/** The embedded Liveboard: the vendor's embed SDK, fed by the product's own client. */
import { AuthType, init, LiveboardEmbed } from '@thoughtspot/visual-embed-sdk';
import {
  createTokenProvider,
  type TokenError,
  type TokenProvider,
  type TokenState,
} from '../../client/token-provider.ts';
import { byId, element } from './element.ts';
import { accessToken } from './local-api.ts';
import { until } from './time.ts';
import type { Choice } from './who.ts';

const LIVEBOARD = '11111111-aaaa-4bbb-8ccc-000000000001';

const CURES: Readonly<Record<string, string>> = {
  'not-entitled': 'No rule of the policy matches this person. Choose somebody of a known tenant.',
  'user-not-provisioned': 'ThoughtSpot has no active user of that name. Choose somebody else.',
  'upstream-credential-refused':
    'The key in the secret is not the one ThoughtSpot has now. Start the local set again, or put the new key into the secret.',
  'mint-limit': 'Five new tokens in a minute are the limit of a grant. Wait a moment.',
  network: 'Is npm start still running?',
};

function describe(state: TokenState): string {
  switch (state.status) {
    case 'live':
      return `Token live, ${until(state.expiresAt)} left; the next one is fetched in ${until(state.refreshAfter)}`;
    case 'stale':
      return `Token live, ${until(state.expiresAt)} left; the last refresh failed`;
    case 'sign-in-required':
      return 'Sign in again';
    case 'fetching':
      return 'Fetching a token ...';
    case 'failed':
      return 'No token';
    case 'signed-out':
      return 'Signed out';
    case 'idle':
      return '';
  }
}

function notice(title: string, words: string, action?: { readonly label: string; run(): void }): void {
  byId('embed').replaceChildren(
    element(
      'div',
      { class: 'notice' },
      element('h3', {}, title),
      element('p', {}, words),
      ...(action ? [element('button', { type: 'button', click: () => action.run() }, action.label)] : []),
    ),
  );
}

export interface Board {
  readonly tokens: TokenProvider;
  /** Writes the time that is left. */
  tick(): void;
  signOut(): Promise<void>;
}

/** Signs the person in and shows the board, or why there is none. */
export function startBoard({ user, grant }: Choice, thoughtSpotHost: string): Board {
  let state: TokenState = { status: 'idle' };
  const tokens = createTokenProvider({
    endpoint: location.origin,
    grant,
    getAccessToken: () => accessToken(user),
  });
  const tick = (): void => {
    const words = describe(state);
    if (byId('token').textContent !== words) byId('token').textContent = words;
  };
  tokens.subscribe((next) => {
    state = next;
    tick();
  });

  async function show(): Promise<void> {
    notice('One moment', 'The broker decides, mints and records.');
    await tokens.getAuthToken();
    byId('embed').replaceChildren();
    init({
      thoughtSpotHost,
      authType: AuthType.TrustedAuthTokenCookieless,
      getAuthToken: tokens.getAuthToken,
      disableSDKTracking: true,
      suppressErrorAlerts: true,
    });
    const embed = new LiveboardEmbed('#embed', {
      liveboardId: LIVEBOARD,
      frameParams: { width: '100%', height: '100%' },
    });
    await embed.render();
    const frame = document.querySelector('#embed iframe');
    if (frame) frame.setAttribute('title', 'Liveboard of ThoughtSpot');
  }

  const start = (): void => {
    void show().catch((error: TokenError) => {
      const cure = CURES[error.code] ?? 'What failed is in the audit below and in the log of the functions.';
      notice(`No token: ${error.code}`, `${error.message} ${cure}`, { label: 'Try again', run: start });
    });
  };
  start();

  return {
    tokens,
    tick,
    async signOut() {
      await tokens.signOut();
      notice('Signed out', 'The tokens of this person are revoked.', {
        label: 'Sign in again',
        run: () => location.reload(),
      });
    },
  };
}
