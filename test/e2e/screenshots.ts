/** `npm run screenshots`: pictures of the demo page for the documents, taken of the running local set. */
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stop as stopBundler } from 'esbuild';
import { startLocalBroker } from '../../local/local-broker.ts';
import { startProgress } from '../../local/progress.ts';
import { launchBrowser } from '../support/browser.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'docs', 'images');

const SHOTS = [
  { file: 'demo-desktop.png', width: 1440, height: 1180, colorScheme: 'light', query: '?user=alice&grant=regional' },
  { file: 'demo-phone.png', width: 390, height: 844, colorScheme: 'light', query: '?user=bob' },
  { file: 'demo-dark.png', width: 1440, height: 1180, colorScheme: 'dark', query: '?user=carol' },
] as const;

async function take(): Promise<void> {
  const broker = await startLocalBroker({ sweepEveryMs: null });
  const browser = await launchBrowser();
  const progress = startProgress({ total: SHOTS.length, title: 'screenshots' });
  mkdirSync(folder, { recursive: true });
  try {
    // Some traffic, so that the chart has something to show.
    for (const user of ['alice', 'bob', 'carol', 'mallory', 'alice', 'carol', 'bob', 'alice']) {
      const authorization = `Bearer ${await broker.issuer.accessToken(user)}`;
      await fetch(`${broker.url}/gettoken`, { method: 'POST', headers: { authorization } });
    }
    for (const [index, { file, width, height, colorScheme, query }] of SHOTS.entries()) {
      progress.update(index, file);
      const context = await browser.newContext({ viewport: { width, height }, colorScheme });
      const page = await context.newPage();
      await page.goto(`${broker.url}/${query}`);
      await page.frameLocator('#embed iframe').getByTestId('status').getByText('Signed in').waitFor();
      await page.getByRole('region', { name: 'Live leases' }).getByText('live').first().waitFor();
      await page.screenshot({ path: join(folder, file) });
      await context.close();
    }
    progress.update(SHOTS.length);
  } finally {
    progress.end();
    await browser.close();
    await broker.close();
    await stopBundler();
  }
  process.stdout.write(`Written: ${SHOTS.map(({ file }) => relative(root, join(folder, file))).join(', ')}\n`);
}

await take();
