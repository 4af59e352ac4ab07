/** What happens to a token that was minted and must not be released. */
import { leaseFacts } from './audit-facts.ts';
import { Failure } from './failure.ts';
import type { Lease, LeaseKey } from './lease.ts';
import type {
  AuditTrail,
  Change,
  Clock,
  Log,
  MintedToken,
  Reservation,
  SessionIssuer,
  Signals,
  TokenLedger,
} from './ports.ts';

export interface CompensationDeps {
  readonly ledger: TokenLedger;
  readonly issuer: Pick<SessionIssuer, 'revoke'>;
  readonly clock: Clock;
  readonly audit: AuditTrail;
  readonly signals: Signals;
  readonly log: Log;
}

export interface TokenInHand {
  readonly key: LeaseKey;
  readonly reservation: Reservation;
  readonly minted: MintedToken;
  /** What the row would have become. */
  readonly issued: Change;
}

/** Longest that the revocation of a token in hand may take, and what is kept of the deadline to write its outcome, ms. */
const REVOKE_MS = 5_000;
const WRITE_MS = 1_000;

/**
 * Revokes the token in hand at ThoughtSpot; if that is not confirmed, seals it into the row, as `revoking` and due at
 * once. Never throws: the failure that led here is the one to tell. If ThoughtSpot and ledger fail both, the row stays
 * as it is, and is finished by the sweep as one whose reply was lost.
 */
export async function compensate(
  deps: CompensationDeps,
  hand: TokenInHand,
  why: unknown,
  deadline: number,
): Promise<void> {
  const { ledger, clock, log, signals, audit } = deps;
  const code = why instanceof Failure ? why.code : 'internal-error';
  signals.emit('compensated');
  const revokeBy = Math.min(clock.now() + REVOKE_MS, deadline - WRITE_MS);
  // The token belongs to whom ThoughtSpot says, which after a mismatch is not whom we asked for.
  const dead = await deps.issuer.revoke(hand.minted.token, hand.minted.userName, revokeBy).then(
    ({ outcome }) => outcome === 'dead',
    () => false,
  );
  const change: Change = dead ? { to: 'revoked', dueAt: null } : revoking(hand, clock.now());
  let row: Lease | undefined;
  try {
    row = await ledger.transition(hand.key, change, deadline);
    if (!row) log.error('the row of a withheld token is finished already', { code, confirmed: dead });
  } catch (error) {
    log.error('a withheld token is not in the ledger', { code, confirmed: dead, error });
  }
  const facts = row ? leaseFacts(row) : { user: hand.key.user, rule: hand.reservation.rule };
  audit.record({ action: 'compensate', ...facts, code });
}

function revoking({ issued: { from: _from, ...issued }, minted, reservation }: TokenInHand, now: number): Change {
  const others = minted.userName === reservation.userName ? {} : { userName: minted.userName };
  return { ...issued, ...others, to: 'revoking', dueAt: now };
}
