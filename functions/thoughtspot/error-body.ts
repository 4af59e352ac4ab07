import { GUID, isObject } from '../contract/shapes.ts';
import { parseJson } from './json-fields.ts';
import type { Reply } from './transport.ts';

/** What an error body says, whatever its shape. `text` is for matching only: it must not reach a log or an answer. */
export interface ErrorBody {
  /** It is one of the error shapes that ThoughtSpot is known to send: ThoughtSpot itself has judged the request. */
  readonly recognised: boolean;
  readonly code?: number;
  readonly text: string;
  /** ThoughtSpot's own id of the incident: it reveals nothing, and ThoughtSpot support can look it up. */
  readonly incident?: string;
  /** The page that is served for a cluster under maintenance (cs_tools thoughtspot.py). */
  readonly maintenance: boolean;
  readonly html: boolean;
}

const MAX_DEPTH = 12;
const MAX_NODES = 500;
const MAX_TEXT = 4_000;
const NOT_PROSE = /guid|stacktrace|^path$|^locations$/i;

/**
 * Reads an error body tolerantly: the documented shape (`error.message.code/debug`), the live one that is a level
 * deeper with its text as a JSON array in a string, with or without the outer `error`, the beta's `error.errors`
 * (wire facts 2 and 3.5), HTML, or nothing. Never throws.
 */
export function readErrorBody(reply: Reply): ErrorBody {
  const html = isHtml(reply);
  const maintenance = html && /\b(site|system)\s+maintenance\b/i.test(reply.body);
  if (html) return { recognised: false, text: '', maintenance, html };
  const json = parseJson(reply.body);
  const seen: Seen = { nodes: 0, texts: [], recognised: isMessage(json) };
  walk(json, '', 0, seen);
  return {
    recognised: seen.recognised,
    text: seen.texts.join(' ').slice(0, MAX_TEXT),
    maintenance,
    html,
    ...(seen.code === undefined ? {} : { code: seen.code }),
    ...(seen.incident === undefined ? {} : { incident: seen.incident }),
  };
}

function isHtml(reply: Reply): boolean {
  return /\bhtml\b/i.test(reply.headers['content-type'] ?? '') || /^\s*<(!doctype|html|head|body)\b/i.test(reply.body);
}

/** `{ error: { message } }`; a bare `{ error: "text" }` or `{ message: "text" }` is what proxies send too. */
function isMessage(json: unknown): boolean {
  if (!isObject(json) || !isObject(json.error)) return false;
  const { message } = json.error;
  return isObject(message) || (typeof message === 'string' && message !== '');
}

interface Seen {
  nodes: number;
  recognised: boolean;
  code?: number;
  incident?: string;
  readonly texts: string[];
}

function walk(value: unknown, key: string, depth: number, seen: Seen): void {
  seen.nodes += 1;
  if (depth > MAX_DEPTH || seen.nodes > MAX_NODES) return;
  if (typeof value === 'string') readText(value, key, depth, seen);
  else if (Array.isArray(value)) for (const item of value) walk(item, key, depth + 1, seen);
  else if (isObject(value)) {
    readFields(value, seen);
    for (const [name, item] of Object.entries(value)) walk(item, name, depth + 1, seen);
  }
}

function readText(value: string, key: string, depth: number, seen: Seen): void {
  if (NOT_PROSE.test(key)) return;
  if (/^\s*[[{]/.test(value)) {
    const nested = parseJson(value);
    if (nested !== undefined) return walk(nested, key, depth + 1, seen);
  }
  if (value.trim() !== '') seen.texts.push(value.slice(0, MAX_TEXT));
}

function readFields(value: Readonly<Record<string, unknown>>, seen: Seen): void {
  const { code, incident_id_guid: incident } = value;
  if (typeof incident === 'string' && GUID.test(incident)) seen.incident ??= incident;
  if (typeof code !== 'number' || !Number.isSafeInteger(code)) return;
  seen.code ??= code;
  if ('debug' in value || 'incident_id_guid' in value || 'trace_id_guid' in value) seen.recognised = true;
}
