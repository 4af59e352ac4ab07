/** What comes from outside is read here: bodies, query strings, events. */
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as z from 'zod/mini';
import { Failure, type FieldError } from '../broker/failure.ts';
import { isObject, UNPRINTABLE } from '../contract/shapes.ts';

export const LARGEST_BODY = 16_384;

/** Only this many faults are listed, so that a hostile body cannot make the answer large. */
const MOST_FAULTS = 20;

/**
 * The body of a request as the schema allows it; no body is an empty object, and of a name that is given twice the last
 * value counts. Throws Failure `invalid-request` with all faults at once, or `unsupported-media-type`.
 */
export function readBody<S extends z.ZodMiniType>(event: APIGatewayProxyEventV2, schema: S): z.output<S> {
  const text = bodyOf(event);
  if (text === '') return readFields(schema, {});
  if (typeOf(event) !== 'application/json') throw new Failure('unsupported-media-type');
  const body = attempt((): unknown => JSON.parse(text), 'is not JSON');
  if (!isObject(body)) throw invalid('body', 'is not a JSON object');
  return readFields(schema, body);
}

/** The one value that a form has for a name; other names are ignored. Throws Failure `invalid-request`. */
export function readFormField(event: APIGatewayProxyEventV2, name: string): string {
  const text = bodyOf(event);
  if (typeOf(event) !== 'application/x-www-form-urlencoded') throw invalid('body', 'is not a form');
  const [value = '', ...more] = new URLSearchParams(text).getAll(name);
  if (value === '' || more.length > 0) throw invalid(name, 'must be there once');
  return value;
}

function bodyOf(event: APIGatewayProxyEventV2): string {
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > LARGEST_BODY) throw invalid('body', `has more than ${LARGEST_BODY} bytes`);
  return attempt(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes), 'is not UTF-8 text');
}

const typeOf = ({ headers }: APIGatewayProxyEventV2) => headers?.['content-type']?.split(';')[0]?.trim().toLowerCase();

/**
 * Reads an object that came from outside: what its schema, a strict one unless the sender adds fields of its own, does
 * not allow is a fault. Throws Failure `invalid-request` that names all of them, unknown names first, never a value.
 */
export function readFields<S extends z.ZodMiniType>(schema: S, value: unknown): z.output<S> {
  if (!isObject(value)) throw invalid('event', 'must be an object');
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const unknown: FieldError[] = [];
  const wrong: FieldError[] = [];
  for (const issue of parsed.error.issues) {
    if (issue.code !== 'unrecognized_keys') wrong.push({ field: issue.path.join('.'), detail: issue.message });
    else for (const name of issue.keys) unknown.push({ field: printable(name), detail: 'is not a known field' });
  }
  throw new Failure('invalid-request', { errors: [...unknown, ...wrong].slice(0, MOST_FAULTS) });
}

/** One fault of the input, as text for the sender. */
export function invalid(field: string, detail: string): Failure {
  return new Failure('invalid-request', { errors: [{ field, detail }] });
}

function attempt<T>(read: () => T, detail: string): T {
  try {
    return read();
  } catch {
    throw invalid('body', detail);
  }
}

function printable(name: string): string {
  const text = name.toWellFormed();
  return text.length > 64 ? `${text.slice(0, 64).toWellFormed()}...` : text;
}

// --- shapes that several routes share; every message is for the sender -----------------------------------------------

/** Text of 1 to `longest` characters without those that are `refused`: control characters, unless said otherwise. */
export const text = (longest: number, refused = /\p{Cc}/u, detail = 'must not hold control characters') =>
  z.string('must be a string').check(
    z.minLength(1, 'must not be empty'),
    z.maxLength(longest, `must have at most ${longest} characters`),
    z.refine((value) => !refused.test(value), detail),
  );

/** Name of a ThoughtSpot user. The policy mints for none that holds what nobody sees: it would match nothing. */
export const userName = text(256, UNPRINTABLE, 'must not hold invisible characters');

export const integer = (least: number, most: number) =>
  z
    .int('must be a whole number')
    .check(z.minimum(least, `must be at least ${least}`), z.maximum(most, `must be at most ${most}`));

/** Org ids are int32 at ThoughtSpot (wire facts 3.1). */
export const orgId = integer(0, 2_147_483_647);

/** An object whose fields are read in a second step, so that faults are named by its own fields. */
export const object = z.custom<object>(isObject, 'must be an object');
