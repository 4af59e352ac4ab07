import { isObject } from '../contract/shapes.ts';

/** JSON of unknown shape. The readers of its fields never throw. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function fieldIn<T>(json: unknown, key: string, is: (field: unknown) => field is T): T | undefined {
  const field = isObject(json) && Object.hasOwn(json, key) ? json[key] : undefined;
  return is(field) ? field : undefined;
}

const isText = (field: unknown): field is string => typeof field === 'string' && field.trim() !== '';
const isList = (field: unknown): field is readonly unknown[] => Array.isArray(field);
const isNumber = (field: unknown): field is number => typeof field === 'number' && Number.isFinite(field);

export const objectIn = (json: unknown, key: string): JsonObject => fieldIn(json, key, isObject) ?? {};
export const listIn = (json: unknown, key: string): readonly unknown[] | undefined => fieldIn(json, key, isList);
export const textIn = (json: unknown, key: string): string | undefined => fieldIn(json, key, isText);

/** A finite number, also one written as a string of digits. */
export function numberIn(json: unknown, key: string): number | undefined {
  const text = textIn(json, key);
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : fieldIn(json, key, isNumber);
}

/** ThoughtSpot mixes epoch seconds and milliseconds; ten digits are seconds (wire facts 3.2). */
export const epochMs = (value: number): number => (value < 1e11 ? value * 1_000 : value);

/** The fields that have a value: absent instead of undefined. */
export function defined<T extends object>(fields: T): { [Key in keyof T]?: Exclude<T[Key], undefined> };
export function defined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
