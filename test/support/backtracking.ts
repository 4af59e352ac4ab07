import type { PatternNode } from './pattern-syntax.ts';

/**
 * Matches the whole text as a backtracking engine does, greedy and in order, and counts the steps. The count replaces a
 * measurement of time. Gives up after `most` steps.
 */
export function steps(pattern: PatternNode, text: string, most: number): { matched: boolean; count: number } {
  const chars = [...text];
  let count = 0;
  type Next = (at: number) => boolean;

  const walk = (node: PatternNode, at: number, next: Next): boolean => {
    if ((count += 1) > most) throw new Error(`more than ${most} steps`);
    switch (node.is) {
      case 'char': {
        const code = chars[at]?.codePointAt(0);
        return code !== undefined && node.set.some(([low, high]) => low <= code && code <= high) && next(at + 1);
      }
      case 'capture':
        return walk(node.body, at, next);
      case 'sequence': {
        const from = (index: number, place: number): boolean => {
          const part = node.parts[index];
          return part === undefined ? next(place) : walk(part, place, (after) => from(index + 1, after));
        };
        return from(0, at);
      }
      case 'choice':
        return node.branches.some((branch) => walk(branch, at, next));
      case 'repeat': {
        const turn = (done: number, place: number): boolean =>
          (done < node.max && walk(node.body, place, (after) => turn(done + 1, after))) ||
          (done >= node.min && next(place));
        return turn(0, at);
      }
    }
  };
  return { matched: walk(pattern, 0, (at) => at === chars.length), count };
}
