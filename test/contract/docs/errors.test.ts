import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEMS } from '../../../functions/contract/problems.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8');
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...text] = section.split('\n');
      return [heading, text.join('\n').trim()] as const;
    }),
);

describe('docs/errors.md', () => {
  test('has a heading for each problem code, in the order of the contract, and no other', () => {
    expect([...sections.keys()]).toEqual(Object.keys(PROBLEMS));
  });

  test.each(Object.entries(PROBLEMS))('tells the status, the cause and the cure of %s', (code, { status, retry }) => {
    const text = sections.get(code) ?? '';
    expect(text).toMatch(new RegExp(`^Status ${status}\\. \\*\\*Cause:\\*\\* \\S`));
    expect(text).toMatch(/\n\*\*Cure:\*\* \S/);
    // What says that it may succeed later says what to do until then.
    if (retry) expect(text).toMatch(/retry|operators/i);
  });
});
