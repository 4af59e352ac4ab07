/** Use case sessioninfo: what ThoughtSpot says of the caller's live token. The token itself never leaves. */
import { requireAdmitted } from './admission.ts';
import { type Block, cutOffOf } from './blocks.ts';
import { Failure } from './failure.ts';
import { type Lease, personOf } from './lease.ts';
import { ownLeases } from './lease-selection.ts';
import type { Caller, Entitlements, World } from './ports.ts';
import type { GetSessionInfo } from './use-cases.ts';

type AskingWorld = Omit<World, 'randomness' | 'log'> & Entitlements;

/** Generations of a shared lease that are looked at. */
const GENERATIONS_READ = 8;

/** Asks about the newest live token. Throws `lease-not-found` if the caller has none, or ThoughtSpot knows it no more. */
export function makeGetSessionInfo(world: AskingWorld): GetSessionInfo {
  return async (caller, deadline) => {
    let newest: Lease | undefined;
    for await (const lease of leasesInUse(world, caller, deadline)) {
      if (!newest || lease.reservedAt > newest.reservedAt) newest = lease;
    }
    const token = newest && (await world.ledger.token(newest, deadline));
    const session = token === undefined ? undefined : await world.issuer.sessionInfo(token, deadline);
    if (!session) throw new Failure('lease-not-found', { reason: 'no live token' });
    return session;
  };
}

async function* leasesInUse(world: AskingWorld, caller: Caller, deadline: number): AsyncGenerator<Lease> {
  const blocksOf = new Map<string, readonly Block[]>();
  for await (const lease of candidates(world, caller, deadline)) {
    if (lease.state !== 'live' || !(world.clock.now() < (lease.expiresAt ?? 0))) continue;
    const { user, orgId } = lease;
    const key = `${orgId} ${user}`;
    const blocks = blocksOf.get(key) ?? (await world.ledger.blocksOn({ caller, user, orgId }, deadline));
    blocksOf.set(key, blocks);
    requireAdmitted(world, caller, blocks);
    if (lease.reservedAt >= cutOffOf(blocks, lease.shared)) yield lease;
  }
}

async function* candidates(world: AskingWorld, caller: Caller, deadline: number): AsyncGenerator<Lease> {
  yield* ownLeases(world, caller, deadline);
  // A shared lease is nobody's own: the decision names it.
  const decision = world.decide(caller, {}, world.clock.now());
  if (!decision.allowed || !decision.grant.share) return;
  const { user, fingerprint } = decision.grant;
  yield* await world.ledger.newest(personOf(user), fingerprint, GENERATIONS_READ, deadline);
}
