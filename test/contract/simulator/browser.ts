import './browser-libraries.ts';
import packed from '@sparticuz/chromium';
import { chromium, type Browser } from 'playwright-core';

/** The browser that comes with the packages, or the one that CHROMIUM_PATH names. */
export async function launchBrowser(): Promise<Browser> {
  const path = process.env['CHROMIUM_PATH'];
  if (path !== undefined) return chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
  // With the package's --single-process, closing a page would close the browser.
  const args = [...packed.args.filter((arg) => arg !== '--single-process'), '--no-sandbox', '--disable-dev-shm-usage'];
  return chromium.launch({ executablePath: await packed.executablePath(), args });
}
