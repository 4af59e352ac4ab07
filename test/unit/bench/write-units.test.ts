import { readFileSync } from 'node:fs';
import { itemBytes, lifeOf } from '../../../bench/write-units.ts';

test('an item is as large as DynamoDB says that it is', () => {
  // Developer guide, "DynamoDB item sizes and formats": names and UTF-8 values; numbers by digits; 3 bytes for a map, 1 for each in it.
  expect(itemBytes({ pk: 'ü', n: 27, flag: true, bytes: new Uint8Array(10), map: { a: 'b' } })).toBe(
    2 + 2 + (1 + 2) + (4 + 1) + (5 + 10) + (3 + 3 + 1 + 1 + 1),
  );
});

test('a token of 400 characters costs no more than one of 250', () => {
  expect(lifeOf(400).liveBytes).toBeLessThan(1_024);
  expect(lifeOf(400)).toMatchObject({ ...lifeOf(250), liveBytes: expect.any(Number) as number });
});

test('the costs in docs/deploy.md are those of the rows that the ledger writes', () => {
  const text = readFileSync('docs/deploy.md', 'utf8');
  const rows = [...text.matchAll(/^\| ([\d,]+) +\| ([\d,]+) bytes +\| (\d+) +\| (\d+) +\| (\d+) +\| ([\d.]+) +\|$/gm)];
  expect(rows.map((row) => row.slice(1).map((cell) => Number(cell.replace(',', ''))))).toEqual(
    [250, 1_000, 4_000].map((characters) => {
      const { liveBytes, minted, revoked, expired } = lifeOf(characters);
      // The mark in the ring of the caller's mints.
      const mint = minted + 1;
      return [characters, liveBytes, mint, revoked, expired, Number(((mint + revoked) * 0.625).toFixed(2))];
    }),
  );
});
