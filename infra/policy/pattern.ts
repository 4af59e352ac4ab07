import { isSafePattern } from 'redos-detector';

const LONGEST_PATTERN = 512;

/**
 * How much going back an accepted pattern may ask of the engine, and how far the analyser may search for more. Limits of
 * score and steps, never of time: the same pattern is judged alike on every machine. The analyser works through weak
 * references, which keep some 15 kB per step until the event loop turns: more steps would cost much memory.
 */
const LIMITS = { maxScore: 10, maxSteps: 500, timeout: Infinity, downgradePattern: false } as const;

type Judgement = { readonly pattern: string } | { readonly fault: string };

/** Patterns judged so far: many rules share one. */
const judged = new Map<string, Judgement>();

/**
 * A pattern of a policy, made to match the whole text whatever it says, or what is wrong with it. Anchors are asked for
 * all the same: a reader of `admin$` expects it to match more than one text, and under `not` that would let callers in.
 */
export function normalPattern(source: string): Judgement {
  const judgement = judged.get(source) ?? judge(source);
  judged.set(source, judgement);
  return judgement;
}

function judge(source: string): Judgement {
  const fault = shapeFault(source);
  if (fault !== undefined) return { fault };
  const pattern = `^(?:${source})$`;
  try {
    if (groupsIn(source) > 1) return { fault: 'has more than one capturing group: write (?: ) for the others' };
    const { safe, error } = isSafePattern(pattern, { ...LIMITS, unicode: true });
    if (safe) return { pattern };
    return error === 'hitMaxSteps'
      ? { fault: 'is too complex to be judged: write it in a simpler way' }
      : {
          fault: 'can backtrack: let a repeated part exclude the character that ends it, as in ^([^@]+)@example[.]com$',
        };
  } catch (error) {
    return { fault: `is no regular expression that can be judged: ${error instanceof Error ? error.message : ''}` };
  }
}

function shapeFault(source: string): string | undefined {
  if (source.length > LONGEST_PATTERN) return `is longer than ${LONGEST_PATTERN} characters`;
  if (!source.startsWith('^')) return 'must be anchored: it has to begin with ^';
  const bare = source.replace(/\\.|\[(?:\\.|[^\]\\])*\]/gsu, '_');
  if (!bare.endsWith('$')) return 'must be anchored: it has to end with $';
  if (/\(\?(?!:)/.test(bare)) return 'has a group other than ( ) and (?: )';
  if (/\\[1-9]/.test(source.replace(/\\\\/g, ''))) return 'has a back reference';
  if (outsideGroups(bare).includes('|'))
    return 'has | outside a group, where the anchors bind one side only: write ^(?:a|b)$';
  return undefined;
}

function outsideGroups(bare: string): string {
  const without = bare.replace(/\([^()]*\)/g, '_');
  return without === bare ? bare : outsideGroups(without);
}

/** The empty alternative always matches, and the match has a place for every group. */
function groupsIn(source: string): number {
  return (new RegExp(`${source}|`, 'u').exec('')?.length ?? 1) - 1;
}
