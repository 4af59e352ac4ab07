/**
 * One mint, from the reservation to the release: reserve (a durable record of the intent) -> count it, hold the user -> mint ->
 * check the reply -> live -> check the cut-offs -> release. Whatever fails after the mint, the token in hand is revoked
 * and withheld.
 */
import { type Asker, cutOffOf, refusalOf } from './blocks.ts';
import { possibleOwners } from './end-at-thoughtspot.ts';
import { Failure } from './failure.ts';
import { closesAt, type Lease, leaseFacts } from './lease.ts';
import type { Quota } from './mint-limits.ts';
import { holdUser } from './user-hold.ts';
import type { Change, Grant, MintedToken, MintOutcome, Reservation, World } from './ports.ts';

/** Settings of gettoken; times in ms. */
export const MINT_SETTINGS = {
  /** A token with no more life left than this is not served any more. */
  hardMarginMs: 30_000,
  /** At most this many mints of one grant may begin within the window. */
  mintLimit: 5,
  mintLimitWindowMs: 60_000,
  /** Longest that a mint at ThoughtSpot may take. */
  mintTimeoutMs: 10_000,
  /** With less time than this left, no mint is begun. */
  shortestMintMs: 500,
  /** Kept of the deadline for what comes after the mint: the live write, the cut-off check, or the withholding. */
  afterMintMs: 4_000,
  /** How much longer than asked a token may live without being refused: rounding, and the time on the wire. */
  lifetimeToleranceMs: 5_000,
  /** Whether a token is released though ThoughtSpot's reply does not say for which org, of which kind or for which object. */
  repliesWithoutScope: false,
  /** How long after its mint a token is left to live at most: from then on the sweep revokes it. */
  longestUseMs: Number.POSITIVE_INFINITY,
  /** How long after our time-out ThoughtSpot may still carry out a mint whose reply we no longer wait for. */
  lingerMs: 60_000,
  /** Kept of the deadline for withholding: the live write and the check of the cut-offs end before. */
  withholdReserveMs: 2_000,
  /** Longest that the revocation of a withheld token may take, and what is kept of the deadline to write its outcome. */
  withholdMs: 5_000,
  withheldWriteMs: 1_000,
  /** Pauses between two looks at a token that another request mints: from first to longest, growing by half. */
  firstPauseMs: 40,
  longestPauseMs: 500,
  /** Kept of the deadline for reading and answering, when waiting for another request's mint. */
  replyMarginMs: 500,
  /** A token that took longer than this to open is served only after another look at its row. */
  slowOpenMs: 250,
};
export type MintSettings = Readonly<typeof MINT_SETTINGS>;

export interface MintOrder {
  readonly caller: Asker;
  readonly grant: Grant;
  /** Normalised user: the ledger's partition. */
  readonly user: string;
  readonly generation: number;
  /** The cut-off as read before the order: the reservation comes after it. */
  readonly cutOff: number;
  /** As in `Lease`. */
  readonly kept?: number | undefined;
  /** Absent for what no caller is to blame for. */
  readonly quota?: Quota;
}

/** A token from ThoughtSpot that has not been released yet. */
interface TokenInHand {
  readonly reservation: Reservation;
  readonly minted: MintedToken;
  /** What the row becomes if the token is released. */
  readonly issued: Change;
}

/**
 * Returns the token with its live row, or undefined if another request reserved this generation first. Throws `Failure`;
 * then nothing was released.
 */
export async function mint(
  world: World,
  settings: MintSettings,
  order: MintOrder,
  deadline: number,
): Promise<{ readonly token: string; readonly lease: Lease } | undefined> {
  const { ledger, clock, signals, audit } = world;
  const now = clock.now();
  const mintBy = Math.min(now + settings.mintTimeoutMs, deadline - settings.afterMintMs);
  const grant = withinCallersToken(order.grant, now);
  if (mintBy - now < settings.shortestMintMs) {
    throw new Failure('mint-in-progress', { reason: 'too little time is left to mint before the deadline' });
  }
  await order.quota?.look(mintBy);
  const reservation = reservationFor(order, grant, now, mintBy, settings);
  if (!(await ledger.reserve(reservation, mintBy))) return undefined;
  try {
    // Neither needs the other: a hold or a mark without a mint is as after a mint that fails.
    await Promise.all([order.quota?.count(reservation, mintBy), holdUser(world, grant, reservation, mintBy)]);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.code === 'entitlement-conflict') signals.emit('entitlement-conflict');
    throw await recordNoToken(world, reservation, { outcome: 'not-minted', failure: error }, deadline);
  }

  const sentAt = clock.now();
  const outcome = await world.issuer.mint(grant, mintBy).catch(lostReply);
  const receivedAt = clock.now();
  if (outcome.outcome !== 'minted') throw await recordNoToken(world, reservation, outcome, deadline);

  const { minted } = outcome;
  signals.emit('mint-latency', receivedAt - sentAt);
  const issued = issuedChange(grant, minted, sentAt, receivedAt, settings);
  const releaseBy = deadline - settings.withholdReserveMs;
  try {
    checkReply(world, grant, minted, settings);
    const lease = await ledger.transition(reservation, issued, releaseBy);
    if (!lease) throw superseded('the reservation was taken away while minting');
    // Read after the live write: a revocation before it is seen here, one that comes after it sees the live row.
    const stopped = await stopOf(world, lease, order.caller, releaseBy);
    if (stopped) throw stopped;
    if (clock.now() >= releaseBy) throw new Failure('mint-in-progress', { reason: 'the sandbox stood still' });
    signals.emit('minted');
    audit.record({ action: 'mint', ...leaseFacts(lease) });
    return { token: minted.token, lease };
  } catch (error) {
    await withhold(world, settings, { reservation, minted, issued }, error, deadline);
    throw error;
  }
}

/** Why a lease that was live must not go to this caller any more, by what is there now; undefined: it may. One read. */
export async function stopOf(
  { ledger, clock }: Pick<World, 'ledger' | 'clock'>,
  live: Lease,
  caller: Asker,
  deadline: number,
): Promise<Failure | undefined> {
  const { lease, blocks } = await ledger.recheck(live, caller, deadline);
  const refusal = refusalOf(blocks, caller.issuedAt, clock.now());
  if (refusal) return refusal;
  const served = lease?.state === 'live' && lease.reservedAt >= cutOffOf(blocks, lease.shared);
  return served ? undefined : superseded('a revocation came meanwhile');
}

/** Cuts the validity to the end of the caller's own token, where the rule binds to it: time has passed since it decided. */
function withinCallersToken(grant: Grant, now: number): Grant {
  if (grant.notAfter === undefined) return grant;
  const validitySeconds = Math.min(grant.validitySeconds, Math.floor((grant.notAfter - now) / 1_000));
  if (validitySeconds < 1) throw new Failure('not-entitled', { reason: "the caller's own token has ended" });
  return { ...grant, validitySeconds };
}

function reservationFor(
  { caller, user, generation, cutOff, kept }: MintOrder,
  grant: Grant,
  now: number,
  mintBy: number,
  settings: MintSettings,
): Reservation {
  return {
    user,
    fingerprint: grant.fingerprint,
    generation,
    userName: grant.user,
    caller: { issuer: caller.issuer, subject: caller.subject },
    ...(caller.session === undefined ? {} : { session: caller.session }),
    shared: grant.share,
    orgId: grant.orgId,
    kind: grant.rights.kind,
    rule: grant.rule,
    grant: grant.name,
    policyVersion: grant.policyVersion,
    ...(grant.entitlements === undefined ? {} : { entitlements: grant.entitlements }),
    // The cut-off was read first, so this comes after it, even if the clock that wrote it runs ahead of ours.
    reservedAt: Math.max(now, cutOff),
    ...(kept === undefined ? {} : { kept }),
    mintDeadlineAt: mintBy + settings.afterMintMs,
    latestEndAt: mintBy + settings.lingerMs + grant.validitySeconds * 1_000 + settings.lifetimeToleranceMs,
  };
}

/** The row of a minted token. `expiresAt` is its earliest end, `endsAt` its latest. */
function issuedChange(
  grant: Grant,
  minted: MintedToken,
  sentAt: number,
  receivedAt: number,
  settings: MintSettings,
): Change {
  const endsAt = receivedAt + minted.longestLifetimeMs;
  const asked = receivedAt + grant.validitySeconds * 1_000 + settings.lifetimeToleranceMs;
  // A token that may live longer than was asked is not left to its own end: the sweep revokes it.
  const over = endsAt > asked ? asked : closesAt({ endsAt, latestEndAt: endsAt });
  return {
    to: 'live',
    from: ['reserved'],
    dueAt: Math.min(over, receivedAt + settings.longestUseMs),
    token: minted.token,
    issuedAt: sentAt,
    expiresAt: sentAt + minted.lifetimeMs,
    endsAt,
    ...(minted.createdAt === undefined ? {} : { upstreamCreatedAt: minted.createdAt }),
    lifetimeSeconds: Math.floor(minted.lifetimeMs / 1_000),
    tokenType: minted.tokenType,
  };
}

function checkReply({ signals, log }: World, grant: Grant, minted: MintedToken, settings: MintSettings): void {
  const wrong = mismatches(grant, minted, settings);
  if (wrong.length === 0) return;
  signals.emit('upstream-mismatch');
  const reason = `ThoughtSpot's token is not the one asked for: ${wrong.join(', ')}`;
  log.error('mint withheld', { rule: grant.rule, grant: grant.name, reason });
  throw new Failure('upstream-mismatch', { reason });
}

/**
 * What is wrong with a mint's reply, in words without any value; empty: it is what was asked for. What the reply does not
 * say cannot be compared: that is wrong too, unless `repliesWithoutScope` says that this ThoughtSpot never says it.
 */
export function mismatches(
  grant: Grant,
  minted: MintedToken,
  { repliesWithoutScope, lifetimeToleranceMs }: Pick<MintSettings, 'repliesWithoutScope' | 'lifetimeToleranceMs'>,
): string[] {
  const wrong: string[] = [];
  // ThoughtSpot may return a name in the case in which it stores it; in everything else the names must be the same.
  if (minted.userName.toLowerCase() !== grant.user.toLowerCase()) wrong.push('it is for another user');
  const scope: [difference: string, said: unknown, asked: unknown][] = [
    ['for another organisation', minted.orgId, grant.orgId],
    ['of another kind', minted.kind, grant.rights.kind],
  ];
  if (grant.rights.kind === 'object')
    scope.push(['for another object', minted.objectId?.toLowerCase(), grant.rights.objectId.toLowerCase()]);
  for (const [difference, said, asked] of scope) {
    if (said === asked) continue;
    if (said !== undefined) wrong.push(`it is ${difference}`);
    else if (!repliesWithoutScope) wrong.push(`it does not say whether it is ${difference}`);
  }
  if (!(minted.lifetimeMs > 0)) wrong.push('it has no life left');
  if (minted.lifetimeMs > grant.validitySeconds * 1_000 + lifetimeToleranceMs)
    wrong.push('it lives longer than was asked');
  return wrong;
}

function superseded(reason: string): Failure {
  return new Failure('superseded-by-revocation', { reason });
}

/** An issuer that throws has broken its promise: whether a token was made is then unknown. */
function lostReply(error: unknown): MintOutcome {
  const failure =
    error instanceof Failure ? error : new Failure('internal-error', { reason: 'mint threw', cause: error });
  return { outcome: 'unknown', failure };
}

/** Closes the row of a mint that gave no token, and returns the failure to throw. Never hides it behind its own. */
async function recordNoToken(
  { ledger, signals, audit, log }: World,
  reservation: Reservation,
  { outcome, failure }: Exclude<MintOutcome, { outcome: 'minted' }>,
  deadline: number,
): Promise<Failure> {
  const { code } = failure;
  const lost = outcome === 'unknown';
  if (lost) signals.emit('orphan-seen');
  try {
    const row: Lease | undefined = lost
      ? await ledger.transition(reservation, { to: 'orphaned', dueAt: closesAt(reservation) }, deadline)
      : ((await ledger.transition(reservation, { to: 'failed', dueAt: null }, deadline)) ??
        // It was revoked meanwhile: there is nothing to revoke.
        (await ledger.transition(reservation, { to: 'revoked', dueAt: null }, deadline)));
    if (row) audit.record({ action: lost ? 'orphan' : 'mint', ...leaseFacts(row), code });
  } catch (error) {
    // The row stays reserved: from its mint deadline on, the sweep treats it as one whose reply was lost.
    log.warn('outcome of a mint is not in the ledger', { code, error });
  }
  return failure;
}

/**
 * Revokes the token in hand at ThoughtSpot; if that is not confirmed, seals it into the row, as `revoking` and due at once.
 * Never throws: the caller gets `why`. If both fail, the sweep finishes the row as one whose reply was lost. However late it
 * is, one attempt is made.
 */
async function withhold(
  { ledger, issuer, clock, audit, signals, log }: World,
  settings: MintSettings,
  { reservation, minted, issued: { from: _from, ...issued } }: TokenInHand,
  why: unknown,
  deadline: number,
): Promise<void> {
  const code = why instanceof Failure ? why.code : 'internal-error';
  signals.emit('compensated');
  const end = Math.max(deadline, clock.now() + settings.withholdReserveMs);
  const revokeBy = Math.min(clock.now() + settings.withholdMs, end - settings.withheldWriteMs);
  const others = minted.userName === reservation.userName ? {} : { answeredUser: minted.userName };
  let dead = false;
  for (const owner of possibleOwners({ ...reservation, ...others })) {
    const { outcome } = await issuer.revoke(minted.token, owner, revokeBy).catch(() => ({ outcome: 'retry' }));
    dead = outcome === 'dead';
    if (outcome !== 'retry' || clock.now() >= revokeBy) break;
  }
  const change: Change = dead
    ? { to: 'revoked', dueAt: null }
    : { ...issued, ...others, to: 'revoking', dueAt: clock.now() };
  let row: Lease | undefined;
  try {
    row = await ledger.transition(reservation, change, end);
    if (!row) log.error('the row of a withheld token is finished already', { code, confirmed: dead });
  } catch (error) {
    log.error('a withheld token is not in the ledger', { code, confirmed: dead, error });
  }
  const facts = row ? leaseFacts(row) : { user: reservation.user, rule: reservation.rule };
  audit.record({ action: 'compensate', ...facts, code });
}
