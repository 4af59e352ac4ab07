/**
 * Explores every order in which the port calls of several processes can happen, with at most so many pre-emptions, crashes
 * and stale reads of an index (systematic concurrency testing, as CHESS does it). Every order is played from the start, by
 * a list of choices: the same list plays the same order again. The orders with the fewest deviations come first.
 */
import { setImmediate } from 'node:timers/promises';
import type { Lease } from '../../functions/broker/lease.ts';
import type { TokenLedger } from '../../functions/broker/ports.ts';
import type { Ports, Process, World } from './broker-world.ts';
import { gated, settled } from './crashing-process.ts';

export interface Bounds {
  /** Changes to another process while the one that runs could go on. Changes while it sleeps, and at its end, are free. */
  readonly preemptions: number;
  /** Of a process, before or after any of its calls took effect. */
  readonly crashes: number;
  /** Of a global index, which does not yet show what was reserved since the start. */
  readonly staleReads: number;
}

export interface Stage {
  readonly world: World;
  /** What each process does. */
  readonly actors: Readonly<Record<string, (process: Process) => Promise<unknown>>>;
  /** What is wrong when all have ended; it may go on with processes of its own. */
  readonly problems: () => Promise<readonly string[]>;
  /** Faults of the code under test, made by ports that do not keep what they promise. */
  readonly broken?: (ports: Pick<Ports, 'ledger' | 'issuer'>) => Pick<Ports, 'ledger' | 'issuer'>;
}

/** Sets the same stage each time. */
export type Scenario = () => Promise<Stage>;

export interface Found {
  readonly problems: readonly string[];
  /** Plays the same order again. */
  readonly choices: readonly number[];
  /** What happened, one call a line. */
  readonly steps: readonly string[];
}

export interface Explored {
  readonly schedules: number;
  /** Of all that have the fewest deviations, the first; undefined where nothing is wrong. */
  readonly found: Found | undefined;
}

interface Waiting {
  readonly call: string;
  readonly go: () => void;
}
interface Actor {
  readonly name: string;
  /** Calls that the process waits to make, in the order in which it wanted to. */
  readonly waiting: Waiting[];
  /** Whether it dies at the next end of a call, or is dead. */
  life: 'lives' | 'dying' | 'dead';
}
type Cost = keyof Bounds;
interface Option {
  readonly actor: Actor;
  readonly how: '' | ' crashes before' | ' crashes after' | ' is stale at';
  readonly costs?: Cost;
}

const SLEEP = 'clock.sleep';
/** Calls of a global index of the table. The others are read strongly. */
const INDEX_READS = ['due', 'unfinishedOfCaller', 'unfinishedOfSession', 'withDigest'].map((name) => `ledger.${name}`);
const MOST_STEPS = 2_000;

/** Stops at the first order with a problem. `most`: fails if there are more orders. */
export async function explore(scenario: Scenario, bounds: Bounds, most = Infinity): Promise<Explored> {
  const queue: (readonly number[])[] = [[]];
  let schedules = 0;
  for (let choices = queue[0]; choices !== undefined; choices = queue[schedules]) {
    schedules += 1;
    if (schedules > most) throw new Error(`there are more than ${most} orders`);
    const { found, options } = await play(scenario, bounds, choices);
    if (found.problems.length > 0) return { schedules, found };
    for (let at = choices.length; at < options.length; at += 1)
      for (let other = 1; other < (options[at] ?? 0); other += 1)
        queue.push([...choices, ...Array<number>(at - choices.length).fill(0), other]);
  }
  return { schedules, found: undefined };
}

/** Plays one order: where the list of choices ends, everything goes on without a deviation. */
export async function play(scenario: Scenario, bounds: Bounds, choices: readonly number[]) {
  const { world, actors: acts, problems, broken = (ports) => ports } = await scenario();
  const left = { ...bounds };
  const beganAt = world.clock.now();
  let staleNext = false;
  const lagging = lagged(world.ledger, beganAt, () => {
    const stale = staleNext;
    staleNext = false;
    return stale;
  });

  const actors = Object.entries(acts).map(([name, act]) => {
    const actor: Actor = { name, waiting: [], life: 'lives' };
    const stop = (call: string) => new Promise<void>((go) => actor.waiting.push({ call, go }));
    const gate = async (call: string, when: 'before' | 'after') => {
      if (actor.life === 'dying' && when === 'after') actor.life = 'dead';
      if (actor.life === 'dead') await new Promise<never>(() => undefined);
      if (when === 'before') await stop(call);
    };
    const sleep = async (ms: number) => {
      const wakeAt = world.clock.now() + ms;
      await stop(SLEEP);
      world.clock.set(Math.max(world.clock.now(), wakeAt));
    };
    const ports = {
      ...gated({ clock: world.clock, ...broken({ issuer: world.issuer, ledger: lagging }) }, gate),
      clock: { now: () => world.clock.now(), sleep },
    };
    void stop('begin').then(() => settled(act(world.process(ports))));
    return actor;
  });

  const options: number[] = [];
  const steps: string[] = [];
  let current: Actor | undefined;
  for (;;) {
    // All that follows from the last call has happened by then: nothing here waits for anything else.
    await setImmediate();
    const offered = optionsAt(actors, current, left);
    const option = offered[choices[options.length] ?? 0];
    if (option === undefined) break;
    if (steps.length === MOST_STEPS) throw new Error(`no end after ${MOST_STEPS} calls`);
    options.push(offered.length);
    const { actor, how, costs } = option;
    const { call = '', go } = actor.waiting[0] ?? {};
    if (costs) left[costs] -= 1;
    steps.push(`${actor.name}${how} ${call}`);
    current = actor;
    if (how === ' crashes before') actor.life = 'dead';
    if (how === ' crashes after') actor.life = 'dying';
    staleNext = how === ' is stale at';
    if (actor.life === 'dead') actor.waiting.length = 0;
    else {
      actor.waiting.shift();
      go?.();
    }
  }
  const given = Array.from(options, (_, at) => choices[at] ?? 0);
  const last = given.findLastIndex((choice) => choice > 0);
  const found: Found = { problems: await problems(), choices: given.slice(0, last + 1), steps };
  return { found, options };
}

/** What may happen next; the first is what happens without a deviation, and none is left when all have ended. */
function optionsAt(actors: readonly Actor[], current: Actor | undefined, left: Bounds): readonly Option[] {
  const callOf = (actor: Actor) => actor.waiting[0]?.call;
  const ready = actors.filter((actor) => actor.life !== 'dead' && callOf(actor) !== undefined);
  const awake = ready.filter((actor) => callOf(actor) !== SLEEP);
  const goesOn = current !== undefined && awake.includes(current) ? current : undefined;
  const first = goesOn ?? awake[0] ?? ready[0];
  if (first === undefined) return [];
  const others = ready.filter((actor) => actor !== first);
  const isFree = (actor: Actor) => goesOn === undefined && (awake.length === 0 || awake.includes(actor));
  const call = callOf(first) ?? '';
  const all: Option[] = [
    { actor: first, how: '' },
    ...others.map((actor): Option => (isFree(actor) ? { actor, how: '' } : { actor, how: '', costs: 'preemptions' })),
    { actor: first, how: ' crashes before', costs: 'crashes' },
    ...(/^(ledger|issuer)\./.test(call) ? ([{ actor: first, how: ' crashes after', costs: 'crashes' }] as const) : []),
    ...(INDEX_READS.includes(call) ? ([{ actor: first, how: ' is stale at', costs: 'staleReads' }] as const) : []),
  ];
  return all.filter(({ costs }) => costs === undefined || left[costs] > 0);
}

/** The ledger, whose global indexes do not show what was reserved since then, whenever `isStale` says so. */
function lagged(ledger: TokenLedger, since: number, isStale: () => boolean): TokenLedger {
  const isShown = (stale: boolean) => (lease: Lease) => !stale || lease.reservedAt < since;
  async function* shown(stale: boolean, leases: AsyncIterable<Lease>): AsyncGenerator<Lease> {
    for await (const lease of leases) if (isShown(stale)(lease)) yield lease;
  }
  return {
    ...ledger,
    async due(...args) {
      const stale = isStale();
      const page = await ledger.due(...args);
      return { ...page, leases: page.leases.filter(isShown(stale)) };
    },
    withDigest: (...args) => shown(isStale(), ledger.withDigest(...args)),
    unfinishedOfCaller: (...args) => shown(isStale(), ledger.unfinishedOfCaller(...args)),
    unfinishedOfSession: (...args) => shown(isStale(), ledger.unfinishedOfSession(...args)),
  };
}

/** A schedule as people read it, and how to play it again. */
export const formatFound = ({ problems, choices, steps }: Found): string =>
  [...problems, 'after:', ...steps.map((step, at) => `  ${at + 1}. ${step}`), `choices: [${choices.join(', ')}]`].join(
    '\n',
  );
