import { buildSync } from 'esbuild';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

test('the client is under 5.1 kB gzipped and imports nothing', () => {
  const { outputFiles } = buildSync({
    entryPoints: [join(import.meta.dirname, '../../../client/token-provider.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2020',
    write: false,
  });
  const [bundle] = outputFiles;
  expect(gzipSync(bundle?.contents ?? '').length).toBeLessThan(5_100);
  expect(bundle?.text).not.toMatch(/\b(import|require)\s*[({'"]/);
  expect(bundle?.text).not.toMatch(/localStorage|sessionStorage|document\.cookie|indexedDB/);
});
