/**
 * Nobody uses up what others need: how many tokens a caller may mint in a minute and hold at a time, and how many an org
 * may mint in a minute (docs/adr/0016). Looked at before the reservation, in what was read anyway; counted after it was
 * won and before the mint is sent.
 */
import { Failure } from './failure.ts';
import { type CallerId, certainEnd, type Lease, personOf } from './lease.ts';
import { limitOfOrg, type Limits, type Mark, type Ring, type Standing } from './mint-counts.ts';
import type { Grant, Reservation, World } from './ports.ts';

const MINUTE_MS = 60_000;
/** Clocks of sandboxes differ: what is over stays in a ring this much longer, ms, for those that are behind. */
const CLOCK_ALLOWANCE_MS = 5_000;
/** Marks that no longer count: with so many, the next mint writes the ring without them. */
const MOST_STALE = 16;
/** Looks at a ring that others write at the same time; those only add, so two are enough unless it is being rebuilt. */
const ROUNDS = 8;
/** Mints of an org are counted by spans of this length, ms. */
const SPAN_MS = 5_000;
/** Mints that a sandbox may keep to itself: a 60th of what the org has left, and never more than this. */
const LARGEST_BATCH = 10;

/** Whose mint it is, and by which grant. */
interface Asking {
  readonly caller: CallerId;
  readonly grant: Grant;
}

/** Where there is room for a mint, as of one look at the caller's ring. */
interface Room {
  readonly seen: Ring;
  /** Of `seen`: what counts still, or what replaces all of it. */
  readonly marks: readonly Mark[];
  /** Take the place of `seen`, since its marks are stale or were corrected by the rows. */
  readonly replaces: boolean;
  /** How many marks the ring may have before this mint's. */
  readonly most: number;
}

/** The limits of one mint. */
export interface Quota {
  /** Throws Failure `mint-limit` if a limit is reached: nothing was written. */
  look(deadline: number): Promise<void>;
  /** Counts the mint, after a look. Throws Failure `mint-limit` if others were faster: then nothing may be sent. */
  count(reservation: Reservation, deadline: number): Promise<void>;
}

export interface MintLimits {
  /** `standing`: as read for this request. */
  quotaOf(asking: Asking, standing: Standing): Quota;
  /** The failure of a limit, after the metric and the audit line that says which. */
  refusal(asking: Asking, reason: string, retryAfterMs: number): Failure;
}

/** The limits as one sandbox keeps them: it remembers the mints of orgs that it has not reported yet. */
export function makeMintLimits(world: World, limits: Limits): MintLimits {
  const { ledger, clock } = world;
  const unreported = new Map<number, Map<number, number>>();

  const refusal: MintLimits['refusal'] = ({ caller: { issuer, subject }, grant }, reason, retryAfterMs) => {
    const { user, rule, name, policyVersion } = grant;

    const facts = { caller: { issuer, subject }, user, rule, grant: name, policyVersion };
    world.audit.record({ action: 'deny', ...facts, code: 'mint-limit', reasons: [reason] });
    world.signals.emit('mint-limited');
    return new Failure('mint-limit', { reason, retryAfterMs: Math.max(retryAfterMs, 1) });
  };

  async function roomIn(asking: Asking, seen: Ring, deadline: number): Promise<Room> {
    const { mintsPerMinute, liveLeases } = limits.caller;
    const looked = clock.now();
    const kept = seen.marks.filter((mark) => counts(mark, looked - CLOCK_ALLOWANCE_MS));
    const full = live(kept, looked).length >= liveLeases && recent(kept, looked).length < mintsPerMinute;
    const marks = full ? await correctedByRows(asking, kept, deadline) : kept;
    const now = clock.now();
    const minted = recent(marks, now).map(({ at }) => at + MINUTE_MS - now);
    const held = live(marks, now).map(({ until }) => until - now);
    if (minted.length >= mintsPerMinute)
      throw refusal(asking, 'mint limit of the caller', whenFree(minted, mintsPerMinute));
    if (held.length >= liveLeases) throw refusal(asking, 'live lease limit of the caller', whenFree(held, liveLeases));
    // Until the ring is replaced it only grows, so its size says what others have added since this look.
    const most = seen.marks.length + Math.min(mintsPerMinute - minted.length, liveLeases - held.length);
    return { seen, marks, most, replaces: full || seen.marks.length - kept.length >= MOST_STALE };
  }

  /**
   * The rows are the truth: a mark without an unfinished row counts for the minute only, and a row without a mark is live.
   * Not one that is only reserved: its mint is counted later than this look, and finds what this one writes.
   */
  async function correctedByRows({ caller, grant }: Asking, marks: readonly Mark[], deadline: number) {
    const { issuer, subject } = caller;
    const byId = new Map(marks.map((mark) => [mark.id, { ...mark, until: Math.min(mark.until, mark.at) }]));
    const count = (lease: Lease) => {
      const mark = markOf(lease);
      if (lease.state !== 'reserved' || byId.has(mark.id)) byId.set(mark.id, mark);
    };
    const known: Lease[] = [];
    for await (const lease of ledger.unfinishedOfUser(personOf(grant.user), deadline, { issuer, subject })) {
      known.push(lease);
      count(lease);
    }
    for await (const lease of ledger.unfinishedOfCaller({ issuer, subject }, deadline, known)) count(lease);
    const now = clock.now() - CLOCK_ALLOWANCE_MS;
    return [...byId.values()].filter((mark) => counts(mark, now));
  }

  /** How many mints the org has left, by what is in the ledger and what only this sandbox knows of. */
  function leftOfOrg(asking: Asking, reported: Standing['orgMints']): number {
    const { orgId } = asking.grant;
    const most = limitOfOrg(limits, orgId).mintsPerMinute;
    const now = clock.now();
    const ends = [...reported, ...(unreported.get(orgId) ?? [])].flatMap(([span, mints]) =>
      Array<number>(mints).fill(endOf(span) - now),
    );
    const counted = ends.filter((end) => end > 0);
    if (counted.length < most) return most - counted.length;
    throw refusal(asking, 'mint limit of the org', whenFree(counted, most));
  }

  async function countForOrg(orgId: number, left: number, reported: Standing['orgMints'], deadline: number) {
    const now = clock.now();
    const span = Math.floor(now / SPAN_MS);
    const own = new Map([...(unreported.get(orgId) ?? [])].filter(([each]) => endOf(each) > now));
    unreported.set(orgId, own.set(span, (own.get(span) ?? 0) + 1));
    const mints = [...own.values()].reduce((sum, each) => sum + each, 0);
    if (mints < Math.min(LARGEST_BATCH, Math.ceil(left / 60))) return;
    unreported.delete(orgId);
    const over = [...reported.keys()].filter((each) => endOf(each) + CLOCK_ALLOWANCE_MS < now);
    await ledger.countOrgMints(orgId, own, over, deadline);
  }

  async function countForCaller(asking: Asking, first: Room, reservation: Reservation, deadline: number) {
    const { caller } = reservation;
    const mark = markOf(reservation);
    let room = first;
    for (let round = 0; round < ROUNDS; round += 1) {
      const { seen, marks, most, replaces } = room;
      const counted = replaces
        ? await ledger.replaceMarks(caller, seen, [...marks, mark], deadline)
        : await ledger.addMark(caller, seen, mark, most, deadline);
      if (counted) return;
      const { ring } = await ledger.standing(reservation, deadline);
      // It is there if only the answer to the write was lost.
      if (ring.marks.some(({ id }) => id === mark.id)) return;
      room = await roomIn(asking, ring, deadline);
    }
    throw new Failure('mint-in-progress', { reason: 'other requests of the caller are counted at the same time' });
  }

  return {
    refusal,

    quotaOf(asking, { ring, orgMints }) {
      let room: Room | undefined;
      return {
        async look(deadline) {
          leftOfOrg(asking, orgMints);
          room = await roomIn(asking, ring, deadline);
        },
        async count(reservation, deadline) {
          await countForCaller(asking, room ?? (await roomIn(asking, ring, deadline)), reservation, deadline);
          await countForOrg(reservation.orgId, leftOfOrg(asking, orgMints), orgMints, deadline);
        },
      };
    },
  };
}

function markOf(lease: Reservation & Pick<Lease, 'endsAt'>): Mark {
  const id = `${lease.fingerprint.slice(0, 12)}${lease.generation}`;
  return { id, at: lease.reservedAt, until: certainEnd(lease) };
}

const recent = (marks: readonly Mark[], now: number) => marks.filter(({ at }) => at + MINUTE_MS > now);
const live = (marks: readonly Mark[], now: number) => marks.filter(({ until }) => until > now);
const counts = ({ at, until }: Mark, now: number) => Math.max(at + MINUTE_MS, until) > now;
/** When the last mint of a span leaves the minute. */
const endOf = (span: number) => (span + 1) * SPAN_MS + MINUTE_MS;

/** After how long fewer than `most` are left, of what ends after these times: at least `most`. */
function whenFree(ends: readonly number[], most: number): number {
  return [...ends].sort((one, other) => one - other)[ends.length - most] ?? 0;
}
