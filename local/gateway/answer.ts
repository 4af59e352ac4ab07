/** What a function returned, as the HTTP answer that API Gateway makes of it (payload format 2.0). */
import { isObject } from '../../functions/contract/shapes.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
}

/** Answers of the gateway itself, word for word. */
export const GATEWAY_MESSAGES = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Request Entity Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;

export function gatewayAnswer(
  status: keyof typeof GATEWAY_MESSAGES,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const body = Buffer.from(JSON.stringify({ message: GATEWAY_MESSAGES[status] }));
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** Undefined: the function's answer is malformed, which is a 500. */
export function functionAnswer(payload: string): Answer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return undefined;
  }
  // Anything without a status code is the body of a 200.
  if (!isObject(value) || value['statusCode'] === undefined) {
    const body = typeof value === 'string' ? value : JSON.stringify(value);
    return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) };
  }
  const { statusCode, headers = {}, body = '', cookies = [], isBase64Encoded = false } = value;
  const status = Number(statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  if (!isObject(headers) || !Object.values(headers).every(isPlain)) return undefined;
  if (typeof body !== 'string' || !Array.isArray(cookies)) return undefined;
  const named = Object.entries(headers).map(([name, header]) => [name.toLowerCase(), String(header)] as const);
  return {
    status,
    headers: {
      // API Gateway's own guess where the function names no type.
      'content-type': 'text/plain;charset=UTF-8',
      ...Object.fromEntries(named.filter(([name]) => !OWNED_BY_THE_GATEWAY.has(name))),
      ...(cookies.length > 0 && { 'set-cookie': cookies.map(String) }),
    },
    body: Buffer.from(body, isBase64Encoded === true ? 'base64' : 'utf8'),
  };
}

const OWNED_BY_THE_GATEWAY = new Set(['connection', 'content-length', 'date', 'transfer-encoding', 'apigw-requestid']);

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
