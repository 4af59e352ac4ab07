import { gzipSync } from 'node:zlib';
import { bundleClient } from '../../../client/build.ts';

test('the client is at most 4 kB gzipped, with its banner, imports nothing and stores nothing', async () => {
  const file = (await bundleClient()).find(({ path }) => path.endsWith('client.js'));
  const text = file?.text ?? '';
  expect(gzipSync(text, { level: 9 }).length).toBeLessThanOrEqual(4_096);
  expect(text).toMatch(/^\/\*! .*Apache-2\.0 \*\//);
  expect(text).not.toMatch(/\b(import|require)\s*[({'"]/);
  expect(text).not.toMatch(/localStorage|sessionStorage|document\.cookie|indexedDB/);
});
