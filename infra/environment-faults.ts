/** What is wrong with an environment, in words, from what its schema says. */
import { z } from 'zod';
import { meant } from './nearest-name.ts';

/** What is wrong, and where in the values of the environment. */
export interface Fault {
  readonly path: readonly PropertyKey[];
  /** With the path at its beginning. */
  readonly text: string;
}

export const UNKNOWN = 'is not known';

/** An unknown key is a fault of its own, at its own place, with the key that was probably meant. */
export function faultsOf(issue: z.core.$ZodIssue, schema: z.ZodType): readonly Fault[] {
  const { path } = issue;
  if (issue.code !== 'unrecognized_keys') return [{ path, text: `${path.map(String).join('.')}: ${issue.message}` }];
  return issue.keys.map((key) => {
    const at = [...path, key];
    return { path: at, text: `${at.map(String).join('.')}: ${UNKNOWN}${meant(key, keysAt(schema, path))}` };
  });
}

/** What the schema itself has no words for. */
export const inWords: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_type') return issue.input === undefined ? 'is missing' : `must be a ${issue.expected}`;
  return issue.code === 'invalid_value' ? `choose one of ${issue.values.map(String).join(', ')}` : undefined;
};

/** Paths of everything that an environment may leave out or write in one of several ways. */
export function optionalPathsOf(schema: z.ZodType): readonly string[] {
  const within = (schema: unknown, at: readonly string[]): readonly string[] => {
    if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
      return [at.join('.'), ...within(schema.unwrap(), at)];
    if (schema instanceof z.ZodArray) return within(schema.element, at);
    if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => whole(option, at));
    if (!(schema instanceof z.ZodObject)) return [];
    return Object.entries(schema.shape).flatMap(([key, inner]) => within(inner, [...at, key]));
  };
  /** Of one way of several everything counts. */
  const whole = (schema: unknown, at: readonly string[]): readonly string[] =>
    schema instanceof z.ZodObject ? Object.keys(schema.shape).map((key) => [...at, key].join('.')) : [at.join('.')];
  return within(schema, []);
}

/** The keys that the schema knows at a path. */
function keysAt(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return keysAt(schema.unwrap(), path);
  const [step, ...rest] = path;
  if (schema instanceof z.ZodArray) return keysAt(schema.element, rest);
  if (!(schema instanceof z.ZodObject)) return [];
  const shape: Readonly<Record<string, unknown>> = schema.shape;
  return step === undefined ? Object.keys(shape) : keysAt(shape[String(step)], rest);
}
