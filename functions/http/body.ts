import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { Failure } from '../broker/failure.ts';
import { readFields, type Fields, type Read } from './fields.ts';

export const LARGEST_BODY = 16_384;

/**
 * The body of a request as the fields allow it; no body is an empty object. Throws Failure `invalid-request` with all
 * faults at once, or `unsupported-media-type`.
 */
export function readBody<F extends Fields>(event: APIGatewayProxyEventV2, fields: F): Read<F> {
  const text = textOf(event);
  if (text === '') return readFields(fields, []);
  const type = event.headers?.['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new Failure('unsupported-media-type');
  return readFields(fields, membersOf(text));
}

function textOf(event: APIGatewayProxyEventV2): string {
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > LARGEST_BODY) throw invalid(`has more than ${LARGEST_BODY} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid('is not UTF-8 text');
  }
}

/** Members of the outermost object, each occurrence of a name by itself: JSON.parse would silently keep the last. */
function membersOf(text: string): readonly (readonly [string, unknown])[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalid('is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw invalid('is not a JSON object');
  const values = new Map<string, unknown>(Object.entries(parsed));
  return namesIn(text).map((name) => [name, values.get(name)]);
}

/** Names of the outermost object in text that is known to be a JSON object. */
function namesIn(text: string): readonly string[] {
  const names: string[] = [];
  let depth = 0;
  for (const [token, name] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (name !== undefined && depth === 1) names.push(String(JSON.parse(name)));
  }
  return names;
}

function invalid(detail: string): Failure {
  return new Failure('invalid-request', { errors: [{ field: 'body', detail }] });
}
