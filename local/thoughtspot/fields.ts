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

const wrongType = (name: string, wants: string): Refusal =>
  badInput(`Invalid value for ${name}: ${wants} is expected.`);

export function optionalText(body: JsonObject, name: string): string | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw wrongType(name, 'a string');
  return value;
}

export function requiredText(body: JsonObject, name: string): string {
  const value = optionalText(body, name);
  if (value === undefined || value === '') throw badInput(`The required field ${name} is missing or empty.`);
  return value;
}

/** A boolean; null, where the schema allows it, counts as left out. */
export function optionalFlag(body: JsonObject, name: string, ifOmitted: boolean, nullable = false): boolean {
  const value = body[name];
  if (value === undefined || (nullable && value === null)) return ifOmitted;
  if (typeof value !== 'boolean') throw wrongType(name, 'a boolean');
  return value;
}

/** Sources give no minimum and no maximum for validity; nothing below 1 s and nothing beyond int32 can be meant. */
export function optionalSeconds(body: JsonObject, name: string, ifOmitted: number): number {
  const value = body[name];
  if (value === undefined) return ifOmitted;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value >= 2 ** 31) {
    throw wrongType(name, 'a positive int32');
  }
  return value;
}

export function optionalTexts(body: JsonObject, name: string): string[] | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw wrongType(name, 'an array of strings');
  return value;
}

export function optionalObjects(body: JsonObject, name: string): JsonObject[] {
  const value = body[name];
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw wrongType(name, 'an array of objects');
  return value;
}

export function requiredTexts(body: JsonObject, name: string): string[] {
  const value = optionalTexts(body, name);
  if (value === undefined) throw badInput(`The required field ${name} is missing.`);
  return value;
}

export function optionalChoice<T extends string>(body: JsonObject, name: string, choices: readonly T[]): T | undefined {
  const value = optionalText(body, name);
  if (value === undefined) return undefined;
  const choice = choices.find((known) => known === value);
  if (choice === undefined) throw wrongType(name, `one of ${choices.join(', ')}`);
  return choice;
}
