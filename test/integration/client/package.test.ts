/** The client as people install it: packed, unpacked, judged by package linters, type-checked and built into the examples. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import manifest from '../../../client/package.json' with { type: 'json' };
import { integrityOf } from '../../../client/build.ts';
import { VERSION } from '../../../client/token-provider.ts';
import { startLocalBroker, type LocalBroker } from '../../../local/local-broker.ts';
import { listen } from '../../../local/network.ts';
import { launchBrowser, openContext } from '../../support/browser.ts';
import { installPacked } from '../../support/packed.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** Inside the project, so that its own packages (React, Vite, the SDK) are found, and the client only as it was packed. */
const PLACE = join(ROOT, '.cache', 'packed-client');
const INSTALLED = join(PLACE, 'node_modules', manifest.name);
const bin = (path: string) => join(ROOT, 'node_modules', path);

function run(file: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
  const env = { ...process.env, ...environment };
  try {
    return execFileSync(process.execPath, [file, ...args], { cwd: PLACE, env, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${stdout}${stderr}`, { cause: error });
  }
}
const typeCheck = (options: object) => {
  const strict = { strict: true, noEmit: true, skipLibCheck: true, types: [], typeRoots: [] };
  const project = { compilerOptions: { ...strict, ...options }, include: ['app/*'] };
  writeFileSync(join(PLACE, 'tsconfig.json'), JSON.stringify(project));
  return run(bin('typescript/bin/tsc'), ['-p', 'tsconfig.json']);
};

let tarball: string;
beforeAll(() => {
  tarball = installPacked(manifest.name, PLACE);
  for (const example of ['vite-react', 'plain']) {
    cpSync(join(ROOT, 'examples', example), join(PLACE, example), { recursive: true });
    rmSync(join(PLACE, example, 'dist'), { recursive: true, force: true });
  }
});
afterAll(() => rmSync(PLACE, { recursive: true, force: true }));

describe('the package', () => {
  test('holds what is built, its licence and its README, and nothing else', () => {
    const files = readdirSync(INSTALLED, { recursive: true, encoding: 'utf8' }).filter((name) => extname(name) !== '');
    const built = files.filter((name) => name.startsWith('dist/') && !name.endsWith('.d.ts'));
    expect(built.sort()).toEqual(['dist/client.js', 'dist/client.js.map', 'dist/react.js', 'dist/react.js.map']);
    expect(files.filter((name) => !name.startsWith('dist/')).sort()).toEqual(['README.md', 'package.json']);
    expect(readFileSync(join(INSTALLED, 'LICENSE'), 'utf8')).toContain('Apache License');
    expect([manifest.sideEffects, manifest.version]).toEqual([false, VERSION]);
  });

  test('has nothing that publint complains of', () => {
    expect(run(bin('publint/src/cli.js'), [INSTALLED, '--strict'])).toContain('All good!');
  });

  test('gives its types to every resolution that knows ES modules', () => {
    const script = `
      import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
      import { readFileSync } from 'node:fs';
      const { problems } = await checkPackage(createPackageFromTarballData(readFileSync(process.argv[2])));
      // The package is ESM: require() of it is no promise, and node10 does not know \`exports\`.
      console.log(JSON.stringify(problems.filter(({ kind, resolutionKind }) =>
        kind !== 'CJSResolvesToESM' && resolutionKind !== 'node10')));`;
    writeFileSync(join(PLACE, 'types.mjs'), script);
    expect(JSON.parse(run('types.mjs', [tarball]))).toEqual([]);
  });

  test('is an ES module for Node too, and says its version', () => {
    const script = `import('${manifest.name}').then(({ VERSION, TokenError }) => console.log(VERSION, new TokenError('x').code))`;
    expect(run('-e', [script]).trim()).toBe(`${VERSION} x`);
  });

  test.each<[string, object]>([
    [
      'Vite',
      {
        target: 'ES2022',
        module: 'ESNext',
        moduleResolution: 'bundler',
        jsx: 'react-jsx',
        verbatimModuleSyntax: true,
        noUncheckedSideEffectImports: true,
        isolatedModules: true,
        lib: ['ES2022', 'DOM', 'DOM.Iterable'],
      },
    ],
    [
      'Next.js',
      {
        target: 'ES2017',
        module: 'esnext',
        moduleResolution: 'bundler',
        jsx: 'preserve',
        allowJs: true,
        esModuleInterop: true,
        isolatedModules: true,
        incremental: false,
        lib: ['dom', 'dom.iterable', 'esnext'],
      },
    ],
    [
      'Angular',
      {
        target: 'ES2022',
        module: 'preserve',
        jsx: 'react-jsx',
        noImplicitOverride: true,
        noPropertyAccessFromIndexSignature: true,
        experimentalDecorators: true,
        importHelpers: false,
        skipLibCheck: false,
        lib: ['ES2022', 'DOM'],
      },
    ],
  ])('type-checks under the settings of %s, declarations included', (_name, options) => {
    mkdirSync(join(PLACE, 'app'), { recursive: true });
    const app = `
      import { createTokenProvider, TokenError, type TokenErrorCode, type TokenState } from '${manifest.name}';
      const tokens = createTokenProvider({ endpoint: 'https://broker.example', getAccessToken: async () => 'jwt' });
      const stop: () => void = tokens.subscribe((state: TokenState) => void state.error?.errors[0]?.field);
      export const all = [stop, tokens.getAuthToken({ signal: new AbortController().signal }), tokens.retry(), tokens.dispose];
      export const code: TokenErrorCode = new TokenError('mint-limit').code;
      // @ts-expect-error An endpoint is needed.
      createTokenProvider({ getAccessToken: () => 'jwt' });`;
    const board = `
      import { TokenBoundary, TokenBroker, useToken } from '${manifest.name}/react';
      import { createTokenProvider } from '${manifest.name}';
      const tokens = createTokenProvider({ endpoint: 'https://broker.example', getAccessToken: async () => 'jwt' });
      export const Board = () => <TokenBroker tokens={tokens} start={() => null}>
        <TokenBoundary fallback={(problem, retry) => <button onClick={retry}>{problem?.code}</button>}>board</TokenBoundary>
      </TokenBroker>;
      export const useStatus = () => useToken().status;`;
    writeFileSync(join(PLACE, 'app', 'app.ts'), app);
    writeFileSync(join(PLACE, 'app', 'board.tsx'), board);
    typeCheck(options);
  });
});

describe('the examples, in a browser, without a network', () => {
  let broker: LocalBroker;
  let browser: Browser;
  let page: Page;
  let servers: Server[] = [];
  let children: ChildProcess[] = [];
  let said: string[];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    said = [];
    page = await (await openContext(browser)).newPage();
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
  });
  afterEach(async () => {
    await page.context().close();
    await broker.close();
    for (const server of servers) server.close().closeAllConnections();
    for (const child of children) child.kill();
    [servers, children] = [[], []];
  });
  const start = async (origin: string) => {
    const simulator = { switches: { embedPollMs: 100 } };
    broker = await startLocalBroker({ sweepEveryMs: null, allowOrigins: [origin], simulator });
    const { issuer, thoughtspot } = broker.addresses();
    return { BROKER: broker.url, THOUGHTSPOT: thoughtspot ?? '', ISSUER: issuer ?? '' };
  };
  /** The page says that it is signed out at once, and the broker revokes then. */
  const noTokenLives = async () => {
    while (broker.simulator?.tokens().length !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const board = () => page.frameLocator('iframe').getByTestId('status').getByText('Signed in');

  test('plain: an import map under a strict CSP shows the board, and signs out', async () => {
    const free = createServer();
    const { port } = new URL(await listen(free, 0, 'the example'));
    free.close();
    const addresses = await start(`http://127.0.0.1:${port}`);
    const child = spawn(process.execPath, ['serve.js'], {
      cwd: join(PLACE, 'plain'),
      env: { ...process.env, ...addresses, PORT: port },
    });
    children.push(child);
    await once(child.stdout, 'data');
    await page.goto(`http://127.0.0.1:${port}/`);
    await board().waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('status').getByText('signed-out').waitFor();
    await noTokenLives();
    expect(said.filter((line) => /Content Security Policy/.test(line) && !/style/.test(line))).toEqual([]);
  });

  test('vite-react: shows the board in StrictMode, survives a failed refresh and an outage, signs out and in', async () => {
    const dist = join(PLACE, 'vite-react', 'dist');
    const server = createServer((request, response) => {
      const path = request.url === '/' ? '/index.html' : (request.url ?? '');
      const types: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html' };
      response.setHeader('content-type', types[extname(path)] ?? 'text/plain').end(readFileSync(join(dist, path)));
    });
    servers.push(server);
    const origin = await listen(server, 0, 'the example');
    const { BROKER, THOUGHTSPOT, ISSUER } = await start(origin);
    run(bin('vite/bin/vite.js'), ['build', 'vite-react', '--logLevel', 'warn'], {
      VITE_BROKER: BROKER,
      VITE_THOUGHTSPOT: THOUGHTSPOT,
      VITE_ISSUER: ISSUER,
    });
    broker.simulator?.set({ outage: 'error', outageStatus: 400, faultScope: 'mint' });
    await page.goto(origin);
    await page.getByText('No board: upstream').waitFor();
    broker.simulator?.set({ outage: 'none' });
    await page.getByRole('button', { name: 'Try again' }).click();
    await board().waitFor();

    // ThoughtSpot ends the token, and no other one can be had: the SDK gives the board up, and it comes back by itself.
    broker.simulator?.set({ outage: 'error', outageStatus: 400, faultScope: 'mint' });
    for (const token of broker.simulator?.tokens() ?? []) await endAtThoughtSpot(THOUGHTSPOT, token);
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    broker.simulator?.set({ outage: 'none' });
    await page.getByRole('button', { name: 'Try again' }).click();
    await board().waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('status').getByText('signed-out').waitFor();
    await noTokenLives();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await board().waitFor();
  });

  test('npm start serves the very file of the package at /client.js, with its source map, to any origin', async () => {
    await start('http://app.example');
    const answer = await fetch(`${broker.url}/client.js`, { headers: { origin: 'http://app.example' } });
    const contents = new Uint8Array(await answer.arrayBuffer());
    expect(integrityOf(contents)).toBe(integrityOf(readFileSync(join(INSTALLED, 'dist/client.js'))));
    expect([answer.headers.get('content-type'), answer.headers.get('access-control-allow-origin')]).toEqual([
      'text/javascript; charset=utf-8',
      '*',
    ]);
    expect((await fetch(`${broker.url}/client.js.map`)).status).toBe(200);
  });
});

async function endAtThoughtSpot(host: string, token: string): Promise<void> {
  const [user] = Buffer.from(token, 'base64').toString('latin1').split(':');
  await fetch(`${host}/api/rest/2.0/auth/token/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user_identifier: user, token }),
  });
}
