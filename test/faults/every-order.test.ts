/**
 * The use cases in every order that two pre-emptions allow, over a ledger whose global indexes lag, with a crash at every
 * call. By day without crashes where there are many orders; NIGHTLY=1 explores all. The orders are counted and printed.
 */
import type { Grant, TokenLedger } from '../../functions/broker/ports.ts';
import { drain, released, unaccounted } from '../support/accounting.ts';
import { EVENT, makeWorld, type Process, type World, type WorldOptions } from '../support/broker-world.ts';
import { settled } from '../support/crashing-process.ts';
import { type Bounds, explore, formatFound, play, type Scenario, type Stage } from '../support/explorer.ts';
import { HIGHEST_LIMITS } from '../support/raised-limits.ts';
import {
  ALL,
  makeShutOuts,
  scopesOf,
  type Scope,
  type ShutOuts,
  subjectScope,
  userScope,
} from '../support/shut-out.ts';

const NIGHTLY = process.env.NIGHTLY === '1';

interface Set {
  readonly world: World;
  readonly shutOuts: ShutOuts;
  /** When the scenario begins, epoch ms. */
  readonly beganAt: number;
  /** What has been wrong so far. */
  readonly wrong: string[];
}
type Act = (set: Set) => (process: Process) => Promise<unknown>;

/**
 * The look at the blocks and at one's own row is the last call of a mint. So no new token is answered by then that is
 * not live, or whose caller is shut out.
 */
const asks =
  (who: string, fresh = false): Act =>
  ({ world, shutOuts, beganAt, wrong }) =>
  async (process) => {
    const issued = await shutOuts.getToken(process, who, beganAt - 60_000, fresh);
    if (issued.reused) return;
    const covering = shutOuts.accepted.filter((one) => one.scope.covers(who) && !shutOuts.mayBeLifted(one));
    wrong.push(...covering.map(({ scope }) => `${who} was given a new token after the block of ${scope.name}`));
    wrong.push(...(await released(world, issued)));
  };
const asksFor =
  (grant: string, who = 'ann'): Act =>
  () =>
  (process) =>
    process.getToken(who, { grant });
const does =
  (what: 'signOut' | 'suspend' | 'reinstate') =>
  (scope: Scope): Act =>
  ({ shutOuts }) =>
  (process) =>
    shutOuts[what](process, scope);
const [signsOut, suspends, reinstates] = [does('signOut'), does('suspend'), does('reinstate')] as const;
const revokesMine =
  (who: string): Act =>
  () =>
  (process) =>
    process.revoke(who);
const cutsOff: Act = () => (process) => process.revoke(EVENT, { kind: 'all' });
const sweeps: Act = () => (process) => process.sweep();

interface Plot {
  readonly acts: Readonly<Record<string, Act>>;
  /** Who has a token already. */
  readonly holders?: readonly string[];
  readonly options?: WorldOptions;
  /** Of the tokens that live, and their rows, when the scenario begins: it may be long after. */
  readonly ageMs?: number;
  /** What else must be. */
  readonly also?: (set: Set) => readonly string[];
}

/** Sets the stage of a plot: what must be true in all of them is asked when all have ended. */
function scenarioOf(
  { acts, holders = [], options = {}, ageMs = 5_000, also }: Plot,
  broken?: Stage['broken'],
): Scenario {
  return async () => {
    const world = makeWorld({ shards: 2, ...options });
    const { clock, issuer } = world;
    const shutOuts = makeShutOuts(world);
    for (const who of holders) await shutOuts.getToken(world.process(), who, clock.now());
    await clock.advance(ageMs);
    const set: Set = { world, shutOuts, beganAt: clock.now(), wrong: [] };
    watchEntitlements(set);
    const actors = Object.fromEntries(Object.entries(acts).map(([name, act]) => [name, act(set)]));
    const problems = async () => {
      const found = [...(also?.(set) ?? []), ...set.wrong, ...(await unaccounted(world))];
      // Everybody asks again by what he had: nothing that is shut out is served, nothing that is covered lives.
      for (const who of new Set([...holders, 'ann'])) {
        const before = issuer.calls.mint;
        const outcome = await settled(
          clock.drive(shutOuts.getToken(world.process(broken?.(world)), who, set.beganAt - 60_000)),
        );
        if ('failure' in outcome && issuer.calls.mint > before)
          found.push(`a token was minted for ${who}, who gets none`);
      }
      found.push(...shutOuts.servedThoughShutOut());
      await clock.advance(61_000);
      await clock.drive(world.process().sweep());
      await clock.advance(130_000);
      await clock.drive(world.process().sweep());
      found.push(...(await shutOuts.alive()));
      issuer.revokeFault = undefined;
      return [...found, ...(await drain(world))];
    };
    return { world, actors, problems, ...(broken && { broken }) };
  };
}

/** Writes down every mint that changes what the live token of another person shows. */
function watchEntitlements({ world: { issuer, ledger }, wrong }: Set): void {
  const digests = new Map<string, Pick<Grant, 'entitlements' | 'fingerprint'>>();
  // A fingerprint belongs to one caller, and its row is reserved before the mint.
  const personOf = (fingerprint: string) =>
    ledger.facts().find((lease) => lease.fingerprint === fingerprint)?.caller.subject;
  const mint = issuer.mint.bind(issuer);
  issuer.mint = async (grant, deadline) => {
    const changed = issuer.live().filter(({ token, user }) => {
      const other = digests.get(token);
      if (user !== grant.user || other === undefined || other.entitlements === undefined) return false;
      return other.entitlements !== grant.entitlements && personOf(other.fingerprint) !== personOf(grant.fingerprint);
    });
    if (grant.entitlements !== undefined)
      wrong.push(...changed.map(({ token }) => `a mint changed what ${token} shows`));
    const outcome = await mint(grant, deadline);
    if (outcome.outcome === 'minted') digests.set(outcome.minted.token, grant);
    return outcome;
  };
}

const mintsAtMost =
  (most: number) =>
  ({ world }: Set) =>
    world.issuer.calls.mint <= most ? [] : [`${world.issuer.calls.mint} mints instead of ${most}`];
const presentsOnce = ({ world: { issuer } }: Set) =>
  issuer.calls.revoke
    .filter((token, at, all) => all.indexOf(token) < at)
    .map((token) => `${token} was presented twice`);

/** ann's devices are two callers of one ThoughtSpot user. */
const byDevice: WorldOptions = {
  grant: (who): Partial<Grant> => ({ entitlements: who.subject.includes('/') ? 'digest-b' : 'digest-a' }),
};
/** A new policy changes what ann's two callers see, and sandboxes of both versions run side by side. */
const byVersion: WorldOptions = {
  grant: (_who, request): Partial<Grant> => ({ entitlements: request.grant === 'changed' ? 'digest-b' : 'digest-a' }),
};
const oneAMinute: WorldOptions = {
  limits: { ...HIGHEST_LIMITS, caller: { mintsPerMinute: 1, liveLeases: 10 } },
};
const [, , annAsUser, , annAsSubject, annAsSession] = scopesOf('ann') as [Scope, Scope, Scope, Scope, Scope, Scope];

const PLOTS: Readonly<Record<string, Plot>> = {
  'a mint and a sign-out of its user': { acts: { ann: asks('ann'), ops: signsOut(annAsUser) } },
  'a mint and a sign-out of all': { acts: { ann: asks('ann'), ops: signsOut(ALL) } },
  'a mint and a suspension of its subject': { acts: { ann: asks('ann'), ops: suspends(annAsSubject) } },
  'a mint and a sign-out of its session': { acts: { ann: asks('ann'), ops: signsOut(annAsSession) } },
  'a mint and a revocation by its caller': { acts: { ann: asks('ann'), also: revokesMine('ann') } },
  'a mint and a cut-off of all': { acts: { ann: asks('ann'), nightly: cutsOff } },
  'a reuse and a suspension of its user': {
    acts: { ann: asks('ann'), ops: suspends(userScope('ann')) },
    holders: ['ann'],
  },
  'a suspension, its end, and a mint': {
    acts: { ops: suspends(annAsUser), ann: asks('ann'), boss: reinstates(annAsUser) },
  },
  'a fresh token and a revocation of the old one': {
    acts: { ann: asks('ann', true), also: revokesMine('ann') },
    holders: ['ann'],
  },
  // Whoever comes after a crash cannot know that a token was minted.
  'two of the same': { acts: { one: asks('ann'), two: asks('ann') }, also: mintsAtMost(NIGHTLY ? 2 : 1) },
  'a shared token, asked for by one and blocked for another': {
    acts: { one: asks('shared/one'), ops: suspends(subjectScope('shared/two')) },
    holders: ['shared/two'],
  },
  'a sweep and a revocation': { acts: { sweep: sweeps, ann: revokesMine('ann') }, holders: ['ann'], ageMs: 200_000 },
  'a cut-off of all and a sweep': { acts: { nightly: cutsOff, sweep: sweeps }, holders: ['ann', 'bob'] },
  'two sweeps': {
    acts: { nightly: cutsOff, one: sweeps, two: sweeps },
    holders: ['ann'],
    also: presentsOnce,
  },
  'two entitlements for one user': { acts: { laptop: asks('ann'), phone: asks('ann/phone') }, options: byDevice },
  'a change of entitlements between two mints, and a mint of another caller after it': {
    acts: { before: asksFor('default'), after: asksFor('changed'), phone: asksFor('changed', 'ann/phone') },
    options: byVersion,
  },
  'two mints of a caller who may have one': {
    acts: { one: asksFor('one'), two: asksFor('two') },
    options: oneAMinute,
    also: mintsAtMost(1),
  },
};

const BY_DAY: Bounds = { preemptions: 2, crashes: 0, staleReads: 1 };
const BY_NIGHT: Bounds = { preemptions: 2, crashes: 1, staleReads: 1 };
/** Plots with so many orders that one pre-emption must do: by day, and by night with a crash. */
const LONG: readonly string[] = [
  'two sweeps',
  'a change of entitlements between two mints, and a mint of another caller after it',
];
const boundsOf = (name: string): readonly Bounds[] => {
  if (!LONG.includes(name)) return [NIGHTLY ? BY_NIGHT : BY_DAY];
  return NIGHTLY ? [BY_DAY, { ...BY_NIGHT, preemptions: 1 }] : [{ ...BY_DAY, preemptions: 1 }];
};

describe('in every order that two pre-emptions allow', () => {
  const counted: string[] = [];
  afterAll(
    () => void process.stdout.write(`\norders, ${NIGHTLY ? 'with' : 'without'} crashes\n${counted.join('\n')}\n`),
  );

  test.each(Object.entries(PLOTS))(
    '%s',
    async (name, plot) => {
      for (const bounds of boundsOf(name)) {
        const { schedules, found } = await explore(scenarioOf(plot), bounds);
        counted.push(`${String(schedules).padStart(8)}  ${name}`);
        if (found) throw new Error(formatFound(found));
      }
    },
    3_600_000,
  );
});

// --- what it would find ----------------------------------------------------------------------------------------------

type Broken = NonNullable<Stage['broken']>;
const brokenLedger =
  (change: (ledger: TokenLedger) => Partial<TokenLedger>): Broken =>
  ({ ledger, issuer }) => ({ issuer, ledger: { ...ledger, ...change(ledger) } });

/** The blocks of the first look, kept for the second one. */
function looksOnce(ledger: TokenLedger): Partial<TokenLedger> {
  let blocks: Awaited<ReturnType<TokenLedger['standing']>>['blocks'] = [];
  return {
    async standing(...args) {
      const standing = await ledger.standing(...args);
      blocks = standing.blocks;
      return standing;
    },
    recheck: async (...args) => ({ ...(await ledger.recheck(...args)), blocks }),
  };
}

/** What the second look should find is read as the live write begins. */
function looksTooEarly(ledger: TokenLedger): Partial<TokenLedger> {
  let early: ReturnType<TokenLedger['blocksOn']> | undefined;
  return {
    async transition(key, change, deadline) {
      const { user, orgId } = (await ledger.get(key, deadline)) ?? { user: key.user, orgId: 1 };
      if (change.to === 'live') early = ledger.blocksOn({ user, orgId }, deadline);
      return ledger.transition(key, change, deadline);
    },
    recheck: async (...args) => ({ ...(await ledger.recheck(...args)), blocks: (await early) ?? [] }),
  };
}

/** The user is held only when the mint has been sent. */
const holdsAfterTheSend: Broken = ({ ledger, issuer }) => {
  const late: (() => Promise<unknown>)[] = [];
  return {
    ledger: {
      ...ledger,
      async holdUser(...args) {
        late.push(() => ledger.holdUser(...args));
        return true;
      },
    },
    issuer: {
      ...issuer,
      async mint(...args) {
        const outcome = await issuer.mint(...args);
        for (const hold of late.splice(0)) await hold();
        return outcome;
      },
    },
  };
};

const FAULTS: readonly (readonly [fault: string, plot: keyof typeof PLOTS, broken: Broken])[] = [
  [
    'a reservation is written without its condition',
    'two of the same',
    brokenLedger((ledger) => ({ reserve: async (...args) => (await ledger.reserve(...args)) || true })),
  ],
  [
    "one's own row is not read again",
    'a mint and a revocation by its caller',
    brokenLedger((ledger) => ({
      async recheck(key, ...rest) {
        const { lease, ...found } = await ledger.recheck(key, ...rest);
        return { ...found, lease: lease && { ...lease, state: 'live' } };
      },
    })),
  ],
  ['blocks are read before the live write', 'a mint and a sign-out of all', brokenLedger(looksTooEarly)],
  ['blocks are read before the reservation only', 'a mint and a sign-out of all', brokenLedger(looksOnce)],
  [
    'blocks are read after the live write only',
    'a mint and a suspension of its subject',
    brokenLedger((ledger) => ({ standing: async (...args) => ({ ...(await ledger.standing(...args)), blocks: [] }) })),
  ],
  ['the user is held after the send', 'two entitlements for one user', holdsAfterTheSend],
  [
    'a change of entitlements forgets how long older tokens live',
    'a change of entitlements between two mints, and a mint of another caller after it',
    brokenLedger((ledger) => ({
      replaceUserHold: (user, read, { mixedUntil: _mixedUntil, ...next }, deadline) =>
        ledger.replaceUserHold(user, read, next, deadline),
    })),
  ],
  [
    'a mint is counted without looking at what others have counted',
    'two mints of a caller who may have one',
    brokenLedger((ledger) => ({
      addMark: (caller, ring, mark, _most, deadline) => ledger.addMark(caller, ring, mark, Infinity, deadline),
    })),
  ],
  [
    'a row is claimed without a condition',
    'two sweeps',
    brokenLedger((ledger) => ({
      transition: (key, { ifDueAt: _ifDueAt, ...change }, deadline) => ledger.transition(key, change, deadline),
    })),
  ],
];

test.each(FAULTS)('it is found that %s', async (fault, plot, broken) => {
  const scenario = scenarioOf(PLOTS[plot] ?? { acts: {} }, broken);
  const { schedules, found } = await explore(scenario, BY_DAY);
  if (!found) throw new Error(`not found in ${schedules} orders`);
  process.stdout.write(
    `${fault}: order ${schedules}, ${found.steps.length} steps, ${found.choices.filter((choice) => choice > 0).length} deviations: ${found.problems[0]}\n`,
  );
  // The same choices play the same order again.
  expect((await play(scenario, BY_DAY, found.choices)).found).toEqual(found);
});
