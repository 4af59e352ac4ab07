import { fold } from '../../../functions/policy/fold.ts';

test('every letter folds to what its upper case, its lower case and its compatible form fold to, and folding is idempotent', () => {
  const apart: string[] = [];
  for (let code = 0; code <= 0x10ffff; code += 1) {
    const letter = String.fromCodePoint(code);
    const same = [letter.toUpperCase(), letter.toLowerCase(), letter.normalize('NFKC'), fold(letter)];
    if (same.some((other) => fold(other) !== fold(letter))) apart.push(code.toString(16));
  }
  expect(apart).toEqual([]);
});

test.each(['i', 'I', '\u0131', '\u0130', 'i\u0307', 'I\u0307', '\u0131\u0307', '\uff29', ' i '])(
  '%j folds to i',
  (letter) => {
    expect(fold(letter)).toBe('i');
  },
);

test.each([
  ['alice', 'alicia'],
  ['jose', 'jos\u00e9'],
])('%s and %s stay apart', (one, other) => {
  expect(fold(one)).not.toBe(fold(other));
});
