/**
 * Pages served by the gateway's own port, same-origin with the broker. `/` is local/demo/index.html; `/demo/<name>.js` is
 * local/demo/<name>.ts bundled for the browser, other files as they are; `/docs/` and `/openapi.yaml` are the HTTP API.
 */
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { LocalPages } from './gateway.ts';
import { apiPage, OPENAPI_FILE } from './api-page.ts';
import { splitTarget } from './event.ts';

const DEMO = join(import.meta.dirname, '..', 'demo');
const HTML = 'text/html; charset=utf-8';
const TYPES: Readonly<Record<string, string>> = {
  html: HTML,
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  json: 'application/json',
};
const FILE = /^\/demo\/([a-z0-9][a-z0-9-]*)\.(html|css|js|svg|json)$/;

export interface DemoPages {
  readonly pages: LocalPages;
  /** Sources have changed: bundle again at the next request. */
  refresh(): void;
}

/** `folder` holds the demo's sources. */
export function makeDemoPages(folder = DEMO): DemoPages {
  const bundles = new Map<string, Promise<string>>();

  const content = async (path: string): Promise<{ type: string; body: string | Buffer } | undefined> => {
    if (path === '/docs/' || path === '/docs') return { type: HTML, body: apiPage() };
    if (path === '/openapi.yaml') return { type: 'application/yaml', body: await readFile(OPENAPI_FILE) };
    const [, name, extension] = FILE.exec(path === '/' ? '/demo/index.html' : path) ?? [];
    const type = TYPES[extension ?? ''];
    if (name === undefined || extension === undefined || type === undefined) return undefined;
    const source = join(folder, `${name}.ts`);
    if (extension === 'js' && existsSync(source)) {
      const bundled = bundles.get(name) ?? bundleForBrowser(source);
      bundles.set(name, bundled);
      return { type, body: await bundled };
    }
    const file = join(folder, `${name}.${extension}`);
    return existsSync(file) ? { type, body: await readFile(file) } : undefined;
  };

  return {
    refresh: () => bundles.clear(),
    async pages(request, response) {
      if (request.method !== 'GET') return false;
      const [path] = splitTarget(request.url ?? '/');
      const found = await content(path);
      if (found === undefined) return false;
      response
        .writeHead(200, {
          'content-type': found.type,
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
        })
        .end(found.body);
      return true;
    },
  };
}

async function bundleForBrowser(source: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [source],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    minify: true,
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}
