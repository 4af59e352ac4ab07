/** The local gateway in front of a handler of the test's own, with a real issuer. */
import { readDemoUsers, startIssuer, type Issuer } from '../../local/issuer.ts';
import { makeAuthorizer } from '../../local/gateway/authorizer.ts';
import { bindGateway, type GatewaySettings, type Route } from '../../local/gateway/gateway.ts';
import type { Invocation } from '../../local/lambda/local-function.ts';

export type GatewayEvent = Record<string, unknown> & {
  headers: Record<string, string>;
  requestContext: { authorizer: { jwt: { claims: Record<string, string>; scopes: string[] | null } } };
};

export interface GatewayBench {
  readonly url: string;
  readonly issuer: Issuer;
  /** Events that reached the function, oldest first. */
  readonly events: GatewayEvent[];
  /** Sets what the function does from the next call on. */
  answer(invocation: () => Promise<Invocation>): void;
  close(): Promise<void>;
}

export const ALLOWED_ORIGIN = 'http://localhost:5173';

/** An invocation that returned this value. */
export function answered(value: unknown): Invocation {
  return { requestId: 'r', coldStart: false, durationMs: 1, status: 'answered', payload: JSON.stringify(value) };
}

/** Routes: `POST /gettoken` (scope broker:token), `GET /open` (no scope), `POST /anybody` (open, two at once at most). */
export async function startGatewayBench(settings: Partial<GatewaySettings> = {}): Promise<GatewayBench> {
  const issuer = await startIssuer(readDemoUsers());
  const gateway = await bindGateway(0);
  const events: GatewayEvent[] = [];
  let answer = () => Promise.resolve(answered({ statusCode: 200, body: 'ok' }));
  const invoke = (event: object) => {
    events.push(event as GatewayEvent);
    return answer();
  };
  const routes: Route[] = [
    { method: 'POST', path: '/gettoken', scopes: ['broker:token'], invoke },
    { method: 'GET', path: '/open', scopes: [], invoke },
    { method: 'POST', path: '/anybody', scopes: [], open: true, throttle: { ratePerSecond: 1, burst: 2 }, invoke },
  ];
  gateway.open({
    routes,
    authorizer: makeAuthorizer({ issuer: issuer.url, audience: [issuer.audience], now: settings.now ?? Date.now }),
    iam: () => Promise.resolve(undefined),
    cors: {
      allowOrigins: [ALLOWED_ORIGIN],
      allowHeaders: ['authorization', 'content-type'],
      allowMethods: ['GET', 'POST'],
      exposeHeaders: ['retry-after'],
      maxAgeSeconds: 3600,
    },
    ...settings,
  });
  return {
    url: gateway.url,
    issuer,
    events,
    answer: (next) => {
      answer = next;
    },
    async close() {
      await gateway.close();
      await issuer.close();
    },
  };
}
