import type { Call } from './call.ts';
import { isObject, type JsonObject } from './json.ts';
import { badInput, Refusal } from './refusal.ts';

const mediaType = (call: Call): string =>
  (call.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

/**
 * The JSON object a request carries. An empty body is an empty object if the endpoint has only optional fields
 * (`emptyIs`). Content-Type is the one header the API reference requires (wire facts 3.7).
 */
export function jsonBody(call: Call, emptyIs?: JsonObject): JsonObject {
  if (call.body.length === 0 && emptyIs) return emptyIs;
  if (mediaType(call) !== 'application/json') throw new Refusal(415, 10002, 'Content-Type must be application/json.');
  let value: unknown;
  try {
    value = JSON.parse(call.body.toString('utf8'));
  } catch {
    throw badInput('The request body is not valid JSON.');
  }
  if (!isObject(value)) throw badInput('The request body must be a JSON object.');
  return value;
}

/** The fields of a form, as the browser posts them; last one wins. */
export function formBody(call: Call): URLSearchParams {
  if (mediaType(call) !== 'application/x-www-form-urlencoded') {
    throw new Refusal(415, 10002, 'Content-Type must be application/x-www-form-urlencoded.');
  }
  return new URLSearchParams(call.body.toString('utf8'));
}

/** A field of that type; undefined if it is left out. */
function optional<T>(body: JsonObject, name: string, wants: string, is: (value: unknown) => value is T): T | undefined {
  const value = body[name];
  if (value === undefined || is(value)) return value;
  throw badInput(`Invalid value for ${name}: ${wants} is expected.`);
}

function required<T>(name: string, value: T | undefined): T {
  if (value === undefined || value === '') throw badInput(`The required field ${name} is missing or empty.`);
  return value;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const isFlagOrNull = (value: unknown): value is boolean | null => value === null || isFlag(value);
const isListOf =
  <T>(is: (item: unknown) => item is T) =>
  (value: unknown): value is T[] =>
    Array.isArray(value) && value.every(is);
/** Sources give no minimum and no maximum for validity; nothing below 1 s and nothing beyond int32 can be meant. */
const isInt32 = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) < 2 ** 31;

export const optionalText = (body: JsonObject, name: string): string | undefined =>
  optional(body, name, 'a string', isText);
export const requiredText = (body: JsonObject, name: string): string => required(name, optionalText(body, name));
/** `null`, where the schema allows it, counts as left out. */
export const optionalFlag = (body: JsonObject, name: string, ifOmitted: boolean, nullable = false): boolean =>
  optional(body, name, 'a boolean', nullable ? isFlagOrNull : isFlag) ?? ifOmitted;
export const optionalSeconds = (body: JsonObject, name: string, ifOmitted: number): number =>
  optional(body, name, 'a positive int32', isInt32) ?? ifOmitted;
export const optionalTexts = (body: JsonObject, name: string): string[] | undefined =>
  optional(body, name, 'an array of strings', isListOf(isText));
export const requiredTexts = (body: JsonObject, name: string): string[] => required(name, optionalTexts(body, name));
export const optionalObjects = (body: JsonObject, name: string): JsonObject[] =>
  optional(body, name, 'an array of objects', isListOf(isObject)) ?? [];
export const optionalChoice = <T extends string>(
  body: JsonObject,
  name: string,
  choices: readonly T[],
): T | undefined =>
  optional(body, name, `one of ${choices.join(', ')}`, (value): value is T => choices.some((known) => known === value));
