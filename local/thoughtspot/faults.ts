import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Endpoint } from './call.ts';
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
export function takeFault(cluster: RunningCluster, scope: Endpoint['scope']): Fault | undefined {
  const { switches } = cluster;
  const armed = switches.outage !== 'none' || switches.maintenancePage;
  if (!armed || !inFaultScope(switches, scope) || switches.faultCount === 0) return undefined;
  if (switches.faultCount !== null) switches.faultCount -= 1;
  if (switches.outage === 'reset') return { reset: true };
  if (switches.outage === 'error') return { reset: false, answer: { status: switches.outageStatus } };
  const headers = { 'content-type': 'text/html; charset=utf-8' };
  return { reset: false, answer: { status: switches.maintenanceStatus, text: MAINTENANCE_PAGE, headers } };
}

/** Whether this successful mint is one whose reply gets lost; uses up one of lostReplies. */
export function takeLostReply(cluster: RunningCluster, endpoint: Endpoint, { status }: Answer): boolean {
  if (endpoint.scope !== 'mint' || status !== 200 || cluster.switches.lostReplies === 0) return false;
  cluster.switches.lostReplies -= 1;
  cluster.journal.lostReplies += 1;
  return true;
}

/** Waits, unless the simulator is closed meanwhile; a zero wait takes no turn of the event loop. */
export async function wait(ms: number, closed: AbortSignal): Promise<void> {
  if (ms === 0) return;
  try {
    await sleep(ms, undefined, { signal: closed });
  } catch {
    // Closed: what waits goes on at once.
  }
}
