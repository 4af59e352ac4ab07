import { globSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { deadLinks, readPage, targets } from '../../support/links.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** Copies that the package of the construct carries. */
const PACKED = /^infra\/cdk\/docs\//;
const pages = globSync('**/*.md', {
  cwd: ROOT,
  exclude: (name) => /^\.|^(node_modules|dist|cdk\.out|reports)$/.test(name),
}).filter((page) => !PACKED.test(page));
const readme = readPage(join(ROOT, 'README.md'));

test.each(pages)('every link of %s leads somewhere', (page) => {
  expect(deadLinks(ROOT, page, (path) => path.replace(PACKED, 'docs/'))).toEqual([]);
});

test('the README links every document', () => {
  const documents = readdirSync(join(ROOT, 'docs')).filter((name) => /\.(md|yaml)$/.test(name));
  const linked = targets(readme).map((target) => target.split('#')[0]);
  expect(linked).toEqual(expect.arrayContaining(documents.map((name) => `docs/${name}`)));
  expect(linked).toEqual(expect.arrayContaining(pages.filter((page) => /^(client|local)/.test(page))));
  expect(linked).toEqual(expect.arrayContaining(['CONTRIBUTING.md', 'CHANGELOG.md', 'docs/adr']));
});

test('the README names no document without a link to it', () => {
  const unlinked = readme.replace(/\[[^\]]*\]\([^)]*\)/g, '');
  expect(unlinked.match(/[\w/-]+\.(md|yaml)\b/g)).toBeNull();
});
