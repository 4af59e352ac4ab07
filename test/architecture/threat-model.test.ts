import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'docs/threat-model.md'), 'utf8');
const rows = [...text.matchAll(/^\|\s*(T\d+)\s*\|.*\|\s*(test\/[\w/.-]+): (.+?)\s*\|$/gm)].map(
  ([, threat = '', file = '', name = '']) => [threat, file, name] as const,
);

describe('docs/threat-model.md', () => {
  test('lists every threat of its diagram, each once', () => {
    const diagram = /```mermaid([\s\S]*?)```/.exec(text)?.[1] ?? '';
    const drawn = new Set([...diagram.matchAll(/\bT\d+\b/g)].map(([threat]) => threat));
    expect(rows.map(([threat]) => threat).sort()).toEqual([...drawn].sort());
  });

  test.each(rows)('%s has its proof in %s: %s', (_threat, file, name) => {
    const names = [
      ...readFileSync(join(root, file), 'utf8').matchAll(/(?:test|it|describe)[\w.]*[^'"`]*?\(\s*(['"`])(.+?)\1/g),
    ];
    expect(names.map(([, , found]) => found)).toContain(name);
  });
});
