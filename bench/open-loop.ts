/**
 * A load generator in a process of its own. It asks at times that are set before, whatever becomes of the earlier asks, and
 * measures from the intended time: an ask that had to wait for its turn counts with its waiting.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request, Agent } from 'node:http';

export interface Arrival {
  /** Intended start, ms after the start of the round. */
  readonly at: number;
  /** What is sent: an event, as JSON. */
  readonly body: string;
}
export interface Timing {
  readonly at: number;
  /** From the intended start until the whole answer was there. */
  readonly ms: number;
  /** The function's answer; 0: there was none. */
  readonly status: number;
  /** Whether a sandbox was started for it. */
  readonly cold: boolean;
}
interface Order {
  readonly url: string;
  /** Epoch ms. */
  readonly startAt: number;
  readonly arrivals: readonly Arrival[];
}

/** Times at random, `perSecond` on average: people do not ask in step (a Poisson process). */
export function arrivalTimes(perSecond: number, ms: number, random: () => number): number[] {
  const times: number[] = [];
  for (let at = 0; ; times.push(at)) {
    at -= (Math.log(1 - random()) / perSecond) * 1_000;
    if (at >= ms) return times;
  }
}

/** Starts the process. */
export async function startGenerator() {
  const child = spawn(process.execPath, [import.meta.filename], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await once(child, 'message');
  return {
    pid: child.pid ?? 0,
    async run(order: Order): Promise<readonly Timing[]> {
      child.send(order);
      const [timings] = (await once(child, 'message')) as [readonly Timing[]];
      return timings;
    },
    stop: () => child.kill(),
  };
}

const now = () => performance.timeOrigin + performance.now();

async function carryOut({ url, startAt, arrivals }: Order, agent: Agent): Promise<readonly Timing[]> {
  const ask = ({ at, body }: Arrival) =>
    new Promise<Timing>((resolve) => {
      const over = (status: number, cold: boolean) => resolve({ at, ms: now() - startAt - at, status, cold });
      const outgoing = request(url, { method: 'POST', agent }, (response) => {
        response.resume().on('end', () => over(response.statusCode ?? 0, response.headers['x-cold-start'] === 'true'));
      });
      outgoing.on('error', () => over(0, false)).end(body);
    });
  const waiting = arrivals.map(async (arrival) => {
    await new Promise((resolve) => setTimeout(resolve, startAt + arrival.at - now()));
    return ask(arrival);
  });
  return Promise.all(waiting);
}

if (process.argv[1] === import.meta.filename) {
  const agent = new Agent({ keepAlive: true });
  process.on('message', (order: Order) => {
    void carryOut(order, agent).then((timings) => process.send?.(timings));
  });
  process.send?.('ready');
}
