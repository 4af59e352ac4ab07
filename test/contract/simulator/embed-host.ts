import { buildSync } from 'esbuild';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/* A page as a customer's app has it: the vendor's embed SDK, unmodified, around a Liveboard. */

const APP = `
import { init, AuthType, AuthStatus, LiveboardEmbed } from '@thoughtspot/visual-embed-sdk';
const thoughtSpotHost = new URLSearchParams(location.search).get('host');
window.seen = [];
const auth = init({
  thoughtSpotHost,
  authType: AuthType.TrustedAuthTokenCookieless,
  disableSDKTracking: true,
  suppressErrorAlerts: true,
  getAuthToken: () => fetch('/token').then((answer) => answer.text()),
});
for (const status of [AuthStatus.SDK_SUCCESS, AuthStatus.SUCCESS, AuthStatus.FAILURE]) {
  auth.on(status, () => window.seen.push(status));
}
window.embed = new LiveboardEmbed('#embed', { frameParams: { width: '100%', height: 900 }, liveboardId: '11111111-aaaa-4bbb-8ccc-000000000001' });
window.embed.render();
`;

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>App</title></head>
<body><div id="embed"></div><script src="/app.js"></script></body></html>`;

/** Serves the app; `token` is what its getAuthToken gets. */
export async function startEmbedHost(token: () => Promise<string>): Promise<{ origin: string; server: Server }> {
  const bundle = buildSync({
    stdin: { contents: APP, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: 'iife',
    define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    logLevel: 'error',
  }).outputFiles[0]?.text;
  const server = createServer((request, response) => {
    if (request.url === '/app.js') response.setHeader('content-type', 'text/javascript').end(bundle);
    else if (request.url === '/token') {
      void token().then(
        (text) => response.setHeader('content-type', 'text/plain').end(text),
        () => response.writeHead(500).end(),
      );
    } else response.setHeader('content-type', 'text/html').end(PAGE);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
