/**
 * `/__local/*`: what a developer wants to see and do that the deployed broker does not offer over HTTP. Never part of
 * the product; answers are for the same origin only (no CORS), and a POST must be JSON, which no foreign form can send.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FunctionStatistics, Invocation } from '../lambda/local-function.ts';
import type { OutputLine } from '../lambda/output.ts';
import { readBody } from '../network.ts';
import { splitTarget } from './event.ts';
import type { LocalPages } from './gateway.ts';

/** What the routes read and do; all of it is there in process as well (local-broker.ts). */
export interface LocalActions {
  addresses(): Readonly<Record<string, string>>;
  users(): Readonly<Record<string, unknown>>;
  /** Throws an Error whose message lists the users there are. */
  accessToken(user: string): Promise<string>;
  statistics(): Readonly<Record<string, FunctionStatistics>>;
  output(): readonly OutputLine[];
  /** Asks the function `leases`, with an operator's event. */
  leases(event: object): Promise<Invocation>;
  sweep(): Promise<Invocation>;
  /** A schedule or deprovision event for revoketoken. */
  deliver(event: unknown): Promise<Invocation>;
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

const PREFIX = '/__local/';
const DEFAULT_LINES = 200;

export function makeLocalRoutes(actions: LocalActions): LocalPages {
  const get: Readonly<Record<string, (query: URLSearchParams) => Reply | Promise<Reply>>> = {
    addresses: () => ok(actions.addresses()),
    users: () => ok(actions.users()),
    stats: () => ok(actions.statistics()),
    output: (query) => ok(lastLines(actions.output(), query)),
    audit: (query) =>
      ok(lastLines(actions.output().filter(isAudit), query).map(({ text }) => JSON.parse(text) as unknown)),
    leases: async (query) => fromInvocation(await actions.leases(leasesEvent(query))),
    async jwt(query) {
      try {
        return ok(await actions.accessToken(query.get('user') ?? ''));
      } catch (error) {
        return { status: 404, body: { message: error instanceof Error ? error.message : String(error) } };
      }
    },
  };
  const post: Readonly<Record<string, (body: unknown) => Promise<Reply>>> = {
    sweep: async () => fromInvocation(await actions.sweep()),
    events: async (event) => fromInvocation(await actions.deliver(event)),
  };

  return async (request, response) => {
    const [path, query] = splitTarget(request.url ?? '/');
    if (!path.startsWith(PREFIX)) return false;
    const name = path.slice(PREFIX.length);
    const isRead = request.method === 'GET' && Object.hasOwn(get, name);
    const isAction = request.method === 'POST' && Object.hasOwn(post, name);
    if (isRead) send(response, (await get[name]?.(new URLSearchParams(query))) ?? NOT_FOUND);
    else if (isAction) send(response, await act(request, post[name]));
    else send(response, NOT_FOUND);
    return true;
  };
}

const NOT_FOUND: Reply = { status: 404, body: { message: 'Not Found' } };

async function act(request: IncomingMessage, action: ((body: unknown) => Promise<Reply>) | undefined): Promise<Reply> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    return { status: 415, body: { message: 'Send application/json.' } };
  const body = (await readBody(request, 256 * 1024))?.toString() ?? '';
  try {
    return (await action?.(body === '' ? {} : JSON.parse(body))) ?? NOT_FOUND;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { status: 400, body: { message: 'The body is not JSON.' } };
  }
}

/** An operator's question to the function `leases`, from the query of `/__local/leases`. */
function leasesEvent(query: URLSearchParams): object {
  const user = query.get('user');
  const org = query.get('org');
  const state = query.get('state');
  const cursor = query.get('cursor');
  return {
    source: 'operator',
    filter: { ...(user && { user }), ...(org && { org: Number(org) }), ...(state && { state }) },
    limit: Number(query.get('limit') ?? 100),
    ...(cursor && { cursor }),
  };
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}

function fromInvocation(invocation: Invocation): Reply {
  if (invocation.status === 'throttled') return { status: 503, body: { message: 'All sandboxes are busy.' } };
  if (invocation.status === 'failed') return { status: 500, body: invocation.error };
  const answer = JSON.parse(invocation.payload) as unknown;
  return ok(answer);
}

function lastLines(lines: readonly OutputLine[], query: URLSearchParams): readonly OutputLine[] {
  const limit = Number(query.get('limit') ?? DEFAULT_LINES);
  return lines.slice(-(Number.isInteger(limit) && limit > 0 ? limit : DEFAULT_LINES));
}

function isAudit({ stream, text }: OutputLine): boolean {
  return stream === 'stdout' && text.startsWith('{"audit":true');
}

function send(response: ServerResponse, { status, body }: Reply): void {
  const text = typeof body === 'string';
  response
    .writeHead(status, {
      'content-type': text ? 'text/plain; charset=utf-8' : 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    .end(text ? body : JSON.stringify(body));
}
