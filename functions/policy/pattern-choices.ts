/**
 * Whether a pattern can be matched without going back: at every place the next character alone says how to go on. Then
 * a backtracking engine tries each wrong turn for one character at most, and the time grows with the length of the text,
 * not with its powers. The condition is that of strongly deterministic content models (Brueggemann-Klein 1993): number
 * the places where the pattern reads a character; those that may come first, and those that may follow any one place,
 * must read disjoint sets of characters, and none may be reached in two ways.
 */
import { type CharSet, common } from './char-set.ts';
import { PatternFault, type PatternNode } from './pattern-syntax.ts';

const MOST_PLACES = 1_000;
const MOST_VARIANTS = 16;

interface Place {
  readonly set: CharSet;
  readonly followers: Place[];
}
interface Part {
  readonly nullable: boolean;
  readonly first: readonly Place[];
  readonly last: readonly Place[];
}

/**
 * Throws PatternFault unless the pattern is matched without going back. Alternatives outside a repetition may overlap:
 * they multiply the time by their number, which is bounded, so each combination of them is judged by itself.
 */
export function requireNoBacktracking(pattern: PatternNode): void {
  if (conflictIn(pattern) === undefined) return;
  const variants = variantsOf(pattern);
  if (variants.length > MOST_VARIANTS) {
    throw new PatternFault(`has ${variants.length} combinations of overlapping alternatives; at most ${MOST_VARIANTS}`);
  }
  for (const variant of variants) {
    const conflict = conflictIn(variant);
    if (conflict === undefined) continue;
    throw new PatternFault(
      `can backtrack: after the same beginning, ${JSON.stringify(String.fromCodePoint(conflict))} may be read by two ` +
        'parts of it. Let a repeated part exclude the character that ends it, as in ^([^@]+)@example[.]com$',
    );
  }
}

/** A character that two places compete for, undefined if there is none. */
function conflictIn(pattern: PatternNode): number | undefined {
  const places: Place[] = [];
  const { first } = build(pattern);
  for (const rivals of [first, ...places.map(({ followers }) => followers)]) {
    const clash = clashIn(rivals);
    if (clash !== undefined) return clash;
  }
  return undefined;

  function build(node: PatternNode): Part {
    switch (node.is) {
      case 'char': {
        const place: Place = { set: node.set, followers: [] };
        if (places.push(place) > MOST_PLACES) {
          throw new PatternFault(`is too large: its counts make more than ${MOST_PLACES} places`);
        }
        return { nullable: false, first: [place], last: [place] };
      }
      case 'capture':
        return build(node.body);
      case 'sequence':
        return node.parts.map(build).reduce(joined, EMPTY);
      case 'choice': {
        const parts = node.branches.map(build);
        return {
          nullable: parts.some(({ nullable }) => nullable),
          first: parts.flatMap(({ first: heads }) => heads),
          last: parts.flatMap(({ last }) => last),
        };
      }
      case 'repeat':
        return repeated(node);
    }
  }

  /** `x{2,4}` is x(x(x(x)?)?): as many copies as it has turns, of which those past the minimum may be left out. */
  function repeated({ body, min, max }: Extract<PatternNode, { is: 'repeat' }>): Part {
    const turns = max === Infinity ? Math.max(min, 1) : max;
    const copies: Part[] = [];
    for (let turn = 0; turn < turns; turn += 1) {
      const copy = build(body);
      if (copy.nullable) throw new PatternFault('repeats something that may be empty');
      const before = copies.at(-1);
      if (before !== undefined) link(before.last, copy.first);
      copies.push(copy);
    }
    const final = copies.at(-1);
    if (max === Infinity && final !== undefined) link(final.last, final.first);
    return {
      nullable: min === 0,
      first: copies[0]?.first ?? [],
      last: copies.slice(Math.max(min, 1) - 1).flatMap(({ last }) => last),
    };
  }
}

const EMPTY: Part = { nullable: true, first: [], last: [] };

function joined(a: Part, b: Part): Part {
  link(a.last, b.first);
  return {
    nullable: a.nullable && b.nullable,
    first: a.nullable ? [...a.first, ...b.first] : a.first,
    last: b.nullable ? [...a.last, ...b.last] : b.last,
  };
}

function link(from: readonly Place[], to: readonly Place[]): void {
  for (const place of from) {
    // Twice the same follower is two ways to get there, as in (?:a+)+, and counts as a conflict.
    place.followers.push(...to);
  }
}

function clashIn(rivals: readonly Place[]): number | undefined {
  for (const [index, place] of rivals.entries()) {
    for (const rival of rivals.slice(index + 1)) {
      const char = common(place.set, rival.set);
      if (char !== undefined) return char;
    }
  }
  return undefined;
}

/** Every way to settle the alternatives and optional parts that no repetition encloses. */
function variantsOf(node: PatternNode): readonly PatternNode[] {
  switch (node.is) {
    case 'char':
      return [node];
    case 'capture':
      return variantsOf(node.body);
    case 'choice':
      return node.branches.flatMap(variantsOf);
    case 'repeat':
      return node.max === 1 ? [...variantsOf(node.body), { is: 'sequence', parts: [] }] : [node];
    case 'sequence':
      return node.parts.reduce<readonly PatternNode[]>(
        (heads, part) => {
          const tails = variantsOf(part);
          if (heads.length * tails.length > 64 * MOST_VARIANTS) return heads;
          return heads.flatMap((head) => tails.map((tail): PatternNode => ({ is: 'sequence', parts: [head, tail] })));
        },
        [{ is: 'sequence', parts: [] }],
      );
  }
}
