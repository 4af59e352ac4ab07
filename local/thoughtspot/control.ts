import type { Answer, Call } from './call.ts';
import { ACCOUNT_STATUSES } from './cluster.ts';
import { jsonBody, optionalChoice, optionalSeconds, requiredText } from './fields.ts';
import { isObject } from './json.ts';
import { badInput, Refusal } from './refusal.ts';
import type { RunningCluster } from './running-cluster.ts';

export const CONTROL_PATH = '/__simulator/';

type Control = (cluster: RunningCluster, call: Call) => unknown;

/** Turns the TypeErrors of the cluster's setters, which name what is wrong, into a 400. */
function saying400<T>(change: () => T): T {
  try {
    return change();
  } catch (error) {
    if (error instanceof TypeError) throw badInput(error.message);
    throw error;
  }
}

function rotateKey(cluster: RunningCluster, call: Call): unknown {
  const { org } = jsonBody(call);
  if (org !== undefined && typeof org !== 'number') throw badInput('org must be the id of an Org');
  return { secretKey: saying400(() => cluster.rotateKey(org ?? null)) };
}

function setUserStatus(cluster: RunningCluster, call: Call): unknown {
  const body = jsonBody(call);
  const status = optionalChoice(body, 'status', ACCOUNT_STATUSES);
  if (status === undefined) throw badInput(`status must be one of ${ACCOUNT_STATUSES.join(', ')}`);
  saying400(() => cluster.setUserStatus(requiredText(body, 'name'), status));
  return cluster.state().users;
}

/** The calls under /__simulator/; refuse-connections is the server's and comes as a function. */
export function controls(refuseConnectionsFor: (ms: number) => void): Record<string, Control> {
  return {
    'GET switches': (cluster) => cluster.switches,
    'POST switches': (cluster, call) => saying400(() => cluster.set(jsonBody(call))),
    'POST rotate-key': rotateKey,
    'POST users': setUserStatus,
    'POST reset': (cluster, call) => {
      jsonBody(call);
      cluster.reset();
      return cluster.switches;
    },
    'POST refuse-connections': (_cluster, call) => {
      const ms = optionalSeconds(jsonBody(call), 'ms', 1000);
      refuseConnectionsFor(ms);
      return { refusingForMs: ms };
    },
    'GET state': (cluster) => cluster.state(),
    'GET requests': (cluster) => cluster.journal.mints,
  };
}

/** Only this machine may turn the switches. */
export const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && /^(127\.|::1$|::ffff:127\.)/.test(address);

/** Answers a control call; errors are plain: `{"error": "what is wrong"}`. */
export function answerControl(table: Record<string, Control>, cluster: RunningCluster, call: Call): Answer {
  const control = table[`${call.method} ${call.path.slice(CONTROL_PATH.length)}`];
  if (!control) {
    const known = Object.keys(table).join(', ');
    return { status: 404, json: { error: `there is no ${call.method} ${call.path}; there are: ${known}` } };
  }
  try {
    const json = control(cluster, call);
    return { status: 200, json: isObject(json) || Array.isArray(json) ? json : {} };
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, json: { error: error.message } };
    throw error;
  }
}
