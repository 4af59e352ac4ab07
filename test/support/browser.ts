import './browser-libraries.ts';
// Loaded for what it does to the environment: it names the folders of its libraries and fonts.
import '@sparticuz/chromium';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions } from 'playwright-core';

/**
 * Starts the browser that comes with the packages, or the one at CHROMIUM_PATH. It does not use the package's own
 * arguments: they are for scraping in a Lambda, and disable what pages rely on, such as the same-origin policy.
 */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_PATH'] ?? (await unpacked());
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
}

/**
 * The packed browser, with its libraries in the temporary folder. The package takes a file that is half unpacked for the
 * browser, and suites begin at the same time, or are stopped in between. So it is unpacked elsewhere and moved when whole.
 */
async function unpacked(): Promise<string> {
  const place = join(tmpdir(), 'chromium');
  if (existsSync(place)) return place;
  const stage = await mkdtemp(`${place}-`);
  const unpack = `import('@sparticuz/chromium').then(({ default: packed }) => packed.executablePath())`;
  await promisify(execFile)(process.execPath, ['-e', unpack], {
    cwd: import.meta.dirname,
    env: { ...process.env, TMPDIR: stage },
  });
  // The browser last: it tells that the rest is there. What another suite has moved meanwhile is the same.
  for (const part of (await readdir(stage)).sort((one) => (one === 'chromium' ? 1 : -1)))
    await rename(join(stage, part), join(tmpdir(), part)).catch(() => undefined);
  await rm(stage, { recursive: true });
  return place;
}

/** A context of its own whose pages wait as long as a busy machine needs: no test is to depend on speed. */
export async function openContext(browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(120_000);
  return context;
}
