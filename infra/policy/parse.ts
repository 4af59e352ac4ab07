import { isNode, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod/mini';
import { withoutMark } from '../../functions/contract/shapes.ts';
import { faultAt, PolicyError, type PolicyFault } from './policy-error.ts';
import { type Authored, PolicySchema } from './schema.ts';

type Issue = z.core.$ZodIssue;

const DEEPEST = 40;
const MOST_VALUES = 500_000;

/**
 * Parses the JSON of a document that a person wrote. Throws PolicyError if it is not JSON, or if an object contains a name
 * twice. JSON.parse would silently keep the last value, while the author may read the first. JSON is also YAML, and the
 * YAML parser reports such names with their positions.
 */
export function parseText(written: string): unknown {
  const text = withoutMark(written);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new PolicyError([
      { path: 'document', problem: `is not JSON: ${error instanceof Error ? error.message : ''}` },
    ]);
  }
  const { errors } = parseDocument(text, { uniqueKeys: true, prettyErrors: true });
  const twice = errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  if (twice.length === 0) return document;
  throw new PolicyError(
    twice.map(({ linePos }) => ({
      path: `line ${linePos?.[0].line ?? 0}, column ${linePos?.[0].col ?? 0}`,
      problem: 'repeats a name of the same object',
    })),
  );
}

/** The line (from 1) of the value at a path of a document, or of the innermost object around it that is there. */
export function lineOfValue(written: string, at: readonly PropertyKey[]): number {
  const lineCounter = new LineCounter();
  const document = parseDocument(withoutMark(written), { lineCounter, uniqueKeys: false });
  for (let length = at.length; length >= 0; length -= 1) {
    const node = document.getIn(at.slice(0, length), true);
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
  }
  return 1;
}

/** The document with its shape checked and defaults filled in. Throws PolicyError with every fault of its shape. */
export function parsePolicy(document: unknown): Authored['policy'] {
  const shape = shapeFaults(document);
  if (shape.length > 0) throw new PolicyError(shape);
  const parsed = PolicySchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new PolicyError(parsed.error.issues.flatMap((issue) => faultsOf(issue, document, [])));
}

/** What would harm the parser itself: extreme nesting, and names that JavaScript treats in a special way. */
function shapeFaults(document: unknown): PolicyFault[] {
  const faults: PolicyFault[] = [];
  const waiting: { readonly value: unknown; readonly path: readonly PropertyKey[] }[] = [{ value: document, path: [] }];
  let seen = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, path } = next;
    if (typeof value !== 'object' || value === null) continue;
    if (path.length > DEEPEST) {
      return [faultAt(path.slice(0, 6), `is nested more than ${DEEPEST} levels deep`)];
    }
    for (const [name, member] of Object.entries(value)) {
      if ((seen += 1) > MOST_VALUES) return [faultAt([], `has more than ${MOST_VALUES} values`)];
      const step = Array.isArray(value) ? Number(name) : name;
      if (name === '__proto__') faults.push(faultAt([...path, name], 'is a name that is not allowed'));
      else if (typeof member === 'object' && member !== null) waiting.push({ value: member, path: [...path, step] });
    }
  }
  return faults;
}

function faultsOf(issue: Issue, document: unknown, above: readonly PropertyKey[]): PolicyFault[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_union') {
    const closest = closestAlternative(issue.errors);
    if (closest !== undefined) return closest.flatMap((inner) => faultsOf(inner, document, path));
  }
  return [faultAt(path, problemOf(issue, foundAt(document, path)))];
}

/**
 * The alternative that the author meant: the one whose own names are present. Undefined if several fit equally well, or
 * if none fits.
 */
function closestAlternative(alternatives: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const ranked = alternatives
    .map((issues) => ({ issues, distance: issues.reduce((sum, issue) => sum + distanceOf(issue), 0) }))
    .sort((a, b) => a.distance - b.distance);
  const [best, second] = ranked;
  if (best === undefined || best.distance >= FAR || best.distance === second?.distance) return undefined;
  return best.issues;
}

const FAR = 1_000;

function distanceOf(issue: Issue): number {
  if (issue.path.length === 0) return issue.code === 'unrecognized_keys' ? 20 * issue.keys.length : FAR;
  return issue.path.length === 1 ? 10 : 1;
}

function problemOf(issue: Issue, found: unknown): string {
  const what = describe(found);
  switch (issue.code) {
    case 'invalid_type':
      return found === undefined
        ? `is missing: must be ${aKind(issue.expected)}`
        : `must be ${aKind(issue.expected)}, found ${what}`;
    case 'unrecognized_keys':
      return `has ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}, which is not a member here`;
    case 'invalid_value':
      return found === undefined
        ? `is missing: must be ${issue.values.map(String).join(' or ')}`
        : `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}, found ${what}`;
    case 'too_small':
      return `must ${issue.origin === 'string' || issue.origin === 'array' ? 'have at least' : 'be at least'} ${issue.minimum}${unitOf(issue.origin)}, found ${what}`;
    case 'too_big':
      return `must ${issue.origin === 'string' || issue.origin === 'array' ? 'have at most' : 'be at most'} ${issue.maximum}${unitOf(issue.origin)}, found ${what}`;
    case 'invalid_format':
      return `must match ${'pattern' in issue ? issue.pattern : issue.format}, found ${what}`;
    case 'invalid_key':
      return 'has a name that is not allowed here';
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options)
        ? `must be ${issue.options.map((option) => JSON.stringify(option)).join(' or ')}, found ${what}`
        : `fits none of the shapes allowed here (see docs/policy.md), found ${what}`;
    default:
      return `is not allowed, found ${what}`;
  }
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}

function aKind(expected: string): string {
  if (expected === 'int') return 'a whole number';
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

function foundAt(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, step)?.value;
  }
  return value;
}

function describe(found: unknown): string {
  if (found === undefined) return 'nothing';
  if (found === null) return 'null';
  if (Array.isArray(found)) return found.length === 0 ? 'an empty array' : `an array of ${found.length}`;
  if (typeof found === 'object')
    return `an object with ${Object.keys(found).slice(0, 6).join(', ') || 'nothing in it'}`;
  const text = JSON.stringify(found) ?? typeof found;
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
