/**
 * One mint, from the reservation to the release: reserve (durable, the audit's intent) -> mint -> check the reply ->
 * live -> check the cut-offs -> release. Whatever fails after the mint, the token in hand is revoked and withheld.
 */
import { leaseFacts } from './audit-facts.ts';
import { compensate, type TokenInHand } from './compensate.ts';
import { Failure } from './failure.ts';
import type { CallerId, Lease, LeaseKey } from './lease.ts';
import { type ChoiceSettings, refreshAfter } from './lease-choice.ts';
import type {
  AuditTrail,
  Change,
  Clock,
  Grant,
  Log,
  MintedToken,
  MintOutcome,
  Randomness,
  Reservation,
  SessionIssuer,
  Signals,
  TokenLedger,
} from './ports.ts';
import { mismatches } from './reply-check.ts';
import type { IssuedToken } from './use-cases.ts';

export interface MintDeps {
  readonly ledger: TokenLedger;
  readonly issuer: Pick<SessionIssuer, 'mint' | 'revoke'>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly audit: AuditTrail;
  readonly signals: Signals;
  readonly log: Log;
}

/** All in ms, but `mintLimit`. */
export interface MintSettings extends ChoiceSettings {
  /** Longest that a mint at ThoughtSpot may take. */
  readonly mintTimeoutMs: number;
  /** With less time than this left, no mint is begun. */
  readonly shortestMintMs: number;
  /** Kept of the deadline for what comes after the mint: the live write, the cut-off check, or the compensation. */
  readonly afterMintMs: number;
  /** How much longer than asked a token may live without being refused: rounding, and the time on the wire. */
  readonly lifetimeToleranceMs: number;
  /** How long after our time-out ThoughtSpot may still carry out a mint whose reply we no longer wait for. */
  readonly lingerMs: number;
  /** Waits between two looks at a token that somebody else mints: from first to longest, growing by half. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Kept of the deadline for reading and answering, when waiting for somebody else's mint. */
  readonly replyMarginMs: number;
}

export interface MintOrder {
  readonly caller: CallerId;
  readonly grant: Grant;
  /** Normalised user: the ledger's partition. */
  readonly user: string;
  readonly cutOff: number;
}

/** Undefined: somebody else reserved this generation first. Throws `Failure`; then nothing was released. */
export async function mintOnce(
  deps: MintDeps,
  settings: MintSettings,
  order: MintOrder,
  generation: number,
  deadline: number,
): Promise<IssuedToken | undefined> {
  const { ledger, clock, signals, audit } = deps;
  const now = clock.now();
  const mintBy = Math.min(now + settings.mintTimeoutMs, deadline - settings.afterMintMs);
  const grant = withinCallersToken(order.grant, now);
  if (mintBy - now < settings.shortestMintMs) {
    throw new Failure('mint-in-progress', { reason: 'too little time is left to mint before the deadline' });
  }
  const key: LeaseKey = { user: order.user, fingerprint: grant.fingerprint, generation };
  const reservation = reservationFor(order, grant, key, now, mintBy, settings);
  if (!(await ledger.reserve(reservation, mintBy))) return undefined;

  const sentAt = clock.now();
  const outcome = await deps.issuer.mint(grant, mintBy).catch(lostReply);
  const receivedAt = clock.now();
  if (outcome.outcome !== 'minted') throw await recordNoToken(deps, reservation, outcome, deadline);

  const { minted } = outcome;
  signals.emit('mint-latency', receivedAt - sentAt);
  const hand: TokenInHand = {
    key,
    reservation,
    minted,
    issued: issuedChange(grant, minted, sentAt, receivedAt, settings),
  };
  try {
    checkReply(deps, grant, minted, settings);
    const lease = await ledger.transition(key, hand.issued, deadline);
    if (!lease) throw superseded('the reservation was taken away while minting');
    // Read after the live write: a cut-off raised before it is seen here, one raised after it sees the live row.
    const cutOff = await ledger.cutOffFor(grant.orgId, deadline);
    if (lease.reservedAt < cutOff) throw superseded('a cut-off was raised while minting');
    signals.emit('minted');
    audit.record({ action: 'mint', ...leaseFacts(lease) });
    return release(grant, lease, minted, settings);
  } catch (error) {
    await compensate(deps, hand, error, deadline);
    throw error;
  }
}

/** Cuts the validity to the end of the caller's own token, where the rule binds to it: time has passed since it decided. */
function withinCallersToken(grant: Grant, now: number): Grant {
  if (grant.notAfter === undefined) return grant;
  const validitySeconds = Math.min(grant.validitySeconds, Math.floor((grant.notAfter - now) / 1_000));
  if (validitySeconds < 1) throw new Failure('not-entitled', { reason: "the caller's own token has ended" });
  return { ...grant, validitySeconds };
}

function reservationFor(
  { caller, cutOff }: MintOrder,
  grant: Grant,
  key: LeaseKey,
  now: number,
  mintBy: number,
  settings: MintSettings,
): Reservation {
  return {
    ...key,
    userName: grant.user,
    caller: { issuer: caller.issuer, subject: caller.subject },
    shared: grant.share,
    orgId: grant.orgId,
    kind: grant.rights.kind,
    rule: grant.rule,
    grant: grant.name,
    policyVersion: grant.policyVersion,
    // The cut-off was read first, so this comes after it, even if the clock that wrote it runs ahead of ours.
    reservedAt: Math.max(now, cutOff),
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
): Change & { readonly to: 'live'; readonly token: string; readonly endsAt: number } {
  const endsAt = receivedAt + minted.longestLifetimeMs;
  const asked = receivedAt + grant.validitySeconds * 1_000 + settings.lifetimeToleranceMs;
  return {
    to: 'live',
    from: ['reserved'],
    // A token that may live longer than was asked is not left to its own end: the sweep revokes it.
    dueAt: Math.min(endsAt, asked),
    token: minted.token,
    issuedAt: sentAt,
    expiresAt: sentAt + minted.lifetimeMs,
    endsAt,
    ...(minted.createdAt === undefined ? {} : { upstreamCreatedAt: minted.createdAt }),
    lifetimeSeconds: Math.floor(minted.lifetimeMs / 1_000),
    tokenType: minted.tokenType,
  };
}

function checkReply({ signals, log }: MintDeps, grant: Grant, minted: MintedToken, settings: MintSettings): void {
  const wrong = mismatches(grant, minted, settings.lifetimeToleranceMs);
  if (wrong.length === 0) return;
  signals.emit('upstream-mismatch');
  const reason = `ThoughtSpot's token is not the one asked for: ${wrong.join(', ')}`;
  log.error('mint withheld', { rule: grant.rule, grant: grant.name, reason });
  throw new Failure('upstream-mismatch', { reason });
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
  { ledger, signals, audit, log }: MintDeps,
  reservation: Reservation,
  { outcome, failure }: Exclude<MintOutcome, { outcome: 'minted' }>,
  deadline: number,
): Promise<Failure> {
  const { code } = failure;
  const lost = outcome === 'unknown';
  if (lost) signals.emit('orphan-seen');
  try {
    const row: Lease | undefined = lost
      ? await ledger.transition(reservation, { to: 'orphaned', dueAt: reservation.latestEndAt }, deadline)
      : ((await ledger.transition(reservation, { to: 'failed', dueAt: null }, deadline)) ??
        // Somebody revoked it meanwhile: there is nothing to revoke.
        (await ledger.transition(reservation, { to: 'revoked', dueAt: null }, deadline)));
    if (row) audit.record({ action: lost ? 'orphan' : 'mint', ...leaseFacts(row), code });
  } catch (error) {
    // The row stays reserved: from its mint deadline on, the sweep treats it as one whose reply was lost.
    log.warn('outcome of a mint is not in the ledger', { code, error });
  }
  return failure;
}

function release(grant: Grant, lease: Lease, minted: MintedToken, settings: MintSettings): IssuedToken {
  return {
    token: minted.token,
    lease,
    userName: grant.user,
    orgId: grant.orgId,
    expiresAt: lease.expiresAt ?? lease.latestEndAt,
    refreshAfter: refreshAfter(lease, grant, settings.hardMarginMs),
    reused: false,
  };
}
