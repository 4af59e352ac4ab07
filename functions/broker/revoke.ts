/**
 * Use case revoketoken. State first: a row that says `revoking` is never served again, and a process that mints its token
 * revokes it, whatever happens afterwards. ThoughtSpot second, within a time budget; the sweep carries on with the rest.
 */
import { makeRequireActive } from './admission.ts';
import { type Block, type BlockScope, EVER, isOneCallers, isSuspended, type Raising } from './blocks.ts';
import { isOf, leasesUnder } from './cut-off-work.ts';
import { endAtThoughtSpot, type Ending, openToken } from './end-at-thoughtspot.ts';
import { Failure } from './failure.ts';
import { inParallel } from './in-parallel.ts';
import { closesAt, isUnfinished, type Lease, leaseFacts, SHARED } from './lease.ts';
import { recordBlock, requester, requireOperator, scopesOf, selectLeases, type Unledgered } from './lease-selection.ts';
import type { Change, Entitlements, World } from './ports.ts';
import { BUDGET_SETTINGS, makeUpstreamBudget, type UpstreamBudget } from './upstream-budget.ts';
import type { BlockedSelection, Revoker, RevokeSelection, RevokeTally, RevokeTokens, ShutOut } from './use-cases.ts';

/** Settings of revoketoken; times in ms. */
export const REVOKE_SETTINGS = {
  ...BUDGET_SETTINGS,
  /** Rows that are written at once. */
  width: 8,
  /** Longest that an answer waits for ThoughtSpot, all rows together. */
  upstreamMs: 10_000,
  /** Kept of the deadline for writing outcomes. */
  writeMs: 2_000,
  /** Longest that the answer to an issuer waits, once a logout is on record. */
  logoutMs: 1_500,
  /** How far clocks of sandboxes may differ: a cut-off covers rows of clocks that run ahead by this much. */
  clockAllowanceMs: 1_000,
  /** How far an issuer's clock may be ahead: a sign-out by our clock covers `iat` of up to so much later. */
  issuerAllowanceMs: 5_000,
  /** An `asOf` further ahead than this is refused: it would cover rows that do not exist yet. */
  futureMs: 300_000,
};
export type RevokeSettings = Readonly<typeof REVOKE_SETTINGS>;

/** What one call of the use case brings. */
interface Ask {
  readonly revoker: Revoker;
  readonly asOf: number;
  /** What an event covers was reserved before it: in the second that it names, by a clock that may run ahead. */
  readonly before: number;
  readonly deadline: number;
  readonly settings: RevokeSettings;
}

/**
 * Resolves once the revocation is durable: every selected row is `revoking` or finished (or, for `org` and `all`, the
 * cut-off is written). Doing it again changes nothing. Throws `Failure`: then ask again, what was done stays done.
 * `settings` replaces parts of REVOKE_SETTINGS.
 */
export function makeRevokeTokens(
  world: World & Pick<Entitlements, 'usersOf'> & { readonly settings?: Partial<RevokeSettings> },
): RevokeTokens {
  const settings = { ...REVOKE_SETTINGS, ...world.settings };

  return async (revoker, selection, asOf, deadline, shutOut = {}) => {
    if (!(asOf <= world.clock.now() + settings.futureMs)) {
      throw new Failure('invalid-request', { reason: 'the revocation is dated in the future' });
    }
    // EventBridge dates events by whole seconds.
    const wholeSecondMs = revoker.kind === 'event' && asOf % 1_000 === 0 ? 1_000 : 0;
    // A cut-off that lies ahead would make mints look as if they were of the future.
    const before = Math.min(asOf, world.clock.now()) + wholeSecondMs + settings.clockAllowanceMs;
    const ask = { revoker, asOf, before, deadline, settings };
    if (selection.kind !== 'mine' && revoker.kind === 'caller' && revoker.mayRevokeOthers)
      await makeRequireActive(world)(revoker.caller, deadline);
    if (raisesBlock(revoker, selection, shutOut)) {
      requireOperator(revoker);
      return block(world, ask, scopesOf(selection), shutOut);
    }
    let unmatched = 0;
    const selected = await selectLeases(world, revoker, selection, deadline, () => (unmatched += 1));
    if (!('leases' in selected)) return endUnledgered(world, ask, selected);
    const tally = await endLeases(world, ask, selected.leases);
    return { ...tally, ...reportUnmatched(world, ask, unmatched) };
  };
}

/**
 * A person can end leases of users by themselves; whatever else is asked of a `BlockedSelection` begins with a block. An
 * event raises the cut-off, too: what is minted after it lies beyond, so that a second delivery changes nothing.
 */
function raisesBlock(revoker: Revoker, selection: RevokeSelection, { kind }: ShutOut): selection is BlockedSelection {
  if (selection.kind === 'user')
    return kind !== undefined || revoker.kind === 'event' || (selection.subjects ?? []).length > 0;
  return selection.kind !== 'mine' && selection.kind !== 'lease' && selection.kind !== 'token';
}

/**
 * The blocks first, all of them: from then on nobody gets a token. Then what lives is ended, but for all and for orgs, whose
 * rows the sweep processes. What is left undone here is left to the sweep.
 */
async function block(world: World, ask: Ask, scopes: readonly BlockScope[], shutOut: ShutOut): Promise<RevokeTally> {
  const { settings, deadline, revoker } = ask;
  const blocks: Block[] = [];
  let ignored = 0;
  await inParallel(scopes, settings.width, async (scope) => {
    const block = await raise(world, ask, scope, shutOut);
    if (shutOut.kind === 'suspend' && !isSuspended(block)) return void (ignored += 1);
    blocks.push(block);
    recordBlock(world, shutOut.kind ?? 'cut-off', revoker, scope);
  });
  const rest = { ...(ignored > 0 && { ignored }) };
  if (scopes.some(({ kind }) => kind === 'org' || kind === 'all'))
    return { revoked: 0, pending: ignored > 0 ? 0 : null, ...rest };
  let unmatched = 0;
  let sharedLeft = 0;
  async function* covered(deadline: number): AsyncGenerator<Lease> {
    for (const one of blocks) {
      const { scope } = one;
      if (scope.kind === 'all' || scope.kind === 'org') continue;
      let matched = false;
      for await (const lease of leasesUnder(world.ledger, scope, deadline)) {
        if (!isOf(scope, lease)) continue;
        matched = true;
        if (lease.shared && isOneCallers(scope)) continue;
        // An event that comes late means those who are suspended all the same.
        if (revoker.kind !== 'event' || lease.reservedAt < one.before || isSuspended(one)) yield lease;
      }
      if (!matched && scope.kind !== 'policy' && scope.kind !== 'rule') unmatched += 1;
    }
    if (isLogout(revoker) || !blocks.some(({ scope }) => isOneCallers(scope))) return;
    // Who has been given a shared lease is not on record: any of them may have been.
    for await (const lease of leasesUnder(world.ledger, SHARED, deadline))
      if (shutOut.endShared === true) yield lease;
      else if (lease.state === 'live') sharedLeft += 1;
  }
  const tally = await (isLogout(revoker)
    ? endWhatOneCan(world, ask, covered)
    : endLeases(world, ask, covered(deadline)));
  // Read strongly and to the end: there is nothing left for the sweep to find.
  const users = blocks.filter(({ scope, pending }) => scope.kind === 'user' && pending);
  await inParallel(users, settings.width, (one) => world.ledger.advanceBlock(one, null, EVER, deadline));
  // An index may hide more from this look: the sweep looks again.
  const mayHide = blocks.some(({ scope, pending }) => scope.kind !== 'user' && pending);
  const more = { ...reportUnmatched(world, ask, unmatched), ...(sharedLeft > 0 && { sharedLeft }), ...rest };
  return { ...tally, ...(mayHide && { pending: null }), ...more };
}

const isLogout = (revoker: Revoker) => revoker.kind === 'event' && revoker.source === 'logout';

/** An issuer does not ask again, and waits for seconds only: the sweep does what cannot be done in time. */
async function endWhatOneCan(
  world: World,
  ask: Ask,
  covered: (deadline: number) => AsyncIterable<Lease>,
): Promise<RevokeTally> {
  const deadline = Math.min(ask.deadline, world.clock.now() + ask.settings.logoutMs);
  try {
    return await endLeases(world, { ...ask, deadline }, covered(deadline));
  } catch (error) {
    world.log.warn('what a logout covers is left to the sweep', { error });
    return { revoked: 0, pending: null };
  }
}

/** Raises a block; twice where the write took so long that it may not cover what was minted meanwhile, unless it is dated. */
async function raise({ ledger, clock }: World, ask: Ask, scope: BlockScope, shutOut: ShutOut): Promise<Block> {
  const { settings, deadline, revoker } = ask;
  const { was, block } = await ledger.raiseBlock(scope, raisingOf(ask, shutOut), deadline);
  const before = clock.now() + settings.clockAllowanceMs;
  const covers = before - block.before < settings.clockAllowanceMs / 2;
  const dated = revoker.kind === 'event' && !isLogout(revoker);
  if (covers || dated || shutOut.kind === undefined || block === was) return block;
  const { kind: _, ...rest } = shutOut;
  return (await ledger.raiseBlock(scope, raisingOf({ ...ask, before }, rest), deadline)).block;
}

/** An event may come twice, which must change nothing. A person means what there is now, whatever was asked before. */
function raisingOf({ revoker, asOf, before, deadline, settings }: Ask, shutOut: ShutOut): Raising {
  const { issuerAllowanceMs } = settings;
  return {
    // A mint that begins after this is written takes a `reservedAt` that is not covered, whatever its clock says.
    before,
    always: revoker.kind !== 'event',
    dueAt: deadline,
    ...(shutOut.kind === 'suspend' && { suspendedAt: asOf }),
    ...(shutOut.kind === 'sign-out' && { signedOut: shutOut.issuedUpTo ?? asOf + issuerAllowanceMs }),
    ...(shutOut.endShared === true && { endsShared: true }),
  };
}

function reportUnmatched({ signals, log }: World, { revoker }: Ask, unmatched: number) {
  // Many a user signs out who holds nothing here.
  if (unmatched === 0 || isLogout(revoker)) return {};
  signals.emit('unmatched-name', unmatched);
  log.warn('a revocation names users of whom no token lives', { unmatched, ...requester(revoker) });
  return { unmatched };
}

async function endLeases(world: World, ask: Ask, leases: Iterable<Lease> | AsyncIterable<Lease>): Promise<RevokeTally> {
  const { clock, signals } = world;
  const { settings, deadline } = ask;
  const until = Math.min(clock.now() + settings.upstreamMs, deadline - settings.writeMs);
  let revoked = 0;
  let pending = 0;
  const toPresent: Lease[] = [];
  await inParallel(leases, settings.width, async (lease) => {
    const accepted = await accept(world, ask, lease);
    if (accepted === 'ended') revoked += 1;
    else if (accepted === 'pending') pending += 1;
    else toPresent.push(accepted);
  });

  const budget = makeUpstreamBudget(clock, world.randomness, settings);
  let confirmed = 0;
  let refused = 0;
  await inParallel(toPresent, settings.maxInFlight, async (lease) => {
    const end = await present(world, budget, lease, until, deadline);
    if (!end || end.failure) pending += 1;
    else if (end.confirmed) confirmed += 1;
    else refused += 1;
  });
  if (confirmed > 0) signals.emit('revoked', confirmed);
  return { revoked: revoked + confirmed + refused, pending };
}

/** The revocation is durable already: if there is no turn, or the ledger fails now, the sweep carries on. */
async function present(
  world: World,
  budget: UpstreamBudget,
  lease: Lease,
  until: number,
  deadline: number,
): Promise<Ending | undefined> {
  try {
    const opened = await openToken(world, lease, deadline);
    if (!('token' in opened)) return opened;
    const end = await budget.run(until, () => endAtThoughtSpot(world, lease, opened, until, deadline));
    return typeof end === 'string' ? undefined : end.result;
  } catch (error) {
    world.log.warn('a revocation is left to the sweep', { error });
    return undefined;
  }
}

/** Makes a row `revoking`. Returns it if ThoughtSpot must be called; `pending` if another process does or will do that. */
async function accept(world: World, ask: Ask, lease: Lease): Promise<'ended' | 'pending' | Lease> {
  const { ledger, clock } = world;
  const { revoker, deadline } = ask;
  const now = clock.now();
  if (!isUnfinished(lease.state) || now >= closesAt(lease)) return 'ended';
  // There is no token to revoke with: it waits for its latest possible end.
  if (lease.state === 'orphaned') return 'pending';
  if (lease.state === 'revoking' && (!lease.sealed || lease.dueAt === undefined || lease.dueAt > now)) return 'pending';

  // If this process dies, the sweep takes over after the deadline; without a token not before the minter's own time.
  const takeOverAt = Math.max(deadline, lease.state === 'reserved' ? lease.mintDeadlineAt : 0);
  const seen: Pick<Change, 'from' | 'ifDueAt'> =
    lease.state === 'revoking' && lease.dueAt !== undefined
      ? { from: ['revoking'], ifDueAt: lease.dueAt }
      : { from: ['reserved', 'live'] };
  const row = await ledger.transition(lease, { to: 'revoking', ...seen, dueAt: takeOverAt }, deadline);
  if (row) {
    world.audit.record({ action: 'revoke-requested', ...leaseFacts(row), ...requester(revoker) });
    return row.sealed ? row : 'pending';
  }
  const current = await ledger.get(lease, deadline);
  return current && isUnfinished(current.state) ? 'pending' : 'ended';
}

/** An operator holds a token that no row knows, from before a restore of the table for instance: it is ended all the same. */
async function endUnledgered(world: World, ask: Ask, { token, session }: Unledgered): Promise<RevokeTally> {
  if (!session) return { revoked: 1, pending: 0 };
  const outcome = await world.issuer.revoke(token, session.userName, ask.deadline);
  if (outcome.outcome === 'retry') throw outcome.failure;
  if (outcome.outcome === 'not-accepted') return { revoked: 1, pending: 0 };
  const { reasons = [], ...who } = requester(ask.revoker);
  world.audit.record({ action: 'revoke', ...who, reasons: [...reasons, 'no lease knew the token'] });
  world.signals.emit('revoked');
  return { revoked: 1, pending: 0 };
}
