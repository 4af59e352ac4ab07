/** A customer's front end: the product's client and the vendor's embed SDK, both as they are, on an origin of its own. */
import { buildSync } from 'esbuild';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `?broker=&thoughtspot=&user=`; `?embed` shows the Liveboard at once. What tests drive is on `window`, as `show(8)`. */
const APP = `
import { AuthType, init, LiveboardEmbed } from '@thoughtspot/visual-embed-sdk';
import { createTokenProvider } from '../../client/token-provider.ts';
const query = new URLSearchParams(location.search);
const accessToken = () => fetch('/access-token?user=' + query.get('user')).then((answer) => answer.text());
const tokens = createTokenProvider({ endpoint: query.get('broker'), getAccessToken: accessToken });
const states = [];
tokens.subscribe(({ status }) => states.push(status));
const show = async (count = 1, options = {}) => {
  init({
    thoughtSpotHost: query.get('thoughtspot'),
    authType: AuthType.TrustedAuthTokenCookieless,
    getAuthToken: tokens.getAuthToken,
    disableSDKTracking: true,
    ...options,
  });
  const holders = [...document.querySelectorAll('.embed')].slice(0, count);
  const embeds = holders.map((holder) => new LiveboardEmbed(holder, {
    frameParams: { width: '100%', height: count === 1 ? 900 : 100 },
    liveboardId: '11111111-aaaa-4bbb-8ccc-000000000001',
  }));
  Object.assign(window, { embeds, embed: embeds[0] });
  for (const embed of embeds) await embed.render();
};
Object.assign(window, { tokens, states, show, accessToken });
if (query.has('embed')) void show();
`;

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>App</title></head>
<body><div id="embed" class="embed"></div>${'<div class="embed"></div>'.repeat(11)}<script src="/app.js"></script></body></html>`;

export interface AppHost {
  readonly origin: string;
  /** Who may sign in: gives an access token for a user. Set once the issuer is there. */
  accessToken: (user: string) => Promise<string>;
  close(): void;
}

/** Serves the app on a free port of 127.0.0.1. */
export async function startAppHost(): Promise<AppHost> {
  const bundle = buildSync({
    stdin: { contents: APP, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: 'iife',
    define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    logLevel: 'error',
  }).outputFiles[0]?.text;
  const server: Server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://app');
    if (pathname === '/app.js') response.setHeader('content-type', 'text/javascript').end(bundle);
    else if (pathname === '/access-token') {
      void host.accessToken(searchParams.get('user') ?? '').then((text) => response.end(text));
    } else response.setHeader('content-type', 'text/html').end(PAGE);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host: AppHost = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accessToken: () => Promise.reject(new Error('no issuer yet')),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return host;
}
