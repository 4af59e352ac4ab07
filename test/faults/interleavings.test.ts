/**
 * Requests, revocations and sweeps at once, their port calls in every order that fast-check's scheduler comes up with.
 * NIGHTLY=1 tries more of them. A failure prints its seed, path and schedule.
 */
import * as fc from 'fast-check';
import type { IssuedToken } from '../../functions/broker/use-cases.ts';
import { drain, unaccounted } from '../support/accounting.ts';
import { asOperator, EVENT, makeWorld, type Ports, type Process, userOf, type World } from '../support/broker-world.ts';
import { gated, settled, type Settled } from '../support/crashing-process.ts';
import { makeShutOuts, type Scope, type ShutOuts, scopesOf, sessionScope, subjectScope } from '../support/shut-out.ts';

const RUNS = process.env.NIGHTLY === '1' ? 10_000 : 100;

interface Answered {
  readonly who: string;
  readonly token: string;
  /** Position in the order of all beginnings and answers. */
  readonly begun: number;
}

interface Stage {
  readonly world: World;
  /** A process whose port calls are put in order by the scheduler. */
  readonly process: () => Process;
  readonly answered: Answered[];
  /** When a revocation was accepted, and which tokens ThoughtSpot had made before it was even asked for. */
  readonly accepted: { readonly at: number; readonly covers: readonly string[] }[];
  order: number;
}

function stage(scheduler: fc.Scheduler, world: World): Stage {
  const ports = (): Ports => {
    const inOrder = gated(world, (call, when) => scheduler.schedule(Promise.resolve(), `${when} ${call}`));
    // Time passes by the scheduler too: a sleeper wakes when it is chosen.
    const sleep = async (ms: number) => {
      const wakeAt = world.clock.now() + ms;
      await scheduler.schedule(Promise.resolve(), `sleep ${ms}`);
      world.clock.set(Math.max(world.clock.now(), wakeAt));
    };
    return { ...inOrder, clock: { now: () => world.clock.now(), sleep } };
  };
  return { world, process: () => world.process(ports()), answered: [], accepted: [], order: 0 };
}

type Deed = (stage: Stage) => Promise<unknown>;

const ask =
  (who: string, fresh = false): Deed =>
  async (on) => {
    const begun = (on.order += 1);
    const outcome: Settled<IssuedToken> = await settled(on.process().getToken(who, { fresh }));
    on.order += 1;
    if ('answer' in outcome) on.answered.push({ who, token: outcome.answer.token, begun });
  };

const revoke =
  (kind: 'mine' | 'user' | 'all', who = 'ann'): Deed =>
  async (on) => {
    const { issuer, clock } = on.world;
    // Later than all that is there: rows of this very millisecond are meant too.
    clock.set(clock.now() + 1);
    const covers = issuer.tokens.filter(({ user }) => kind === 'all' || user === userOf({ subject: `sub-${who}` }));
    const process = on.process();
    const asked = {
      mine: () => process.revoke(who),
      user: () => process.revoke(asOperator(), { kind: 'user', userNames: [who] }),
      all: () => process.revoke(EVENT, { kind: 'all' }),
    }[kind];
    const outcome = await settled(asked());
    on.order += 1;
    const owned = kind === 'mine' ? covers.filter(({ token }) => ownerOf(on, token) === who) : covers;
    if ('answer' in outcome) on.accepted.push({ at: on.order, covers: owned.map(({ token }) => token) });
  };

/** For whom a token was minted, by the answers that the stage was set with. */
const ownerOf = (on: Stage, token: string) => on.answered.find((answer) => answer.token === token)?.who;

const sweep: Deed = (on) => settled(on.process().sweep());

const SWEEP: readonly [string, Deed] = ['sweep', sweep];
const DEEDS: readonly (readonly [string, Deed])[] = [
  ['ann asks', ask('ann')],
  ['ann asks again', ask('ann')],
  ['ann asks for a fresh one', ask('ann', true)],
  ["ann's phone asks", ask('ann/phone')],
  ['bob asks', ask('bob')],
  ['one of a shared grant asks', ask('shared/one')],
  ['another of it asks', ask('shared/two')],
  ['ann revokes', revoke('mine')],
  ['ann is revoked', revoke('user')],
  ['all are revoked', revoke('all')],
  SWEEP,
  ['sweep too', sweep],
];

const FAULTS = [undefined, undefined, 'down', 'lost'] as const;

async function play(scheduler: fc.Scheduler, deeds: readonly Deed[], fault: (typeof FAULTS)[number], aged: boolean) {
  const world = makeWorld({ shards: 2 });
  const set = stage(scheduler, world);
  for (const who of ['ann', 'ann/phone', 'bob', 'shared/one']) {
    const { token } = await world.process().getToken(who);
    set.answered.push({ who, token, begun: 0 });
  }
  await world.clock.advance(aged ? 230_000 : 5_000);
  if (fault !== undefined) world.issuer.revokeFault = () => fault;
  await scheduler.waitFor(Promise.all(deeds.map((deed) => deed(set))));
  return set;
}

/** I5: a caller that begins to ask after a revocation was accepted is not served what it covers. */
function servedAfterRevocation({ accepted, answered }: Stage): string[] {
  return accepted.flatMap(({ at, covers }) =>
    answered
      .filter(({ begun, token }) => begun > at && covers.includes(token))
      .map(({ who, token }) => `${who} was served ${token} after its revocation`),
  );
}

/** I8: a token goes to one caller only, but for those who share its grant, and only to its user. */
function crossServed({ answered, world }: Stage): string[] {
  return answered.flatMap(({ who, token }) => {
    const user = userOf({ subject: `sub-${who}` });
    const others = answered.filter((other) => other.token === token && other.who !== who && user !== 'svc');
    const minted = world.issuer.tokens.find((known) => known.token === token);
    return others.length > 0 || minted?.user !== user ? [`${token} was served to ${who}`] : [];
  });
}

test('in whatever order things happen, revocations win, nothing is lost and nobody gets what is not theirs', async () => {
  const deeds = fc.uniqueArray(fc.integer({ min: 0, max: DEEDS.length - 1 }), { minLength: 2, maxLength: 7 });
  const property = fc.asyncProperty(
    fc.scheduler(),
    deeds.map((chosen) => chosen.map((n) => DEEDS[n] ?? SWEEP)),
    fc.constantFrom(...FAULTS),
    fc.boolean(),
    async (scheduler, chosen, fault, aged) => {
      const set = await play(
        scheduler,
        chosen.map(([, deed]) => deed),
        fault,
        aged,
      );
      const { world } = set;
      expect([...servedAfterRevocation(set), ...crossServed(set), ...(await unaccounted(world))]).toEqual([]);
      // I5 once more, now that every revocation is accepted: nothing it covers is served or outlives one good sweep.
      for (const who of ['ann', 'ann/phone', 'bob', 'shared/two']) {
        const next = await settled(world.clock.drive(world.process().getToken(who)));
        set.order += 1;
        if ('answer' in next) set.answered.push({ who, token: next.answer.token, begun: set.order });
      }
      world.issuer.revokeFault = undefined;
      await world.clock.advance(60_000);
      await world.clock.drive(world.process().sweep());
      const outliving = set.accepted.flatMap(({ covers }) => covers).filter(world.issuer.isLive);
      expect([...servedAfterRevocation(set), ...crossServed(set), ...outliving]).toEqual([]);
      expect(await drain(world)).toEqual([]);
    },
  );
  await fc.assert(property, { numRuns: RUNS });
}, 1_800_000);

interface ShutOutStage extends Stage {
  readonly shutOuts: ShutOuts;
  /** When it began, epoch ms: events and logouts are dated so, however often and late they come. */
  readonly beganAt: number;
}
type ShutOutDeed = (stage: ShutOutStage) => Promise<unknown>;

const askAs =
  (who: string, signedIn: 'before' | 'again', fresh = false): ShutOutDeed =>
  ({ shutOuts, process, world, beganAt }) =>
    shutOuts.getToken(process(), who, signedIn === 'before' ? beganAt - 60_000 : world.clock.now(), fresh);

const ANNS = scopesOf('ann');
const BLOCKS: readonly ShutOutDeed[] = [
  ...ANNS.flatMap((scope): ShutOutDeed[] => [
    ({ shutOuts, process }) => shutOuts.signOut(process(), scope),
    ({ shutOuts, process }) => shutOuts.suspend(process(), scope),
    ({ shutOuts, process }) => shutOuts.reinstate(process(), scope),
    ({ shutOuts, process }) => shutOuts.reinstate(process(), scope),
  ]),
  ...[ANNS[2], ANNS[4], subjectScope('shared/one')].flatMap((scope): ShutOutDeed[] => {
    const deprovision: ShutOutDeed = ({ shutOuts, process, beganAt }) =>
      shutOuts.deprovision(process(), scope as Scope, beganAt);
    return [deprovision, deprovision];
  }),
  ...[ANNS[4], ANNS[5], sessionScope('shared/one')].flatMap((scope): ShutOutDeed[] => {
    const logOut: ShutOutDeed = ({ shutOuts, process, beganAt }) => shutOuts.logOut(process(), scope as Scope, beganAt);
    return [logOut, logOut];
  }),
];
const REQUESTS: readonly ShutOutDeed[] = [
  askAs('ann', 'before'),
  askAs('ann', 'before', true),
  askAs('ann', 'again'),
  askAs('ann', 'again', true),
  askAs('ann/phone', 'before'),
  askAs('shared/one', 'before'),
  askAs('shared/two', 'before'),
  sweep,
];
const HOLDERS = ['ann', 'ann/phone', 'bob', 'gus', 'shared/one'];

test('in whatever order things happen, whoever is shut out gets nothing, and may come back when it is lifted', async () => {
  const some = (deeds: readonly ShutOutDeed[], maxLength: number) =>
    fc.array(fc.constantFrom(...deeds), { minLength: 1, maxLength });
  const property = fc.asyncProperty(
    fc.scheduler(),
    some(BLOCKS, 4),
    some(REQUESTS, 4),
    fc.constantFrom(...FAULTS),
    fc.boolean(),
    async (scheduler, blocks, requests, fault, aged) => {
      const world = makeWorld({ shards: 2 });
      const { clock, issuer } = world;
      const shutOuts = makeShutOuts(world);
      for (const who of HOLDERS) await shutOuts.getToken(world.process(), who, clock.now());
      await clock.advance(aged ? 230_000 : 5_000);
      const set: ShutOutStage = { ...stage(scheduler, world), shutOuts, beganAt: clock.now() };
      // By the time that they are dated of, nothing new has been reserved.
      await clock.advance(2_000);
      if (fault !== undefined) issuer.revokeFault = () => fault;
      await scheduler.waitFor(Promise.all([...blocks, ...requests].map((deed) => settled(deed(set)))));
      for (const who of HOLDERS) await settled(clock.drive(shutOuts.getToken(world.process(), who, set.beganAt)));
      expect([...shutOuts.servedThoughShutOut(), ...(await unaccounted(world))]).toEqual([]);
      issuer.revokeFault = undefined;
      await clock.advance(60_000);
      await clock.drive(world.process().sweep());
      expect(await shutOuts.alive()).toEqual([]);
      await shutOuts.reinstateAll(ANNS);
      await shutOuts.reinstateAll([subjectScope('shared/one')]);
      for (const who of HOLDERS) await clock.drive(shutOuts.getToken(world.process(), who, clock.now()));
      expect([...shutOuts.servedThoughShutOut(), ...(await drain(world))]).toEqual([]);
    },
  );
  await fc.assert(property, { numRuns: RUNS });
}, 1_800_000);

test('two sweeps, however they interleave, present each token to ThoughtSpot once', async () => {
  const property = fc.asyncProperty(fc.scheduler(), async (scheduler) => {
    const world = makeWorld({ shards: 2 });
    for (const who of ['ann', 'bob', 'cy', 'dot', 'gus']) await world.process().getToken(who);
    await world.clock.advance(5_000);
    await world.process().revoke(EVENT, { kind: 'all' });
    const set = stage(scheduler, world);
    await scheduler.waitFor(Promise.all([sweep(set), sweep(set)]));
    expect(world.issuer.live()).toEqual([]);
    expect(world.issuer.calls.revoke).toHaveLength(5);
    expect(world.audit.filter(({ action }) => action === 'revoke')).toHaveLength(5);
  });
  await fc.assert(property, { numRuns: RUNS });
}, 1_800_000);

test('identical requests, however they interleave, make one mint', async () => {
  const property = fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 6 }), async (scheduler, callers) => {
    const world = makeWorld();
    const set = stage(scheduler, world);
    await scheduler.waitFor(Promise.all(Array.from({ length: callers }, () => ask('ann')(set))));
    expect(world.issuer.calls.mint).toBe(1);
    expect(new Set(set.answered.map(({ token }) => token)).size).toBeLessThanOrEqual(1);
  });
  await fc.assert(property, { numRuns: RUNS });
}, 1_800_000);
