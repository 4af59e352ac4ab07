/** An HTTP request as a function sees it: payload format 2.0 of HTTP APIs (AWS developer guide). */
import type { IncomingMessage } from 'node:http';
import { ACCOUNT } from '../lambda/environment.ts';

export interface EventInput {
  readonly request: IncomingMessage;
  readonly body: Buffer;
  readonly routeKey: string;
  readonly requestId: string;
  /** Epoch ms. */
  readonly now: number;
  /** `jwt` or `iam`; undefined where the route has none. */
  readonly authorizer: object | undefined;
}

const API_ID = 'local';
const TEXT = /^(text\/|application\/(json|javascript|xml|([\w.-]+\+)?(json|xml)))/i;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function buildEvent({ request, body, routeKey, requestId, now, authorizer }: EventInput): object {
  const [rawPath = '/', rawQueryString = ''] = splitTarget(request.url ?? '/');
  const { cookie, ...headers } = joinHeaders(request.rawHeaders);
  const query = joinPairs([...new URLSearchParams(rawQueryString)]);
  const sourceIp = request.socket.remoteAddress ?? '127.0.0.1';
  const host = headers['host'] ?? 'localhost';
  // A body without a type is taken for text; anything that is not text arrives in base64.
  const isText = TEXT.test(headers['content-type'] ?? 'application/json');
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString,
    ...(cookie !== undefined && { cookies: cookie.split(/;\s*/) }),
    headers: {
      ...headers,
      'x-amzn-trace-id': `Root=1-${Math.floor(now / 1000).toString(16)}-${requestId.replaceAll('-', '').slice(0, 24)}`,
      'x-forwarded-for': sourceIp,
      'x-forwarded-port': host.split(':')[1] ?? '80',
      'x-forwarded-proto': 'http',
    },
    ...(rawQueryString !== '' && { queryStringParameters: query }),
    requestContext: {
      accountId: ACCOUNT,
      apiId: API_ID,
      ...(authorizer && { authorizer }),
      domainName: host,
      domainPrefix: host.split('.')[0],
      http: {
        method: request.method,
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId,
      routeKey,
      stage: '$default',
      time: commonLogTime(new Date(now)),
      timeEpoch: now,
    },
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

/** Path and query of a request target. */
export function splitTarget(target: string): readonly [path: string, query: string] {
  const mark = target.indexOf('?');
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)];
}

/** Lower-case names; a header that comes more than once has its values joined by commas. */
export function joinHeaders(rawHeaders: readonly string[]): Record<string, string> {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    pairs.push([(rawHeaders[i] ?? '').toLowerCase(), rawHeaders[i + 1] ?? '']);
  return joinPairs(pairs, (name) => (name === 'cookie' ? '; ' : ','));
}

function joinPairs(pairs: readonly [string, string][], separator = (_name: string) => ','): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of pairs) {
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before}${separator(name)}${value}`);
  }
  return Object.fromEntries(joined);
}

/** As in access logs: 25/Nov/2026:09:30:00 +0000. */
function commonLogTime(time: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const date = `${two(time.getUTCDate())}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`;
  return `${date}:${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())} +0000`;
}
