import { startSimulator, type Simulator, type SimulatorOptions } from '../../../local/thoughtspot/simulator.ts';

export interface Reply {
  status: number;
  json: unknown;
  text: string;
  headers: Headers;
}

export interface Sent {
  /** An object is sent as JSON, a string as it is, URLSearchParams as a form. */
  body?: unknown;
  bearer?: string;
  cookie?: string;
  headers?: Record<string, string>;
}

/** One HTTP call; redirects are not followed. */
export async function call(
  url: string,
  endpoint: string,
  { body, bearer, cookie, headers }: Sent = {},
): Promise<Reply> {
  const [method = 'GET', path = '/'] = endpoint.split(' ');
  const asJson = body !== undefined && typeof body !== 'string' && !(body instanceof URLSearchParams);
  const response = await fetch(url + path, {
    method,
    redirect: 'manual',
    ...(body === undefined ? {} : { body: asJson ? JSON.stringify(body) : body }),
    headers: {
      ...(asJson || typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(cookie === undefined ? {} : { cookie }),
      ...headers,
    },
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, json: isJson ? JSON.parse(text) : undefined, text, headers: response.headers };
}

/** A simulator for a test file; without rate limit unless asked for. */
export const start = (options: SimulatorOptions = {}): Promise<Simulator> =>
  startSimulator({ ...options, switches: { rateLimit: false, ...options.switches } });

/** A token for a user, by secret key. */
export async function tokenFor(simulator: Simulator, username: string, org = 1, more: object = {}): Promise<string> {
  const body = { username, org_id: org, secret_key: simulator.secretKey(), ...more };
  const reply = await call(simulator.url, 'POST /api/rest/2.0/auth/token/full', { body });
  if (reply.status !== 200) throw new Error(`no token for ${username}: ${reply.status} ${reply.text}`);
  return (reply.json as { token: string }).token;
}

/** The text of a documented or live error body, wherever it is. */
export function debugOf(json: unknown): string {
  const message = (json as { error?: { message?: unknown } }).error?.message;
  const debug = (message as { debug?: unknown } | undefined)?.debug;
  return typeof debug === 'string' ? debug : String((debug as { debug?: unknown } | undefined)?.debug);
}
