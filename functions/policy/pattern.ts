import { type CharSet, union } from './char-set.ts';
import { requireNoBacktracking } from './pattern-choices.ts';
import { parsePattern, PatternFault, type PatternNode } from './pattern-syntax.ts';

export interface SafePattern {
  /** Anchored at both ends, no state: safe to share. */
  readonly regExp: RegExp;
  /** Whether its one group is the result; without a group the whole text is. */
  readonly capture: boolean;
  /** Every character that the result can hold. */
  readonly alphabet: () => CharSet;
}

/** Compiles an anchored pattern that matches in time linear in the text, or says why it is none. */
export function safePattern(source: string): SafePattern | { readonly fault: string } {
  try {
    const node = parsePattern(source);
    const group = captureOf(node);
    requireNoBacktracking(node);
    return {
      regExp: new RegExp(source, 'u'),
      capture: group !== undefined,
      alphabet: () => alphabetOf(group ?? node),
    };
  } catch (error) {
    if (error instanceof PatternFault) return { fault: error.message };
    throw error;
  }
}

/** The one group, which every match has to go through. */
function captureOf(node: PatternNode): PatternNode | undefined {
  const groups = capturesIn(node);
  if (groups.length > 1) throw new PatternFault('has more than one capturing group: write (?: ) for the others');
  const [group] = groups;
  if (group === undefined) return undefined;
  const always = node === group || (node.is === 'sequence' && node.parts.includes(group));
  if (!always) throw new PatternFault('has its capturing group inside an alternative, a repetition or another group');
  return group;
}

function capturesIn(node: PatternNode): readonly PatternNode[] {
  switch (node.is) {
    case 'char':
      return [];
    case 'capture':
      return [node, ...capturesIn(node.body)];
    case 'sequence':
      return node.parts.flatMap(capturesIn);
    case 'choice':
      return node.branches.flatMap(capturesIn);
    case 'repeat':
      return capturesIn(node.body);
  }
}

function alphabetOf(node: PatternNode): CharSet {
  switch (node.is) {
    case 'char':
      return node.set;
    case 'capture':
    case 'repeat':
      return alphabetOf(node.body);
    case 'sequence':
      return union(...node.parts.map(alphabetOf));
    case 'choice':
      return union(...node.branches.map(alphabetOf));
  }
}
