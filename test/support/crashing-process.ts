/** A process that dies at a chosen port call, before or after the call took effect, and does nothing after that. */
import type { Process, Ports, World } from './broker-world.ts';

export type Gate = (call: string, when: 'before' | 'after') => Promise<void>;

/** The same ports, whose calls pass the gate before they start and after they end. */
export function gated({ ledger, issuer, clock }: Ports, gate: Gate): Ports {
  return {
    ledger: throughGate('ledger', ledger, gate),
    issuer: throughGate('issuer', issuer, gate),
    clock: { now: () => clock.now(), sleep: (ms) => pass('clock.sleep', gate, () => clock.sleep(ms)) },
  };
}

async function pass<T>(call: string, gate: Gate, work: () => Promise<T>): Promise<T> {
  await gate(call, 'before');
  const result = await work();
  await gate(call, 'after');
  return result;
}

function throughGate<Port extends object>(name: string, port: Port, gate: Gate): Port {
  return new Proxy(port, {
    get(target, property, receiver): unknown {
      const member: unknown = Reflect.get(target, property, receiver);
      if (typeof member !== 'function') return member;
      const call = `${name}.${String(property)}`;
      return (...args: unknown[]) => {
        const result = () => Reflect.apply(member, target, args) as Promise<unknown> | AsyncIterable<unknown>;
        if (!call.includes('unfinishedOf')) return pass(call, gate, result as () => Promise<unknown>);
        return (async function* () {
          await gate(call, 'before');
          for await (const item of result() as AsyncIterable<unknown>) yield item;
          await gate(call, 'after');
        })();
      };
    },
  });
}

/** Does the work and lists its port calls, which are the places where it may crash. */
export async function recordCalls(world: World, work: (process: Process) => Promise<unknown>): Promise<string[]> {
  const calls: string[] = [];
  const gate: Gate = async (call, when) => void calls.push(`${when} ${call}`);
  await world.clock.drive(settled(work(world.process(gated(world, gate)))));
  return calls;
}

/** Does the work in a process that dies at port call number `at`. Returns the answer if there was one before that. */
export async function crashAt<T>(world: World, at: number, work: (process: Process) => Promise<T>) {
  let seen = 0;
  let die: (value: 'crashed') => void = () => {};
  const death = new Promise<'crashed'>((resolve) => (die = resolve));
  const gate: Gate = () => {
    if (seen++ < at) return Promise.resolve();
    die('crashed');
    return new Promise<void>(() => {});
  };
  const answer = settled(work(world.process(gated(world, gate))));
  return world.clock.drive(Promise.race([answer, death]));
}

export type Settled<T> = { readonly answer: T } | { readonly failure: unknown };

export function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (answer) => ({ answer }),
    (failure: unknown) => ({ failure }),
  );
}
