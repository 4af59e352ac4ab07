/**
 * What a request for a token does next, given what the ledger shows at this moment: pure, so that every case can be
 * read in one place and tried in a table.
 */
import { type CallerId, type Lease, sameCaller } from './lease.ts';
import type { MintSettings } from './mint.ts';
import type { Grant } from './ports.ts';

type Limits = Pick<MintSettings, 'hardMarginMs' | 'mintLimit' | 'mintLimitWindowMs'>;

export interface View {
  readonly grant: Grant;
  readonly caller: CallerId;
  /** Newest generation first. */
  readonly leases: readonly Lease[];
  /** Nothing that was reserved before this is served (epoch ms). */
  readonly cutOff: number;
  readonly now: number;
  /** Set by a caller that takes nothing older: only leases reserved from then on are served (epoch ms). */
  readonly freshSince?: number;
  /**
   * The handle of the lease that the caller wants replaced: only newer generations are served. A handle that is not
   * among `leases` excludes nothing: its lease is older than all of them, of another grant, or somebody else's.
   */
  readonly replace?: string;
}

export type Step =
  | { readonly step: 'serve'; readonly lease: Lease }
  /** `lease` still serves, but is near its end: try to get the next one, fall back on this one. */
  | { readonly step: 'refresh'; readonly lease: Lease; readonly generation: number }
  | { readonly step: 'mint'; readonly generation: number }
  /** Another request is minting it. */
  | { readonly step: 'wait' }
  | { readonly step: 'limited'; readonly retryAfterMs: number };

export function nextStep(view: View, settings: Limits): Step {
  const { grant, leases, now } = view;
  const generation = (leases[0]?.generation ?? 0) + 1;
  const retryAfterMs = untilNextMint(leases, now, settings);
  const mint: Step = retryAfterMs > 0 ? { step: 'limited', retryAfterMs } : { step: 'mint', generation };
  if (grant.reuse === null) return mint;

  const replaced = leases.find(({ leaseId }) => leaseId === view.replace)?.generation ?? 0;
  const candidates = leases.filter((lease) => lease.generation > replaced && isCandidate(lease, view));
  const live = candidates.find((lease) => isServable(lease, grant, now + settings.hardMarginMs));
  const beingMinted = candidates.some((lease) => lease.state === 'reserved' && now < lease.mintDeadlineAt);
  if (live) {
    const early = now < refreshAfter(live, grant, settings.hardMarginMs) || refreshPauses(live, leases, now);
    const keep = early || beingMinted || retryAfterMs > 0;
    return keep ? { step: 'serve', lease: live } : { step: 'refresh', lease: live, generation };
  }
  return beingMinted ? { step: 'wait' } : mint;
}

/** Pause after the first refresh that failed, ms; it doubles with each further one. */
const FIRST_REFRESH_PAUSE_MS = 2_000;
/** So many that the live lease is still among the newest that are read. */
const MOST_REFRESHES = 6;

/**
 * Whether to leave a token that still serves as it is, since refreshing it has failed: a good token must not be pushed out
 * of sight by the attempts to replace it.
 */
function refreshPauses(live: Lease, [newest, ...older]: readonly Lease[], now: number): boolean {
  const failed = newest === undefined || newest === live ? 0 : older.indexOf(live) + 1;
  if (failed === 0 || newest === undefined) return false;
  return failed >= MOST_REFRESHES || now < newest.reservedAt + FIRST_REFRESH_PAUSE_MS * 2 ** (failed - 1);
}

/** The fingerprint already holds org and caller; they are compared again, since serving the wrong one is the worst case. */
function isCandidate(lease: Lease, { grant, caller, cutOff, freshSince }: View): boolean {
  const belongs =
    lease.orgId === grant.orgId && lease.shared === grant.share && (grant.share || sameCaller(lease.caller, caller));
  return belongs && lease.reservedAt >= cutOff && (freshSince === undefined || lease.reservedAt >= freshSince);
}

function isServable(lease: Lease, grant: Grant, aliveAt: number): boolean {
  if (lease.state !== 'live' || !lease.sealed || lease.expiresAt === undefined) return false;
  return lease.expiresAt > aliveAt && (grant.notAfter === undefined || lease.expiresAt <= grant.notAfter);
}

/**
 * How long until the limit lets the grant mint again, ms; 0: it may now. A mint that certainly did not happen (`failed`)
 * gives its count back, so that a conflict or an outage does not use up what the caller may have; all attempts together
 * may be twice as many, so that a grant that always fails does not call ThoughtSpot at every request.
 */
function untilNextMint(leases: readonly Lease[], now: number, settings: Limits): number {
  const recent = leases.filter((lease) => lease.reservedAt > now - settings.mintLimitWindowMs);
  const counted = recent.filter(({ state }) => state !== 'failed');
  const oldest = counted[settings.mintLimit - 1] ?? recent[2 * settings.mintLimit - 1];
  return oldest ? oldest.reservedAt + settings.mintLimitWindowMs - now : 0;
}

/**
 * From when on a newer token is worth asking for (epoch ms): `minLifeLeftSeconds` of the rule before the token's earliest end,
 * or the hard margin where the rule does not reuse. A new token always keeps at least a fifth of its life before that,
 * however short the validity is for the rule: otherwise every request would mint again.
 */
export function refreshAfter(lease: Lease, grant: Pick<Grant, 'reuse'>, hardMarginMs: number): number {
  const end = lease.expiresAt ?? lease.latestEndAt;
  const life = end - (lease.issuedAt ?? lease.reservedAt);
  const lead = grant.reuse === null ? hardMarginMs : grant.reuse.minLifeLeftSeconds * 1_000;
  return Math.floor(end - Math.min(lead, life * 0.8));
}
