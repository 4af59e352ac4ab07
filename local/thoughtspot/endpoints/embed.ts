import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import type { Endpoint } from '../call.ts';
import { requireIdentity } from '../identity.ts';
import { visibleRows } from '../liveboard.ts';

const FOLDER = join(import.meta.dirname, '..', 'embed');

/** Who may frame the page, and that it loads nothing from elsewhere. */
export function contentSecurityPolicy(allowedOrigins: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    ["frame-ancestors 'self'", ...allowedOrigins].join(' '),
  ].join('; ');
}

const SCRIPTS = ['page.ts', 'host.ts', 'charts.ts'] as const;

const file = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const script = (name: string): string => transformSync(file(name), { loader: 'ts', target: 'es2022' }).code;

/**
 * The embed page, where the Visual Embed SDK puts its iframe: at `/` for hosts called localhost, at `/v2/` for others
 * (wire facts 5.5, I1). The query says how to embed and is of no consequence here.
 */
export function embedEndpoints(allowedOrigins: readonly string[]): readonly Endpoint[] {
  const asset = (path: string, type: string, read: () => string): Endpoint => ({
    method: 'GET',
    path,
    scope: 'page',
    dialect: 'v1',
    answer: () => ({
      status: 200,
      text: read(),
      headers: {
        'content-type': `${type}; charset=utf-8`,
        'content-security-policy': contentSecurityPolicy(allowedOrigins),
        'referrer-policy': 'no-referrer',
      },
    }),
  });
  return [
    ...['/', '/v2', '/v2/'].map((path) => asset(path, 'text/html', () => file('page.html'))),
    asset('/simulator/page.css', 'text/css', () => file('page.css')),
    ...SCRIPTS.map((name) => asset(`/simulator/${name}`, 'text/javascript', () => script(name))),
    {
      method: 'GET',
      path: '/simulator/sales',
      scope: 'page',
      dialect: 'v1',
      answer: (cluster, call) => {
        const { user, org, token } = requireIdentity(cluster, call);
        const inForce = cluster.entitlementsInForce(user, org, token);
        const rows = visibleRows(cluster.directory.orgName(org), inForce);
        return { status: 200, json: { rows } };
      },
    },
  ];
}
