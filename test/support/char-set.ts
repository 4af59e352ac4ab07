/** A set of Unicode code points: ordered ranges that include both ends and do not touch each other. */
export type CharSet = readonly (readonly [low: number, high: number])[];

const LAST = 0x10ffff;

export function charSet(...ranges: readonly (readonly [number, number])[]): CharSet {
  const merged: [number, number][] = [];
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const top = merged.at(-1);
    if (top !== undefined && low <= top[1] + 1) top[1] = Math.max(top[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

/** The first code point of a text. */
export function charOf(text: string): CharSet {
  const code = text.codePointAt(0) ?? 0;
  return [[code, code]];
}

export function complement(set: CharSet): CharSet {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [low, high] of set) {
    if (low > next) rest.push([next, low - 1]);
    next = high + 1;
  }
  if (next <= LAST) rest.push([next, LAST]);
  return rest;
}

export function union(...sets: readonly CharSet[]): CharSet {
  return charSet(...sets.flat());
}

/** A code point that is in both sets; undefined if they are disjoint. */
export function common(a: CharSet, b: CharSet): number | undefined {
  for (const [low, high] of a) {
    for (const [otherLow, otherHigh] of b) {
      if (low <= otherHigh && otherLow <= high) return Math.max(low, otherLow);
    }
  }
  return undefined;
}

export function charsOf(text: string): CharSet {
  return union(...[...text].map(charOf));
}

const single = (code: number): readonly [number, number] => [code, code];

/** The sets that the escapes and the dot of a pattern stand for (ECMAScript, flag `u`). */
export const DIGITS: CharSet = charSet([0x30, 0x39]);
export const WORD: CharSet = charSet([0x30, 0x39], [0x41, 0x5a], single(0x5f), [0x61, 0x7a]);
export const SPACE: CharSet = charSet(
  [0x09, 0x0d],
  ...[0x20, 0xa0, 0x1680, 0x202f, 0x205f, 0x3000, 0xfeff].map(single),
  [0x2000, 0x200a],
  [0x2028, 0x2029],
);
export const NOT_LINE_END: CharSet = complement(charSet(...[0x0a, 0x0d, 0x2028, 0x2029].map(single)));
export const ANY: CharSet = charSet([0, LAST]);
