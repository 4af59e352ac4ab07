/**
 * Pages served by the gateway's own port, same-origin with the broker. `/` is local/demo/index.html; `/demo/<name>.js` is
 * local/demo/<name>.ts bundled for the browser, other files as they are; `/docs/` draws the HTTP API, `/openapi.yaml`.
 * `/client.js` is the browser client as its package has it, for pages of any origin (its integrity is printed by its build).
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { build } from 'esbuild';
import { bundleClient } from '../../client/build.ts';
import type { LocalPages } from './gateway.ts';
import { splitTarget } from './event.ts';

const DEMO = join(import.meta.dirname, '..', 'demo');
const SWAGGER_UI = dirname(createRequire(import.meta.filename).resolve('swagger-ui-dist/package.json'));
const IN_DEMO = /^\/demo\/([a-z0-9][a-z0-9-]*\.(html|css|js|svg))$/;
const ELSEWHERE: Readonly<Record<string, string>> = {
  '/': join(DEMO, 'index.html'),
  '/docs': join(DEMO, 'api.html'),
  '/docs/': join(DEMO, 'api.html'),
  '/docs/swagger-ui.css': join(SWAGGER_UI, 'swagger-ui.css'),
  '/docs/swagger-ui-bundle.js': join(SWAGGER_UI, 'swagger-ui-bundle.js'),
  '/tutorial.md': join(import.meta.dirname, '..', '..', 'docs', 'tutorial.md'),
  '/openapi.yaml': join(import.meta.dirname, '..', '..', 'docs', 'openapi.yaml'),
};
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.yaml': 'application/yaml',
};

export function makeDemoPages() {
  const bundles = new Map<string, Promise<string>>();
  let client: ReturnType<typeof bundleClient> | undefined;

  const content = async (path: string): Promise<{ file: string; body: string | Buffer } | undefined> => {
    if (path === '/client.js' || path === '/client.js.map') {
      const files = await (client ??= bundleClient());
      const found = files.find((file) => file.path.endsWith(path));
      return found && { file: path, body: Buffer.from(found.contents) };
    }
    const name = IN_DEMO.exec(path)?.[1];
    const file = name === undefined ? ELSEWHERE[path] : join(DEMO, name);
    if (file === undefined) return undefined;
    const source = file.replace(/\.js$/, '.ts');
    if (name !== undefined && source !== file && existsSync(source)) {
      const bundled = bundles.get(name) ?? bundleForBrowser(source);
      bundles.set(name, bundled);
      return { file, body: await bundled };
    }
    return existsSync(file) ? { file, body: await readFile(file) } : undefined;
  };

  const pages: LocalPages = async (request, response) => {
    if (request.method !== 'GET') return false;
    const [path] = splitTarget(request.url ?? '/');
    const found = await content(path);
    if (found === undefined) return false;
    const type = TYPES[extname(found.file)];
    // `integrity` on a script of another origin needs CORS, and the client is no secret.
    const open = path.startsWith('/client.js') ? { 'access-control-allow-origin': '*' } : {};
    const headers = { ...open, 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
    response.writeHead(200, headers).end(found.body);
    return true;
  };

  return {
    /** Sources have changed: bundle again at the next request. */
    refresh() {
      bundles.clear();
      client = undefined;
    },
    pages,
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
