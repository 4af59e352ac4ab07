/**
 * `npm run screenshots`: pictures of the demo page for the documents, and of demo and examples in every width and theme to
 * look at (`--all`, into .cache/screenshots). Taken of the running local set.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stop as stopBundler } from 'esbuild';
import type { Page } from 'playwright-core';
import { readArguments } from '../../local/command.ts';
import { startLocalBroker } from '../../local/local-broker.ts';
import { startProgress } from '../../local/progress.ts';
import { launchBrowser } from '../support/browser.ts';

const HELP = `Takes pictures of the demo page for the documents (docs/images).

  npm run screenshots [-- --all]

  --all    of demo and examples too, in every width and theme, into .cache/screenshots
  --help   this text
`;
const { values: asked } = readArguments(HELP, { all: { type: 'boolean' } });

const root = join(import.meta.dirname, '..', '..');
const [documents, all] = [join(root, 'docs', 'images'), join(root, '.cache', 'screenshots')];

interface Shot {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly colorScheme: 'light' | 'dark';
  readonly address: string;
  readonly fullPage?: boolean;
}

/** The folder of each example, how its server starts, and where it listens. */
const EXAMPLES = {
  'vite-react': { args: [join(root, 'node_modules/vite/bin/vite.js'), '--port', '5173', '--strictPort'], port: 5173 },
  plain: { args: ['serve.js'], port: 5174 },
} as const;

function shots(broker: string): readonly Shot[] {
  const demo = (file: string, width: number, height: number, colorScheme: 'light' | 'dark', query: string): Shot => ({
    path: join(documents, file),
    width,
    height,
    colorScheme,
    address: `${broker}/${query}`,
  });
  if (asked.all !== true)
    return [
      demo('demo-desktop.png', 1440, 1180, 'light', '?user=alice&grant=regional'),
      demo('demo-dark.png', 1440, 1180, 'dark', '?user=carol'),
    ];
  const pages = Object.entries({
    demo: `${broker}/?user=alice`,
    'vite-react': `http://localhost:${EXAMPLES['vite-react'].port}/`,
    plain: `http://localhost:${EXAMPLES.plain.port}/`,
  });
  return pages.flatMap(([name, address]) =>
    [390, 1440].flatMap((width) =>
      (['light', 'dark'] as const).map((colorScheme) => {
        const path = join(all, `${name}-${width}-${colorScheme}.png`);
        return { path, width, height: 900, colorScheme, address, fullPage: true };
      }),
    ),
  );
}

async function boardIsThere(page: Page): Promise<void> {
  await page.frameLocator('iframe').getByTestId('status').getByText('Signed in').waitFor();
  if ((await page.locator('#leases').count()) === 0) return;
  await page.getByRole('region', { name: 'Live leases' }).getByText('live').first().waitFor();
}

/** Starts the examples' servers against this broker; the answer stops them. */
async function startExamples(addresses: Readonly<Record<string, string>>): Promise<() => void> {
  const children = Object.entries(EXAMPLES).map(([name, { args }]) => {
    const env = { ...process.env, ...addresses };
    return spawn(process.execPath, args, {
      cwd: join(root, 'examples', name),
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  });
  await Promise.all(children.map(({ stdout }) => once(stdout, 'data')));
  return () => children.forEach((child) => child.kill());
}

async function take(): Promise<void> {
  const allowOrigins = Object.values(EXAMPLES).map(({ port }) => `http://localhost:${port}`);
  const broker = await startLocalBroker({ sweepEveryMs: null, allowOrigins });
  const browser = await launchBrowser();
  const list = shots(broker.url);
  const progress = startProgress({ total: list.length, title: 'screenshots' });
  const { thoughtspot = '', issuer = '' } = broker.addresses();
  const where = { BROKER: broker.url, THOUGHTSPOT: thoughtspot, ISSUER: issuer };
  const stop = asked.all
    ? await startExamples({ ...where, ...Object.fromEntries(Object.entries(where).map(([k, v]) => [`VITE_${k}`, v])) })
    : () => undefined;
  for (const folder of [documents, all]) mkdirSync(folder, { recursive: true });
  try {
    // Some traffic, so that the chart has something to show.
    for (const user of ['alice', 'bob', 'carol', 'mallory', 'alice', 'carol', 'bob', 'alice']) {
      const authorization = `Bearer ${await broker.issuer.accessToken(user)}`;
      await fetch(`${broker.url}/gettoken`, { method: 'POST', headers: { authorization } });
    }
    for (const [index, { path, width, height, colorScheme, address, fullPage = false }] of list.entries()) {
      progress.update(index, relative(root, path));
      const context = await browser.newContext({ viewport: { width, height }, colorScheme });
      const page = await context.newPage();
      await page.goto(address);
      await boardIsThere(page);
      await page.screenshot({ path, fullPage });
      await context.close();
    }
    progress.update(list.length);
  } finally {
    progress.end();
    stop();
    await browser.close();
    await broker.close();
    await stopBundler();
  }
  process.stdout.write(`Written: ${list.map(({ path }) => relative(root, path)).join(', ')}\n`);
}

await take();
