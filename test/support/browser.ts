import './browser-libraries.ts';
import packed from '@sparticuz/chromium';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions } from 'playwright-core';

/**
 * Starts the browser that comes with the packages, or the one at CHROMIUM_PATH. It does not use the package's own
 * arguments: they are for scraping in a Lambda, and disable what pages rely on, such as the same-origin policy.
 */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_PATH'] ?? (await packed.executablePath());
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
}

/** A context of its own whose pages wait as long as a busy machine needs: no test is to depend on speed. */
export async function openContext(browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(120_000);
  return context;
}
