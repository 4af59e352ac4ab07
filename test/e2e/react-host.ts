/** A React app on Vite's development server: the bindings and the client as they are, with a broker and an SDK of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { listen } from '../../local/network.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Only the example has it. */
const PLUGIN = createRequire(join(ROOT, 'examples/vite-react/package.json')).resolve('@vitejs/plugin-react');

const FILES = {
  'package.json': '{ "private": true, "type": "module" }',
  'index.html': '<!doctype html><title>App</title><div id="root"></div><script type="module" src="/main.tsx"></script>',
  'vite.config.js': `import react from '${PLUGIN}';
export default { plugins: [react()], cacheDir: '.vite', optimizeDeps: { include: ['react', 'react-dom/client'] } };`,
  /** `user` is signed in; the broker serves the lease that lives, unless it is the one to be replaced. */
  'tokens.ts': `import { createTokenProvider } from '../../client/token-provider.ts';
const page = window as any;
Object.assign(page, { user: 'alice', mints: 0, boards: 0, starts: 0 });
const leases: Record<string, any> = {};
const jwt = (sub: string) => 'e30.' + btoa(JSON.stringify({ iss: 'https://issuer.example', sub })) + '.s';
export const tokens = createTokenProvider({
  endpoint: 'https://broker.example',
  getAccessToken: () => jwt(page.user),
  fetch: async (_url, init) => {
    const { replace } = JSON.parse(String(init?.body));
    const userName = JSON.parse(atob(new Headers(init?.headers).get('authorization')!.split('.')[1])).sub;
    const lease = leases[userName];
    if (!lease || lease.leaseId === replace || lease.refreshAfter < Date.now()) {
      const leaseId = 'lease-' + (page.mints += 1);
      const [expiresAt, refreshAfter] = [Date.now() + 300_000, Date.now() + 200_000];
      leases[userName] = { token: 'token-' + leaseId, leaseId, userName, orgId: 1, expiresAt, refreshAfter };
    }
    return Response.json(leases[userName]);
  },
});
/** As the SDK does: it asks once when it starts, and keeps what it gets. */
export const start = () => {
  page.starts += 1;
  page._tsEmbedSDK = {};
  void tokens.getAuthToken().then((token) => (page._tsEmbedSDK.cachedAuthToken = token));
  return { on() {}, off() {} };
};
page.tokens = tokens;`,
  'Board.tsx': `import { useEffect } from 'react';
import { TokenBoundary, TokenBroker, useToken } from '../../client/react.tsx';
import { start, tokens } from './tokens.ts';
const Who = () => { const { status, userName } = useToken(); return <p role="status">{status} {userName}</p>; };
const Liveboard = () => {
  useEffect(() => { (window as any).boards += 1; }, []);
  return <iframe title="board" />;
};
export const Board = () => (
  <TokenBroker tokens={tokens} start={start}>
    <h1>Sales</h1>
    <Who />
    <TokenBoundary loading={<p>loading</p>} fallback={(problem) => <p>no board: {problem?.code}</p>}><Liveboard /></TokenBoundary>
  </TokenBroker>
);`,
  'App.tsx': `import { useState } from 'react';
import { Board } from './Board.tsx';
export const App = () => {
  const [shown, setShown] = useState(true);
  return <><button onClick={() => setShown(!shown)}>Toggle</button>{shown && <Board />}</>;
};`,
  'main.tsx': `import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
createRoot(document.getElementById('root')!).render(<StrictMode><App /></StrictMode>);`,
} as const;

export interface ReactHost {
  readonly origin: string;
  /** Saves a file of the app, as an editor does. */
  edit(file: keyof typeof FILES, from: string | RegExp, to: string): void;
  close(): Promise<void>;
}

/** Serves the app on a free port of 127.0.0.1. */
export async function startReactHost(): Promise<ReactHost> {
  const folder = join(ROOT, '.cache', 'react-host');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  const free = createServer();
  const origin = await listen(free, 0, 'the app');
  free.close();
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const args = [vite, '--host', '127.0.0.1', '--port', new URL(origin).port, '--strictPort'];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (text) => String(text).includes('127.0.0.1') && resolve());
    child.once('exit', () => reject(new Error('Vite ended.')));
  });
  return {
    origin,
    edit(file, from, to) {
      const path = join(folder, file);
      writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
    },
    async close() {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
