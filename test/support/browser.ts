import './browser-libraries.ts';
import packed from '@sparticuz/chromium';
import { chromium, type Browser } from 'playwright-core';

/**
 * The browser that comes with the packages, or the one that CHROMIUM_PATH names. Without the package's own arguments:
 * they are for scraping in a Lambda, and switch off what pages rely on, such as the same-origin policy.
 */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_PATH'] ?? (await packed.executablePath());
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
}
