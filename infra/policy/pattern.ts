import { isSafePattern } from 'redos-detector';

const LONGEST_PATTERN = 512;

/**
 * How much backtracking an accepted pattern may cause, and how far the analyser searches. The limits are score and steps,
 * never time, so that the result is the same on every machine. The analyser uses weak references, which keep about 15 kB
 * per step until the next turn of the event loop: more steps would need much memory.
 */
const LIMITS = { maxScore: 10, maxSteps: 500, timeout: Infinity, downgradePattern: false } as const;

type Judgement = { readonly pattern: string } | { readonly fault: string };

/** Patterns judged so far, since many rules share one. */
const judged = new Map<string, Judgement>();

/**
 * A pattern of a policy, changed so that it always matches the whole text, or what is wrong with it. Anchors are required
 * all the same: a reader of `admin$` expects it to match more than one text, and under `not` that would admit callers.
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
    return { fault: `is not a regular expression that can be judged: ${error instanceof Error ? error.message : ''}` };
  }
}

function shapeFault(source: string): string | undefined {
  if (source.length > LONGEST_PATTERN) return `is longer than ${LONGEST_PATTERN} characters`;
  if (!source.startsWith('^')) return 'must be anchored: it must begin with ^';
  const bare = source.replace(/\\.|\[(?:\\.|[^\]\\])*\]/gsu, '_');
  if (!bare.endsWith('$')) return 'must be anchored: it must end with $';
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

/** The empty alternative always matches, and the match has an entry for every group. */
function groupsIn(source: string): number {
  return (new RegExp(`${source}|`, 'u').exec('')?.length ?? 1) - 1;
}
