/** The embedded Liveboard: the vendor's embed SDK, fed by the product's own client. */
import { AuthStatus, AuthType, init, LiveboardEmbed } from '@thoughtspot/visual-embed-sdk';
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

export const LIVEBOARD = '11111111-aaaa-4bbb-8ccc-000000000001';

const CURES: Readonly<Record<string, string>> = {
  'not-entitled': 'No rule of the policy matches this person. Choose somebody of a known tenant.',
  'user-not-provisioned': 'ThoughtSpot has no active user of that name. Choose somebody else.',
  'upstream-credential-refused':
    'The key in the secret is not the one ThoughtSpot has now. Start the local set again, or put the new key into the secret.',
  'mint-limit': 'Five new tokens in a minute are the limit of a grant. Wait a moment.',
  network: 'Is npm start still running?',
};

function describe(state: TokenState, shown: boolean): string {
  switch (state.status) {
    case 'live':
      if (!shown) return 'There is a token, and no board';
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

/** How long a board that the SDK gave up stays away although there is a token, ms. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;

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
  signOut(this: void): Promise<void>;
}

/** The embed SDK takes the iframe away where it gave the board up, and what it mends by itself it reports too. */
const givenUp = (): boolean => document.querySelector('#embed iframe') === null;

/** Signs the person in and shows the board, or why there is none. A board that failed comes back with the next token. */
export function startBoard({ user, grant }: Choice, thoughtSpotHost: string): Board {
  let state: TokenState = { status: 'idle' };
  let shown = false;
  let pauseMs = FIRST_PAUSE_MS;
  const tokens = createTokenProvider({
    endpoint: location.origin,
    grant,
    getAccessToken: () => accessToken(user),
  });
  const tick = (): void => {
    const words = describe(state, shown);
    if (byId('token').textContent !== words) byId('token').textContent = words;
  };

  function explain(error: TokenError | undefined): void {
    const cure = CURES[error?.code ?? ''] ?? 'What failed is in the audit below and in the log of the functions.';
    const title = error === undefined ? 'ThoughtSpot does not answer' : `No token: ${error.code}`;
    const words = error === undefined ? 'There is a token, and the embed gave up.' : `${error.message} ${cure}`;
    notice(title, `${words} The board comes back by itself when this is mended.`, { label: 'Try again', run: again });
  }

  function again(): void {
    notice('One moment', 'The broker decides, mints and records.');
    void tokens.retry().then(() => {
      if (state.status === 'live') show();
      else explain(state.error);
    });
  }

  function failed(): void {
    setTimeout(() => {
      if (!shown || !givenUp() || state.status === 'signed-out') return;
      shown = false;
      explain(state.error);
      // With a token and still no board: ThoughtSpot itself is in trouble, so the pauses grow.
      setTimeout(() => !shown && state.status === 'live' && show(), pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      tick();
    });
  }

  function show(): void {
    shown = true;
    byId('embed').replaceChildren();
    const events = init({
      thoughtSpotHost,
      authType: AuthType.TrustedAuthTokenCookieless,
      getAuthToken: tokens.getAuthToken,
      disableSDKTracking: true,
      suppressErrorAlerts: true,
    });
    events?.on(AuthStatus.FAILURE, failed);
    events?.on(AuthStatus.SUCCESS, () => {
      pauseMs = FIRST_PAUSE_MS;
      document.querySelector('#embed iframe')?.setAttribute('title', 'Liveboard of ThoughtSpot');
    });
    const embed = new LiveboardEmbed('#embed', {
      liveboardId: LIVEBOARD,
      frameParams: { width: '100%', height: '100%' },
    });
    void embed.render();
    tick();
  }

  tokens.subscribe((next) => {
    state = next;
    if (next.status === 'live' && !shown) show();
    if (next.status === 'failed' && !shown) explain(next.error);
    if (next.status === 'signed-out') {
      shown = false;
      notice('Signed out', 'No token is served any more. The broker revokes those of this person.', {
        label: 'Sign in again',
        run: () => location.reload(),
      });
    }
    tick();
  });
  notice('One moment', 'The broker decides, mints and records.');
  tokens.getAuthToken().catch(() => undefined);

  return { tokens, tick, signOut: tokens.signOut };
}
