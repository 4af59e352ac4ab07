/**
 * `/__local/*`: what a developer wants to see and do that the deployed broker does not offer over HTTP. Never part of
 * the product; answers are for the same origin only (no CORS), and a POST must be JSON, which no foreign form can send.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FunctionName } from '../../functions/contract/functions.ts';
import type { Issuer } from '../issuer.ts';
import type { Invocation, LocalFunction } from '../lambda/local-function.ts';
import type { OutputLine, OutputLog } from '../lambda/output.ts';
import { readBody } from '../network.ts';
import { DEMO_PAGE, operatorEvent } from '../operator/operator-event.ts';
import { functionAnswer } from './answer.ts';
import { splitTarget } from './event.ts';
import type { LocalPages } from './gateway.ts';

/** The parts of the local set that the routes read and use. */
export interface LocalParts {
  readonly issuer: Issuer;
  readonly partner: Issuer | undefined;
  readonly functions: ReadonlyMap<FunctionName, LocalFunction>;
  readonly output: OutputLog;
  readonly addresses: () => Readonly<Record<string, string>>;
  readonly invoke: (name: FunctionName, event: unknown) => Promise<Invocation>;
  readonly sweep: () => Promise<Invocation>;
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}
type Route = (query: URLSearchParams, body: unknown) => Reply | Promise<Reply>;

const PREFIX = '/__local/';
const DEFAULT_LINES = 200;

export function makeLocalRoutes({
  issuer,
  partner,
  functions,
  output,
  addresses,
  invoke,
  sweep,
}: LocalParts): LocalPages {
  const routes: Readonly<Record<string, Route>> = {
    'GET addresses': () => ok(addresses()),
    'GET users': () => ok(issuer.users),
    'GET stats': () => ok(Object.fromEntries([...functions].map(([name, local]) => [name, local.statistics()]))),
    'GET output': (query) => ok(lastLines(output.lines(), query)),
    'GET audit': (query) =>
      ok(lastLines(output.lines().filter(isAudit), query).map(({ text }) => JSON.parse(text) as unknown)),
    async 'GET leases'(query) {
      const asked = { limit: '100', ...Object.fromEntries(query) };
      return answerOf(await invoke('operator', operatorEvent('GET', '/leases', asked, DEMO_PAGE)));
    },
    async 'GET jwt'(query) {
      const name = query.get('issuer');
      const of = name === null ? issuer : name === 'partner' ? partner : undefined;
      if (of === undefined) return refused(404, `There is no issuer "${name}" here. ${knownIssuers(partner)}`);
      try {
        return ok(await of.accessToken(query.get('user') ?? ''));
      } catch (error) {
        return refused(404, error instanceof Error ? error.message : String(error));
      }
    },
    'POST sweep': async () => fromInvocation(await sweep()),
    // A schedule or deprovision event.
    'POST events': async (_query, event) => fromInvocation(await invoke('revoketoken', event)),
  };

  return async (request, response) => {
    const [path, query] = splitTarget(request.url ?? '/');
    if (!path.startsWith(PREFIX)) return false;
    const name = `${request.method} ${path.slice(PREFIX.length)}`;
    const route = Object.hasOwn(routes, name) ? routes[name] : undefined;
    send(response, route ? await answer(request, new URLSearchParams(query), route) : refused(404, 'Not Found'));
    return true;
  };
}

const knownIssuers = (partner: Issuer | undefined): string =>
  partner === undefined
    ? 'There is one, which has no name; npm start -- --partner starts another.'
    : 'There are: partner, and the first, which has no name.';

async function answer(request: IncomingMessage, query: URLSearchParams, route: Route): Promise<Reply> {
  if (request.method === 'GET') return route(query, undefined);
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    return refused(415, 'Send application/json.');
  const body = (await readBody(request, 256 * 1024))?.toString() ?? '';
  try {
    return await route(query, body === '' ? {} : JSON.parse(body));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return refused(400, 'The body is not JSON.');
  }
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}

function refused(status: number, message: string): Reply {
  return { status, body: { message } };
}

function fromInvocation(invocation: Invocation): Reply {
  if (invocation.status === 'throttled') return refused(503, 'All sandboxes are busy.');
  if (invocation.status === 'failed') return { status: 500, body: invocation.error };
  return ok(JSON.parse(invocation.payload) as unknown);
}

/** The answer that a function gave in place of the gateway. */
function answerOf(invocation: Invocation): Reply {
  const reply = fromInvocation(invocation);
  const answer = functionAnswer(JSON.stringify(reply.body));
  return reply.status === 200 && answer ? { status: answer.status, body: JSON.parse(answer.body.toString()) } : reply;
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
