import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'docs/threat-model.md'), 'utf8');
/** The cells of the table under a heading, row by row. */
function tableUnder(heading: string): string[][] {
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
const threats = tableUnder('Threats');
const practice = tableUnder('Against RFC 9700');
const proofs = [...threats, ...practice].map((cells) => [cells[0] ?? '', cells.at(-1) ?? ''] as const);

describe('docs/threat-model.md', () => {
  test('lists every threat of its diagram, each once', () => {
    const diagram = /```mermaid([\s\S]*?)```/.exec(text)?.[1] ?? '';
    const drawn = new Set([...diagram.matchAll(/\bT\d+\b/g)].map(([threat]) => threat));
    expect(threats.map(([threat]) => threat).sort()).toEqual([...drawn].sort());
  });

  test('says of every threat what kind it is, and what ASVS asks', () => {
    const kinds = tableUnder('What kind of threat, and what ASVS asks');
    expect(kinds.map(([threat]) => threat)).toEqual(threats.map(([threat]) => threat));
    for (const [, letters, asks] of kinds) {
      expect(letters).toMatch(/^[STRIDE](, [STRIDE])*$/);
      expect(asks).toMatch(/^(V\d+\.\d+\.\d+ |none that fits$)/);
    }
  });

  test('goes through RFC 9700 section by section', () => {
    expect(practice.length).toBeGreaterThan(0);
    for (const [section] of practice) expect(section).toMatch(/^[24](\.\d+){1,2}$/);
  });

  test.each(proofs)('%s has its proof: %s', (_row, proof) => {
    const [, file = '', name = ''] = /^(test\/[\w/.-]+): (.+)$/.exec(proof) ?? [];
    // What stands before a function as the first argument: a name of a test, also of one with a table.
    const names = readFileSync(join(root, file), 'utf8').matchAll(/\(\s*(['"`])(.+?)\1,\s*(?:async\s*)?(?:\(|\w+ =>)/g);
    expect([...names].map(([, , found]) => found)).toContain(name);
  });
});
