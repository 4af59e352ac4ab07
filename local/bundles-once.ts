/**
 * Bundles for this machine. What esbuild made of the same sources lies in .cache, by a digest of them, and is copied from
 * there: a tenth of the time. Nothing that is deployed comes this way.
 */
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundleFiles, PROJECT_ROOT } from '../infra/bundles.ts';

const CACHE = path.join(PROJECT_ROOT, '.cache', 'bundles');
/** What decides about a bundle besides the sources that it is made of. */
const SETTINGS = ['package-lock.json', 'infra/bundles.ts', 'functions/contract/bundle.ts'];
const KEPT_MS = 3_600_000;

const fromRoot = (file: string) => path.join(PROJECT_ROOT, file);

/** A name for the contents of these files; undefined if one is gone. */
async function digestOf(files: readonly string[], seed = ''): Promise<string | undefined> {
  const hash = createHash('sha256').update(seed);
  try {
    for (const file of files) hash.update(`${file}\0`).update(await readFile(fromRoot(file)));
  } catch {
    return undefined;
  }
  return hash.digest('hex').slice(0, 32);
}

/** Whether all are as they were before `time`, epoch ms. What changes while it is bundled is not kept. */
async function olderThan(time: number, files: readonly string[]): Promise<boolean> {
  const found = await Promise.all(files.map((file) => stat(fromRoot(file))));
  return found.every(({ mtimeMs }) => mtimeMs < time);
}

async function forgetOld(): Promise<void> {
  for (const name of await readdir(CACHE)) {
    const { mtimeMs } = await stat(path.join(CACHE, name));
    if (Date.now() - mtimeMs > KEPT_MS) await rm(path.join(CACHE, name), { recursive: true, force: true });
  }
}

/** As `bundleFiles`, into `folder`, and rejects as it does. Parallel calls, of other processes too, do no harm. */
export async function bundleFilesOnce(entries: Readonly<Record<string, string>>, folder: string): Promise<void> {
  const key = (await digestOf(SETTINGS, JSON.stringify(entries))) ?? '';
  try {
    await mkdir(CACHE, { recursive: true });
  } catch {
    return void (await bundleFiles(entries, folder)); // A checkout that only others may write.
  }
  const list = path.join(CACHE, `${key}.json`);
  const kept = (digest: string) => path.join(CACHE, `${key}-${digest}`);
  try {
    const before = await digestOf(JSON.parse(await readFile(list, 'utf8')) as string[]);
    if (before !== undefined) return await cp(kept(before), folder, { recursive: true });
  } catch {
    // Never made, or forgotten: it is made now.
  }

  const startedAt = Date.now();
  const made = await mkdtemp(kept('unfinished-'));
  try {
    const { inputs } = await bundleFiles(entries, made);
    await cp(made, folder, { recursive: true });
    const own = Object.keys(inputs).filter((file) => !file.includes('node_modules/'));
    const now = await digestOf(own);
    if (now === undefined || !(await olderThan(startedAt, own))) return;
    await writeFile(path.join(made, 'inputs.json'), JSON.stringify(own));
    await rename(path.join(made, 'inputs.json'), list);
    await rename(made, kept(now)).catch(() => undefined); // Somebody else was quicker.
    await forgetOld().catch(() => undefined); // Others forget too.
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
