/**
 * Parses a small subset of ECMAScript's patterns, for which backtracking.ts can count steps. Only for tests: a second
 * opinion on the patterns of a policy, in addition to the library that judges them.
 */
import { charOf, type CharSet, charSet, complement, DIGITS, NOT_LINE_END, SPACE, union, WORD } from './char-set.ts';

export type PatternNode =
  | { readonly is: 'char'; readonly set: CharSet }
  | { readonly is: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly is: 'choice'; readonly branches: readonly PatternNode[] }
  | { readonly is: 'repeat'; readonly body: PatternNode; readonly min: number; readonly max: number }
  | { readonly is: 'capture'; readonly body: PatternNode };

/** Why a policy must not use a text as a pattern. */
export class PatternFault extends Error {}

const SYNTAX_CHARACTERS = '^$\\.*+?()[]{}|/';
const ESCAPES: Readonly<Record<string, CharSet>> = { d: DIGITS, w: WORD, s: SPACE };
export const LONGEST_PATTERN = 512;

/** Parses the whole of `^...$`. Throws PatternFault. */
export function parsePattern(source: string): PatternNode {
  if (source.length > LONGEST_PATTERN) throw new PatternFault(`is longer than ${LONGEST_PATTERN} characters`);
  if (!source.startsWith('^')) throw new PatternFault('must be anchored: it must begin with ^');
  const chars = [...source];
  let at = 1;
  const node = choice(true);
  if (chars[at] !== '$' || at !== chars.length - 1) {
    throw new PatternFault(
      chars.includes('$', at) ? `has an unexpected ${shown(chars[at])}` : 'must be anchored: it must end with $',
    );
  }
  return node;

  function choice(top: boolean): PatternNode {
    const branches = [sequence()];
    while (chars[at] === '|') {
      if (top) throw new PatternFault('has | outside a group, where the anchors bind one side only: write ^(?:a|b)$');
      at += 1;
      branches.push(sequence());
    }
    const [only] = branches;
    return branches.length === 1 && only !== undefined ? only : { is: 'choice', branches };
  }

  function sequence(): PatternNode {
    const parts: PatternNode[] = [];
    for (let char = chars[at]; char !== undefined && !'|)$'.includes(char); char = chars[at]) {
      parts.push(repetition(item(char)));
    }
    return { is: 'sequence', parts };
  }

  function item(char: string): PatternNode {
    at += 1;
    if (char === '(') return group();
    if (char === '[') return { is: 'char', set: characterClass() };
    if (char === '.') return { is: 'char', set: NOT_LINE_END };
    if (char === '\\') return { is: 'char', set: escape('') };
    if (char === '^') throw new PatternFault('has ^ in the middle: write \\^ for the character');
    if (SYNTAX_CHARACTERS.includes(char) && char !== '/') {
      throw new PatternFault(`has ${shown(char)} with nothing before it to repeat: write \\${char} for the character`);
    }
    return { is: 'char', set: charOf(char) };
  }

  function group(): PatternNode {
    const captures = chars[at] !== '?';
    if (!captures) {
      if (chars[at + 1] !== ':') throw new PatternFault('has a group other than ( ) and (?: )');
      at += 2;
    }
    const body = choice(false);
    if (chars[at] !== ')') throw new PatternFault('has a group that is not closed');
    at += 1;
    return captures ? { is: 'capture', body } : body;
  }

  function repetition(body: PatternNode): PatternNode {
    const bounds = quantifier();
    if (bounds === undefined) return body;
    if (chars[at] === '?') throw new PatternFault('has a lazy repetition: leave out the ? after it');
    if ('*+{'.includes(chars[at] ?? ' ')) throw new PatternFault('repeats a repetition');
    const [min, max] = bounds;
    return { is: 'repeat', body, min, max };
  }

  function quantifier(): readonly [number, number] | undefined {
    const char = chars[at];
    if (char === '*' || char === '+' || char === '?') {
      at += 1;
      return char === '?' ? [0, 1] : [char === '*' ? 0 : 1, Infinity];
    }
    if (char !== '{') return undefined;
    const counted = /^\{(\d{1,3})(?:(,)(\d{1,3})?)?\}/.exec(chars.slice(at).join(''));
    if (counted === null) throw new PatternFault('has { that is no count: write {2}, {2,} or {2,5}');
    at += counted[0].length;
    const min = Number(counted[1]);
    const max = counted[2] === undefined ? min : Number(counted[3] ?? Infinity);
    if (max < min || max === 0) throw new PatternFault(`has a count that allows nothing: ${counted[0]}`);
    return [min, max];
  }

  function characterClass(): CharSet {
    const negated = chars[at] === '^';
    if (negated) at += 1;
    const sets: CharSet[] = [];
    while (chars[at] !== ']') {
      const low = classItem();
      const [from] = low;
      if (chars[at] !== '-' || chars[at + 1] === ']') {
        sets.push(low);
        continue;
      }
      at += 1;
      const [to] = classItem();
      if (from?.[0] !== from?.[1] || to?.[0] !== to?.[1] || from === undefined || to === undefined || to[0] < from[0]) {
        throw new PatternFault('has a range in [ ] whose ends are not two characters in order');
      }
      sets.push(charSet([from[0], to[0]]));
    }
    at += 1;
    if (sets.length === 0) throw new PatternFault('has [ ] with nothing in it');
    return negated ? complement(union(...sets)) : union(...sets);
  }

  function classItem(): CharSet {
    const char = chars[at];
    if (char === undefined) throw new PatternFault('has a [ that is not closed');
    at += 1;
    return char === '\\' ? escape('-') : charOf(char);
  }

  function escape(alsoAllowed: string): CharSet {
    const char = chars[at];
    if (char === undefined) throw new PatternFault('ends in the middle of an escape');
    at += 1;
    const named = Object.hasOwn(ESCAPES, char) ? ESCAPES[char] : undefined;
    if (named !== undefined) return named;
    if ((SYNTAX_CHARACTERS + alsoAllowed).includes(char)) return charOf(char);
    throw new PatternFault(`has the escape \\${char}: allowed are \\d, \\w, \\s and escaped punctuation`);
  }
}

function shown(char: string | undefined): string {
  return char === undefined ? 'end' : `"${char}"`;
}
