/** Injects each fault of the plan into the world. */
import type { Fault, FaultSwitch } from '../../local/aws/faults.ts';
import type { FunctionName } from '../../functions/contract/functions.ts';
import type { Load } from './load.ts';
import type { FaultName, PlannedFault } from './plan.ts';
import type { ChaosWorld } from './world.ts';

/** Begins a fault. The function that it returns ends the fault. */
type End = () => void | Promise<void>;
type Begin = (world: ChaosWorld, load: Load, fault: PlannedFault) => End | Promise<End | void>;

const REQUEST_FUNCTIONS: readonly FunctionName[] = ['gettoken', 'gettoken', 'revoketoken', 'sessioninfo', 'sweep'];
const instant = () => {};

export const BEGIN: Readonly<Record<FaultName, Begin>> = {
  'sandbox killed'(world, _load, { dice: [which, one] }) {
    const name = pick(REQUEST_FUNCTIONS, which);
    const pids = world.broker.functions.get(name)?.pids() ?? [];
    if (pids.length > 0) killSandbox(pick(pids, one));
    return instant;
  },
  'ledger stalled'(world, _load, { forMs }) {
    const until = performance.now() + forMs;
    return inject(world.broker.aws.dynamodb.faults, () => {
      return { kind: 'latency', ms: Math.max(0, until - performance.now()) };
    });
  },
  'ledger replies lost'(world) {
    let calls = 0;
    return inject(world.broker.aws.dynamodb.faults, () => {
      calls += 1;
      return calls % 3 === 0 ? { kind: 'reset', when: 'after' } : undefined;
    });
  },
  'KMS denied'(world) {
    killIdle(world, 'gettoken');
    return inject(world.broker.aws.kms.faults, () => ({ kind: 'error', type: 'AccessDeniedException' }));
  },
  'Secrets Manager down'(world) {
    killIdle(world, 'gettoken');
    return inject(world.broker.aws.secrets.faults, () => ({ kind: 'reset', when: 'before' }));
  },
  'ThoughtSpot outage'({ simulator }, _load, { dice: [kind] }) {
    simulator.set({ outage: kind < 0.5 ? 'error' : 'reset' });
    return () => void simulator.set({ outage: 'none' });
  },
  'mint replies lost'({ simulator }, _load, { dice: [count] }) {
    simulator.set({ lostReplies: 1 + Math.floor(count * 3) });
    return instant;
  },
  '429 storm'({ simulator }) {
    simulator.set({ rateLimitPerSecond: 1, rateLimitBurst: 1 });
    return () => void simulator.set({ rateLimitPerSecond: 100, rateLimitBurst: 100 });
  },
  'key rotation'(world, _load, { dice: [which] }) {
    world.rotateKey(which < 0.5 ? undefined : 2);
    return instant;
  },
  'mass revoke'(_world, load, { dice: [which] }) {
    return load.revokeForOthers(which < 0.4 ? { all: true } : { orgId: which < 0.7 ? 1 : 2 });
  },
  'users deprovisioned'(world, load, { dice: [which, count] }) {
    const first = Math.floor(which * world.users.length);
    return load.deprovision(world.users.slice(first, first + 1 + Math.floor(count * 3)));
  },
  suspension(world, load, { dice: [which, who] }) {
    return load.suspend(pick(world.users, who), pick(['user', 'user in org', 'subject', 'org', 'all'], which));
  },
  async 'sign-outs by operators'(world, load, { dice: [which, who] }) {
    await load.signOut(pick(world.users, who), pick(['user', 'user in org', 'subject'], which));
  },
  async 'logouts at the issuer'(world, load, { dice: [which, count] }) {
    const first = Math.floor(which * world.users.length);
    const people = world.users.slice(first, first + 1 + Math.floor(count * 8));
    await Promise.all(people.map((user, index) => load.logOut(user, index % 2 === 0 ? 'session' : 'subject')));
  },
  'cluster clock step'(world, _load, { dice: [step] }) {
    world.setClusterClock(Math.round((step - 0.5) * 40_000));
    return instant;
  },
  'policy redeployed': (world) => world.redeploy(),
};

/** Injects faults only into calls of the broker: it never uses Scan, with which the audit reads the table. */
function inject(faults: FaultSwitch, fault: () => Fault | undefined): () => void {
  return faults.inject(({ operation }) => (operation === 'Scan' ? undefined : fault()));
}

/** Kills the sandboxes, so that the next requests need what only a new sandbox loads. */
function killIdle(world: ChaosWorld, name: FunctionName): void {
  for (const pid of world.broker.functions.get(name)?.pids() ?? []) killSandbox(pid);
}

function killSandbox(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function pick<T>(items: readonly T[], share: number): T {
  const item = items[Math.floor(share * items.length)];
  if (item === undefined) throw new Error('There is nothing to pick from.');
  return item;
}
