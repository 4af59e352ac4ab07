/**
 * What happens at once in the tests of every order: a plot is a few processes, who has a token when it begins, and what
 * must be true whatever the order is.
 */
import type { Grant } from '../../functions/broker/ports.ts';
import type { IssuedToken, Revoker, RevokeSelection } from '../../functions/broker/use-cases.ts';
import { drain, released, unaccounted } from './accounting.ts';
import { asCaller, asOperator, EVENT, makeWorld, type Process, type World, type WorldOptions } from './broker-world.ts';
import { settled } from './crashing-process.ts';
import type { Scenario, Stage } from './explorer.ts';
import { HIGHEST_LIMITS } from './raised-limits.ts';
import { makeShutOuts, scopesOf, type Scope, type ShutOuts, subjectScope } from './shut-out.ts';

interface Set {
  readonly world: World;
  readonly shutOuts: ShutOuts;
  /** What the holders have, by name. */
  readonly held: ReadonlyMap<string, IssuedToken>;
  /** Tokens whose revocation was accepted: none may live in the end. */
  readonly mustEnd: { readonly token: string; readonly what: string }[];
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
/** What it covers as the plot begins ends; an answer that leaves nothing pending says that it has ended already. */
const revokes =
  (what: string, who: Revoker, selection: (set: Set) => RevokeSelection): Act =>
  (set) =>
  async (process) => {
    const tokens = [...set.held.values()].map(({ token }) => token);
    const { pending } = await process.revoke(who, selection(set));
    set.mustEnd.push(...tokens.map((token) => ({ token, what })));
    const live = set.world.issuer.live().map(({ token }) => token);
    const left = pending === 0 ? tokens.filter((token) => live.includes(token)) : [];
    set.wrong.push(...left.map((token) => `${token} lives, though the revocation ${what} is done`));
  };
const logsOut =
  (scope: Scope): Act =>
  ({ shutOuts, beganAt }) =>
  (process) =>
    shutOuts.logOut(process, scope, beganAt);
const deprovisions =
  (scope: Scope): Act =>
  ({ shutOuts, beganAt }) =>
  (process) =>
    shutOuts.deprovision(process, scope, beganAt);
const cutsOff: Act = () => (process) => process.revoke(EVENT, { kind: 'all' });
const sweeps: Act = () => (process) => process.sweep();

export interface Plot {
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
export function scenarioOf(
  { acts, holders = [], options = {}, ageMs = 5_000, also }: Plot,
  broken?: Stage['broken'],
): Scenario {
  return async () => {
    const world = makeWorld({ shards: 2, ...options });
    const { clock, issuer } = world;
    const shutOuts = makeShutOuts(world);
    const held = new Map<string, IssuedToken>();
    for (const who of holders) held.set(who, await shutOuts.getToken(world.process(), who, clock.now()));
    await clock.advance(ageMs);
    const set: Set = { world, shutOuts, held, mustEnd: [], beganAt: clock.now(), wrong: [] };
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
      const live = issuer.live().map(({ token }) => token);
      found.push(
        ...set.mustEnd
          .filter(({ token }) => live.includes(token))
          .map(({ token, what }) => `${token} outlives ${what}`),
      );
      issuer.revokeFault = undefined;
      return [...found, ...(await drain(world))];
    };
    return { world, actors, problems, ...(broken && { broken }) };
  };
}

/**
 * Writes down every mint that changes what the live token of another person shows. Entitlements are the user's own, as
 * ThoughtSpot keeps variables and groups: after a mint, all tokens of the user show the same.
 */
function watchEntitlements({ world: { issuer, ledger }, wrong }: Set): void {
  const minted = new Map<string, { readonly person: string | undefined; shows: string | undefined }>();
  // A fingerprint belongs to one caller, and its row is reserved before the mint.
  const personOf = (fingerprint: string) =>
    ledger.facts().find((lease) => lease.fingerprint === fingerprint)?.caller.subject;
  const mint = issuer.mint.bind(issuer);
  issuer.mint = async (grant, deadline) => {
    const outcome = await mint(grant, deadline);
    const person = personOf(grant.fingerprint);
    if (outcome.outcome === 'minted') minted.set(outcome.minted.token, { person, shows: grant.entitlements });
    for (const { token, user } of grant.entitlements === undefined ? [] : issuer.live()) {
      const other = minted.get(token);
      if (user !== grant.user || other === undefined) continue;
      if (other.shows !== grant.entitlements && other.person !== person)
        wrong.push(`a mint changed what ${token} shows`);
      other.shows = grant.entitlements;
    }
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

/** What a caller or an operator may ask to end, besides people. */
const REVOCATIONS: Readonly<Record<string, readonly [Revoker, (set: Set) => RevokeSelection]>> = {
  'of all own leases': [asCaller('ann'), () => ({ kind: 'mine' })],
  'by lease id': [asCaller('ann'), ({ held }) => ({ kind: 'lease', leaseId: held.get('ann')?.lease.leaseId ?? '' })],
  'by token': [asCaller('ann'), ({ held }) => ({ kind: 'token', token: held.get('ann')?.token ?? '' })],
  'by token of an operator': [asOperator(), ({ held }) => ({ kind: 'token', token: held.get('ann')?.token ?? '' })],
  'of a user': [asOperator(), () => ({ kind: 'user', userNames: ['ann'] })],
  'of a rule': [asOperator(), () => ({ kind: 'rule', rule: 'rule' })],
  'of a version of the policy': [asOperator(), () => ({ kind: 'policy', policyVersion: 'v1' })],
};
const BESIDE: readonly (readonly [what: string, act: Act, holders: readonly string[]])[] = [
  ['a mint', asks('ann'), []],
  ['a reuse', asks('ann'), ['ann']],
  ['a fresh token', asks('ann', true), ['ann']],
];
/** Everybody who can be shut out in one way, and every way, beside whatever they may ask for. */
const CROSSED = Object.fromEntries([
  ...BESIDE.flatMap(([what, ann, holders]) =>
    (
      [
        ['a sign-out', signsOut, scopesOf('ann')],
        ['a suspension', suspends, scopesOf('ann')],
        ['a logout', logsOut, [annAsSubject, annAsSession]],
        ['a deprovisioning', deprovisions, [annAsUser, annAsSubject]],
      ] as const
    ).flatMap(([how, act, scopes]) =>
      scopes.map((scope): [string, Plot] => [
        `${what} and ${how} of ${scope.name}`,
        { acts: { ann, ops: act(scope) }, holders },
      ]),
    ),
  ),
  ...BESIDE.slice(1).flatMap(([beside, ann, holders]) =>
    Object.entries(REVOCATIONS).map(([what, [who, selection]]): [string, Plot] => [
      `${beside} and a revocation ${what}`,
      { acts: { ann, also: revokes(what, who, selection) }, holders },
    ]),
  ),
]);

export const PLOTS: Readonly<Record<string, Plot>> = {
  ...CROSSED,
  'a mint and a revocation by its caller': { acts: { ann: asks('ann'), also: revokesMine('ann') } },
  'a mint and a cut-off of all': { acts: { ann: asks('ann'), nightly: cutsOff } },
  'a suspension, its end, and a mint': {
    acts: { ops: suspends(annAsUser), ann: asks('ann'), boss: reinstates(annAsUser) },
  },
  'a fresh token and a revocation of the old one': {
    acts: { ann: asks('ann', true), also: revokesMine('ann') },
    holders: ['ann'],
  },
  // Whoever comes after a crash cannot know that a token was minted.
  'two of the same': {
    acts: { one: asks('ann'), two: asks('ann') },
    also: mintsAtMost(process.env.NIGHTLY === '1' ? 2 : 1),
  },
  'a shared token, asked for by one and blocked for another': {
    acts: { one: asks('shared/one'), ops: suspends(subjectScope('shared/two')) },
    holders: ['shared/two'],
  },
  'a sweep and a revocation': { acts: { sweep: sweeps, ann: revokesMine('ann') }, holders: ['ann'], ageMs: 200_000 },
  'a cut-off of all and a sweep': { acts: { nightly: cutsOff, sweep: sweeps }, holders: ['ann', 'bob'] },
  'a cut-off of all, worked off page by page, and a mint': {
    acts: { sweep: sweeps, nightly: cutsOff, ann: asks('ann') },
    holders: ['ann', 'bob', 'cid'],
    options: { shards: 1, sweep: { pageSize: 1 } },
  },
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
