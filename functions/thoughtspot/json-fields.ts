/** Reads fields out of JSON of unknown shape. Nothing here throws. */
import { isObject } from '../contract/shapes.ts';

export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

export function objectIn(value: unknown, key: string): Readonly<Record<string, unknown>> {
  const found = own(value, key);
  return isObject(found) ? found : {};
}

export function textIn(value: unknown, key: string): string | undefined {
  const found = own(value, key);
  return typeof found === 'string' && found.trim() !== '' ? found : undefined;
}

/** A finite number, also one written as a string of digits. */
export function numberIn(value: unknown, key: string): number | undefined {
  const found = own(value, key);
  if (typeof found === 'string' && /^\d{1,16}$/.test(found)) return Number(found);
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
}

/** ThoughtSpot mixes epoch seconds and milliseconds; ten digits are seconds (wire facts 3.2). */
export function epochMs(value: number): number {
  return value < 1e11 ? value * 1_000 : value;
}

function own(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}
