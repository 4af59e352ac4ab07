/**
 * The hold on a ThoughtSpot user: whose mints may change its entitlements, and until when (docs/adr/0011). One conditional
 * write before the mint makes sure that all tokens that can live there are of one entitlement digest, or of one caller.
 */
import { Failure } from './failure.ts';
import { certainEnd, type Lease, normaliseUser, personOf, sameCaller } from './lease.ts';
import type { Grant, HeldUser, HoldRequest, Reservation, UserHold, World } from './ports.ts';

/** The subject of a hold that several callers share, all with the same digest. */
export const MANY = 'many';

/** Clocks of sandboxes differ: a hold counts this much longer, ms. */
const CLOCK_ALLOWANCE_MS = 5_000;
/** `until` is rounded up to this, ms: mints at about the same time then agree on it, and one write is enough. */
const UNTIL_STEP_MS = 60_000;
/** Looks at a hold that others write at the same time. Each of their writes lets one of their mints go on. */
const ROUNDS = 8;

/**
 * Holds the user for the mint of a reservation. Throws Failure `entitlement-conflict`: then nothing may be sent. Does
 * nothing for a grant of a policy that leaves nothing on users. One write in all usual cases.
 */
export async function holdUser(world: World, grant: Grant, reservation: Reservation, deadline: number): Promise<void> {
  if (grant.entitlements === undefined) return;
  const { ledger, clock } = world;
  const user = { userName: grant.user, orgId: grant.orgId };
  const { issuer, subject } = reservation.caller;
  const mint: HoldRequest = {
    digest: grant.entitlements,
    subject: grant.serviceAccount ? MANY : JSON.stringify([issuer, subject]),
    until: Math.ceil(reservation.latestEndAt / UNTIL_STEP_MS) * UNTIL_STEP_MS,
  };
  let request = mint;
  for (let round = 0; round < ROUNDS; round += 1) {
    const endedBefore = clock.now() - CLOCK_ALLOWANCE_MS;
    if (await ledger.holdUser(user, request, endedBefore, deadline)) return;
    const hold = await ledger.userHold(user, deadline);
    if (hold === undefined) continue;
    const next = withMint(hold, mint, endedBefore) ?? (await takenOver(world, user, hold, mint, reservation, deadline));
    if (next.digest === hold.digest && next.subject === hold.subject) request = next;
    else if (await ledger.replaceUserHold(user, hold, next, deadline)) return;
  }
  throw new Failure('mint-in-progress', { reason: 'other requests hold the ThoughtSpot user at the same time' });
}

/**
 * The hold after this mint, or undefined if the two must not meet. `until` is never lowered. A second caller with the
 * same digest also waits for `mixedUntil`: until then tokens of the first caller with another digest may live.
 */
export function withMint(hold: UserHold, mint: HoldRequest, endedBefore: number): HoldRequest | undefined {
  if (hold.until < endedBefore) return mint;
  const { digest, subject } = mint;
  const until = Math.max(hold.until, mint.until);
  if (hold.digest === digest) {
    if (hold.subject === subject || hold.subject === MANY) return { ...hold, until };
    return (hold.mixedUntil ?? 0) < endedBefore ? { digest, subject: MANY, until } : undefined;
  }
  return hold.subject === subject && subject !== MANY ? { digest, subject, until, mixedUntil: hold.until } : undefined;
}

/**
 * The hold of a conflict, taken over: allowed if no token of another digest can live or still be minted. So revoking the
 * user's tokens makes room. A mint that is reserved after this look finds the new hold, because both write it.
 */
async function takenOver(
  { ledger, clock }: World,
  user: HeldUser,
  hold: UserHold,
  mint: HoldRequest,
  reservation: Reservation,
  deadline: number,
): Promise<HoldRequest> {
  let freeAt = 0;
  let shared = mint.subject === MANY;
  for await (const lease of ledger.unfinishedOfUser(personOf(user.userName), deadline)) {
    const end = certainEnd(lease) + CLOCK_ALLOWANCE_MS;
    if (!isOf(lease, user) || end < clock.now() || isSameRow(lease, reservation)) continue;
    if (lease.entitlements !== mint.digest) freeAt = Math.max(freeAt, end);
    shared ||= !sameCaller(lease.caller, reservation.caller);
  }
  if (freeAt === 0) {
    return { digest: mint.digest, subject: shared ? MANY : mint.subject, until: Math.max(hold.until, mint.until) };
  }
  const reason = 'tokens with other entitlements may live for this ThoughtSpot user';
  throw new Failure('entitlement-conflict', { reason, retryAfterMs: freeAt - clock.now() });
}

function isOf(lease: Lease, { userName, orgId }: HeldUser): boolean {
  return lease.orgId === orgId && normaliseUser(lease.userName ?? lease.user) === normaliseUser(userName);
}

function isSameRow(lease: Lease, { fingerprint, generation }: Reservation): boolean {
  return lease.fingerprint === fingerprint && lease.generation === generation;
}
