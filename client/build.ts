/**
 * Builds the package into dist/: `client.js`, one ES module for pages and bundlers, the React bindings, their source maps
 * and types. Prints the size and the integrity of client.js, for `<script type="module" integrity="…">`.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type BuildOptions, type OutputFile } from 'esbuild';
import manifest from './package.json' with { type: 'json' };

const HERE = import.meta.dirname;
const DIST = join(HERE, 'dist');

/** Names that only the client's own modules use. */
const OWN = /^(accessToken|alone|askForToken|current|end|enter|onSignedOut|post|publish|revoke|send|since|tell)$/;

const OPTIONS = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2020',
  sourcemap: 'linked',
  write: false,
  logLevel: 'silent',
  banner: { js: `/*! ThoughtSpot token broker, ${manifest.license} */` },
} as const satisfies BuildOptions;

/** client.js and its source map. Throws esbuild's BuildFailure. */
export async function bundleClient(): Promise<readonly OutputFile[]> {
  const entryPoints = { client: join(HERE, 'token-provider.ts') };
  return (await build({ ...OPTIONS, mangleProps: OWN, entryPoints, outdir: DIST })).outputFiles;
}

/** For the attribute `integrity` (Subresource Integrity). */
export function integrityOf(contents: Uint8Array): string {
  return `sha384-${createHash('sha384').update(contents).digest('base64')}`;
}

async function bundleReact(): Promise<readonly OutputFile[]> {
  const entryPoints = { react: join(HERE, 'react.tsx') };
  const bindings = await build({ ...OPTIONS, jsx: 'automatic', external: ['react'], entryPoints, outdir: DIST });
  return bindings.outputFiles;
}

async function main(): Promise<void> {
  rmSync(DIST, { recursive: true, force: true });
  mkdirSync(DIST);
  const files = [...(await bundleClient()), ...(await bundleReact())];
  for (const { path, contents } of files) writeFileSync(path, contents);
  const typescript = join(HERE, '..', 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [typescript, '-p', HERE], { stdio: 'inherit' });
  // TypeScript renames imports in the code that it writes, but not in declarations.
  for (const name of readdirSync(DIST).filter((file) => file.endsWith('.d.ts'))) {
    const text = readFileSync(join(DIST, name), 'utf8');
    writeFileSync(join(DIST, name), text.replace(/(from '\.\/[a-z-]+)\.tsx?'/g, "$1.js'"));
  }
  copyFileSync(join(HERE, '..', 'LICENSE'), join(HERE, 'LICENSE'));
  const client = readFileSync(join(DIST, 'client.js'));
  process.stdout.write(
    `dist/client.js: ${gzipSync(client, { level: 9 }).length} bytes gzipped, integrity ${integrityOf(client)}\n`,
  );
}

if (process.argv[1] === import.meta.filename) void main();
