import * as z from 'zod/mini';
import { Failure, type FieldError } from '../broker/failure.ts';

/** What may be said, by name. Every message in a schema is for the caller. */
export type Fields = Readonly<Record<string, z.ZodMiniType>>;
export type Read<F extends Fields> = z.infer<z.ZodMiniObject<F>>;

/** So many faults are named; a hostile body has no more say over the size of the answer. */
const MOST_FAULTS = 20;

/**
 * Reads members that came from outside, strictly: an unknown name, a name given twice and a value of the wrong shape
 * are faults, all of which one Failure `invalid-request` names. Values are never repeated.
 */
export function readFields<F extends Fields>(fields: F, members: readonly (readonly [string, unknown])[]): Read<F> {
  const counts = new Map<string, number>();
  for (const [name] of members) counts.set(name, (counts.get(name) ?? 0) + 1);
  const faults: FieldError[] = [];
  for (const [name, count] of counts) {
    if (!Object.hasOwn(fields, name)) faults.push({ field: printable(name), detail: 'is not a known field' });
    else if (count > 1) faults.push({ field: name, detail: 'is given more than once' });
  }
  const parsed = z.object(fields).safeParse(Object.fromEntries(members));
  if (parsed.success && faults.length === 0) return parsed.data;
  const shapes = parsed.success ? [] : parsed.error.issues.map(faultOf);
  throw new Failure('invalid-request', { errors: [...faults, ...shapes].slice(0, MOST_FAULTS) });
}

function faultOf(issue: z.core.$ZodIssue): FieldError {
  return { field: issue.path.map(String).join('.'), detail: issue.message };
}

function printable(name: string): string {
  const text = name.toWellFormed();
  return text.length > 64 ? `${text.slice(0, 64).toWellFormed()}...` : text;
}

// --- shapes that several routes share --------------------------------------------------------------------------------

/** Text of 1 to `longest` characters without control characters. */
export const text = (longest: number) =>
  z.string('must be a string').check(
    z.minLength(1, 'must not be empty'),
    z.maxLength(longest, `must have at most ${longest} characters`),
    z.refine((value) => !/\p{Cc}/u.test(value), 'must not hold control characters'),
  );

export const integer = (least: number, most: number) =>
  z
    .int('must be a whole number')
    .check(z.minimum(least, `must be at least ${least}`), z.maximum(most, `must be at most ${most}`));

/** Org ids are int32 at ThoughtSpot (wire facts 3.1). */
export const orgId = integer(0, 2_147_483_647);
