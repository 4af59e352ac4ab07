/** What the gateway sends the function `operator` for somebody with AWS credentials. */
import { ACCOUNT } from '../lambda/environment.ts';

/** Whom the audit names where the demo page reads leases. */
export const DEMO_PAGE = `arn:aws:sts::${ACCOUNT}:assumed-role/npm-start/demo-page`;

/** A request of an operator as an event (payload format 2.0), for `invoke` of a local broker. */
export function operatorEvent(
  method: 'GET' | 'POST',
  path: '/leases' | '/leases/revoke',
  content: Readonly<Record<string, unknown>>,
  userArn = `arn:aws:sts::${ACCOUNT}:assumed-role/broker-operator/olga`,
): object {
  const given = Object.entries(content).filter(([, value]) => value !== undefined);
  const text = Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
  return {
    version: '2.0',
    routeKey: `${method} /operator${path}`,
    headers: { 'content-type': 'application/json' },
    requestContext: { authorizer: { iam: { userArn } }, http: { method, path: `/operator${path}` } },
    ...(method === 'GET' ? { queryStringParameters: text } : { body: JSON.stringify(content) }),
  };
}
