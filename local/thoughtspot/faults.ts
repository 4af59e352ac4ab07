import type { Answer, Endpoint } from './call.ts';
import { refusalAnswer } from './exchange.ts';
import { badInput, unauthenticated } from './refusal.ts';
import type { RunningCluster } from './running-cluster.ts';
import type { Switches } from './switches.ts';

const MAINTENANCE_PAGE = `<!doctype html>
<html lang="en"><head><title>System Maintenance</title></head>
<body><h1>System Maintenance</h1><p>ThoughtSpot is undergoing Site Maintenance. Please try again later.</p></body></html>
`;

/** What happens to a call instead of its endpoint. */
export type Fault = { reset: true } | { reset: false; answer: Answer };

export const inFaultScope = ({ faultScope }: Switches, scope: Endpoint['scope']): boolean =>
  faultScope === 'all' || faultScope === scope;

/** The fault that this call runs into, if any; uses up one of faultCount. */
export function takeFault(cluster: RunningCluster, endpoint: Endpoint): Fault | undefined {
  const { switches } = cluster;
  const down = (switches.outage !== 'none' || switches.maintenancePage) && inFaultScope(switches, endpoint.scope);
  const strange = endpoint.scope === 'revoke' && switches.revokeAnswer !== 'confirmed';
  if ((!down && !strange) || switches.faultCount === 0) return undefined;
  if (switches.faultCount !== null) switches.faultCount -= 1;
  if (!down) return { reset: false, answer: strangeRevocation(endpoint, switches) };
  if (switches.outage === 'reset') return { reset: true };
  if (switches.outage === 'error') return { reset: false, answer: { status: switches.outageStatus } };
  const headers = { 'content-type': 'text/html; charset=utf-8' };
  return { reset: false, answer: { status: switches.maintenanceStatus, text: MAINTENANCE_PAGE, headers } };
}

/** An answer after which a token may seem to be revoked and is not (wire facts 3.8: only 204, or 200 without a body, is). */
function strangeRevocation(endpoint: Endpoint, { revokeAnswer, errorShape }: Switches): Answer {
  switch (revokeAnswer) {
    case '400-not-revoked':
      return refusalAnswer(badInput('The token could not be revoked.'), endpoint, errorShape);
    case '400-csrf':
      return refusalAnswer(badInput('Invalid CSRF token'), endpoint, errorShape);
    case '401-not-accepted':
      return refusalAnswer(unauthenticated(), endpoint, errorShape);
    case '401-empty':
      return { status: 401 };
    case '200-error':
      return { status: 200, json: { error: 'The token could not be revoked.' } };
    default:
      return { status: 200, json: false };
  }
}

/** Whether this successful mint is one whose reply gets lost; uses up one of lostReplies. */
export function takeLostReply(cluster: RunningCluster, endpoint: Endpoint, { status }: Answer): boolean {
  if (endpoint.scope !== 'mint' || status !== 200 || cluster.switches.lostReplies === 0) return false;
  cluster.switches.lostReplies -= 1;
  cluster.journal.lostReplies += 1;
  return true;
}
