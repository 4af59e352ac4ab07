import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
/** Copies that the package of the construct carries. */
const PACKED = /^infra\/cdk\/docs\//;
const pages = globSync('**/*.md', {
  cwd: ROOT,
  exclude: (name) => /^\.|^(node_modules|dist|cdk\.out|reports)$/.test(name),
}).filter((page) => !PACKED.test(page));
const readme = read('README.md');

/** The text of a page without its blocks of code. */
function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8').replace(/^ *```[^]*?^ *```/gm, '');
}
const targets = (text: string) =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to).filter((to) => !/^https?:/.test(to));
/** The anchors of a page, as GitHub makes them of its headings. */
const anchors = (page: string) =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );

test.each(pages)('every link of %s leads somewhere', (page) => {
  const dead = targets(read(page)).filter((target) => {
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : join(dirname(page), path).replace(PACKED, 'docs/');
    return !existsSync(join(ROOT, file)) || (anchor !== undefined && !anchors(file).includes(anchor));
  });
  expect(dead).toEqual([]);
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
