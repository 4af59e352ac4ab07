/**
 * How the floors are built, and the bundle "as before": the options that bundles had on 2026-11-25. They stay as they are, so that
 * slimmer bundles cannot make a floor, and with it every ratio, look different.
 */
import path from 'node:path';
import { build } from 'esbuild';

const ROOT = path.join(import.meta.dirname, '..', '..');

/** Builds each file (a path from the project's root, or absolute) into `<folder>/<name>/main.cjs`. */
export async function buildFrozen(entries: Readonly<Record<string, string>>, folder: string): Promise<void> {
  await build({
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minify: true,
    legalComments: 'none',
    mainFields: ['module', 'main'],
    charset: 'utf8',
    logLevel: 'warning',
    define: { esbuildDetection: 'true', 'process.env.JEST_WORKER_ID': 'undefined' },
    external: ['../llhttp/llhttp-wasm.js', '@smithy/core/event-streams'],
    alias: { '@aws-sdk/credential-provider-node': './functions/wiring/environment-credentials.ts' },
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, file]) => [`${name}/main`, file])),
    outdir: folder,
    outExtension: { '.js': '.cjs' },
  });
}
