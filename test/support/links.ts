/** Links of pages in Markdown, and whether they lead somewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The text of a page without its blocks of code. */
export function readPage(file: string): string {
  return readFileSync(file, 'utf8').replace(/^ *```[^]*?^ *```/gm, '');
}

/** Where the links of a text lead, but for those to the web. */
export const targets = (text: string) =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to).filter((to) => !/^https?:/.test(to));

/** The anchors of a page, as GitHub makes them of its headings. */
const anchors = (file: string) =>
  [...readPage(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );

/** The links of a page (a path from `root`) that lead nowhere. `found` says where a path really lies. */
export function deadLinks(root: string, page: string, found = (path: string) => path): readonly string[] {
  return targets(readPage(join(root, page))).filter((target) => {
    const [path = '', anchor] = target.split('#');
    const file = join(root, path === '' ? page : found(join(dirname(page), path)));
    return !existsSync(file) || (anchor !== undefined && !anchors(file).includes(anchor));
  });
}
