/**
 * Builds the package into dist/: the construct as one CommonJS file with an ES module before it, so that both kinds of apps
 * have the same class, its types, the bundles of the functions, and the licences of what is in all these. The documents to
 * which alarms and errors refer lie in docs/.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import type { Metafile } from 'esbuild';
import { buildFunctions, bundleFiles, PROJECT_ROOT } from '../bundles.ts';

const HERE = import.meta.dirname;
const DIST = path.join(HERE, 'dist');
const DOCS = path.join(HERE, 'docs');

async function bundleConstruct(): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: PROJECT_ROOT,
    entryPoints: { 'token-broker': 'infra/token-broker.ts' },
    outdir: DIST,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    external: ['aws-cdk-lib', 'constructs', 'typescript'],
    define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  writeFileSync(path.join(DIST, 'token-broker.js'), "export { TokenBroker } from './token-broker.cjs';\n");
  return metafile;
}

/** Keeps the declarations that the construct's own one leads to, with the endings that CommonJS has. */
function declare(): void {
  const typescript = path.join(PROJECT_ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [typescript, '-p', HERE], { stdio: 'inherit' });
  const all = path.join(DIST, 'types');
  const kept = new Map<string, string>();
  const waiting = [path.join(all, 'infra', 'token-broker.d.ts')];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (kept.has(file)) continue;
    const text = readFileSync(file, 'utf8');
    for (const [, to = ''] of text.matchAll(/from '(\.[^']+)\.ts'/g))
      waiting.push(path.join(path.dirname(file), `${to}.d.ts`));
    kept.set(file, text.replace(/(from '\.[^']+)\.ts'/g, "$1.cjs'"));
  }
  rmSync(all, { recursive: true });
  for (const [file, text] of kept) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file.replace(/\.d\.ts$/, '.d.cts'), text);
  }
  for (const ending of ['.d.ts', '.d.cts'])
    writeFileSync(path.join(DIST, `token-broker${ending}`), "export * from './types/infra/token-broker.cjs';\n");
}

/** The licence of every package that is in the output, each once. */
function licences(metafiles: readonly Metafile[]): string {
  const inputs = metafiles
    .flatMap(({ outputs }) => Object.values(outputs))
    .flatMap((one) => Object.entries(one.inputs));
  const folders = inputs.flatMap(([file, { bytesInOutput }]) =>
    bytesInOutput > 0 ? (/^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []) : [],
  );
  return [...new Set(folders)]
    .sort()
    .map((folder) => {
      const at = path.join(PROJECT_ROOT, folder);
      const { name, version, license } = JSON.parse(readFileSync(path.join(at, 'package.json'), 'utf8')) as Record<
        string,
        string
      >;
      const file = readdirSync(at).find((one) => /^licen[cs]e/i.test(one));
      return `${name} ${version}, ${license}\n\n${file ? readFileSync(path.join(at, file), 'utf8').trim() : ''}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** A link to a file of the project, in a page of docs/. */
const LINK = /!?\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)([^)\s]*)\)/g;

/** The link in the package, which holds its own README and the pages themselves; of anything else, the words and the place. */
function packedLink(link: string, [words = '', target = '', anchor = '']: readonly string[]): string {
  const file = path.join('docs', target);
  if (file === path.join('infra', 'cdk', 'README.md')) return `[${words}](../README.md${anchor})`;
  return packed.some((name) => path.join('docs', name) === file) ? link : `${words} (${file} in the project)`;
}

for (const folder of [DIST, DOCS]) rmSync(folder, { recursive: true, force: true });
mkdirSync(DIST);
const functions = await buildFunctions(path.join(DIST, 'functions'), bundleFiles);
writeFileSync(path.join(DIST, 'LICENCES.txt'), licences([functions, await bundleConstruct()]));
declare();
const documents = path.join(PROJECT_ROOT, 'docs');
const packed = readdirSync(documents).filter((one) => /\.(md|json|yaml)$/.test(one));
for (const name of packed) cpSync(path.join(documents, name), path.join(DOCS, name));
for (const name of packed.filter((one) => one.endsWith('.md'))) {
  const text = readFileSync(path.join(DOCS, name), 'utf8');
  writeFileSync(
    path.join(DOCS, name),
    text.replace(LINK, (link, ...groups: string[]) => packedLink(link, groups)),
  );
}
cpSync(path.join(PROJECT_ROOT, 'LICENSE'), path.join(HERE, 'LICENSE'));
