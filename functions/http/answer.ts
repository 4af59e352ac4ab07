import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

export type Answer = APIGatewayProxyStructuredResultV2 & { readonly statusCode: number };

/** On every answer, errors too: a token must stay out of caches, and JSON must not be taken for anything else. */
const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

export function json(statusCode: number, body: object): Answer {
  return { statusCode, headers: { ...ALWAYS, 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** The text itself: no quotes, no newline. */
export function plain(statusCode: number, body: string): Answer {
  return { statusCode, headers: { ...ALWAYS, 'content-type': 'text/plain; charset=utf-8' }, body };
}

export function problem(statusCode: number, body: object, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    statusCode,
    headers: { ...ALWAYS, ...headers, 'content-type': 'application/problem+json' },
    body: JSON.stringify(body),
  };
}
