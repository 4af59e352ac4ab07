/**
 * Whether the limits held (docs/adr/0016), by what ThoughtSpot minted and by the rows of the ledger, and whether anybody was
 * refused who was below them. The rows stay, so all of it can be told at the end.
 */
import { certainEnd, isUnfinished, type Lease } from '../../functions/broker/lease.ts';
import { FUNCTIONS } from '../../functions/contract/functions.ts';
import type { ChaosWorld } from './world.ts';

const MINUTE_MS = 60_000;
/** Mints of an org are counted by spans, and count until the last is a minute old, ms. */
const SPAN_MS = 5_000;
/** A mint takes the time of the cut-off before it, which lies so far ahead of the clocks, ms. */
const AHEAD_MS = 1_000;
/** From its reservation to ThoughtSpot a mint takes at most the time of its function, ms. */
const UNDER_WAY_MS = FUNCTIONS.gettoken.timeoutSeconds * 1_000;
/** Sandboxes of gettoken at a time: the local ones, as no environment reserves others. Each may have a mint under way. */
const SANDBOXES = 10;

interface Refusal {
  readonly at: number;
  readonly subject: string;
  readonly orgId: number;
  readonly reason: string;
}

/** Promises about limits that were broken, as of this moment. */
export function beyondLimits(world: ChaosWorld, leases: readonly Lease[]): string[] {
  const { caller, org } = world.limits;
  const now = world.now();
  const minted = leases.filter(({ tokenDigest }) => tokenDigest !== undefined);
  const byCaller = Map.groupBy(minted, (lease) => lease.caller.subject);
  const byOrg = Map.groupBy(minted, ({ orgId }) => orgId);
  // A row that never had a token may be of a request that died before it was counted.
  const open = Map.groupBy(
    minted.filter((lease) => isUnfinished(lease.state) && certainEnd(lease) > now),
    (lease) => lease.caller.subject,
  );
  const byUser = Map.groupBy(world.minted, ({ user }) => user);
  const times = (rows: readonly Lease[]) => rows.map(({ reservedAt }) => reservedAt);
  return [
    ...[...byCaller].flatMap(([who, rows]) => beyond(`mints of ${who}`, times(rows), caller.mintsPerMinute, MINUTE_MS)),
    ...[...byOrg].flatMap(([orgId, rows]) =>
      // Each mint that was under way was counted before it was sent, but perhaps not seen by the others.
      beyond(`mints of org ${orgId}`, times(rows), org.mintsPerMinute + SANDBOXES - 1, MINUTE_MS - UNDER_WAY_MS),
    ),
    ...[...byUser].flatMap(([user, mints]) =>
      beyond(
        `mints of ${user} at ThoughtSpot`,
        mints.map(({ at }) => at),
        caller.mintsPerMinute,
        MINUTE_MS - UNDER_WAY_MS,
      ),
    ),
    ...[...open].flatMap(([who, rows]) =>
      rows.length > caller.liveLeases ? [`${who} holds ${rows.length} leases of ${caller.liveLeases}`] : [],
    ),
    ...refusals(world).flatMap((refusal) => needless(world, refusal, leases)),
  ];
}

function beyond(what: string, at: readonly number[], most: number, withinMs: number): string[] {
  const sorted = [...at].sort((one, other) => one - other);
  const many = sorted.some((first, index) => (sorted[index + most] ?? Infinity) - first < withinMs);
  return many ? [`more than ${most} ${what} in ${withinMs / 1_000} s`] : [];
}

/** Whoever was refused had at least as many rows that may have counted. */
function needless({ limits }: ChaosWorld, refusal: Refusal, leases: readonly Lease[]): string[] {
  const { at, subject, orgId, reason } = refusal;
  const before = leases.filter(({ reservedAt }) => reservedAt <= at + AHEAD_MS);
  const own = before.filter(({ caller }) => caller.subject === subject);
  const within = (rows: readonly Lease[], ms: number) => rows.filter(({ reservedAt }) => reservedAt + ms > at).length;
  const counted: Readonly<Record<string, readonly [most: number, counted: number]>> = {
    'mint limit of the caller': [limits.caller.mintsPerMinute, within(own, MINUTE_MS)],
    'mint limit of the org': [
      limits.org.mintsPerMinute,
      within(
        before.filter((lease) => lease.orgId === orgId),
        MINUTE_MS + SPAN_MS,
      ),
    ],
    // Which of them had ended by then, the rows do not say.
    'live lease limit of the caller': [
      limits.caller.liveLeases,
      own.filter(({ latestEndAt }) => latestEndAt > at).length,
    ],
    'mint limit of the grant': [0, 0],
  };
  const [most, has] = counted[reason] ?? [1, 0];
  return has < most ? [`${subject} met the ${reason} ${most} with ${has}`] : [];
}

/** Of a mint for which others were faster there is another line, of the action mint. */
const isRefusal = (line: string) =>
  ['{"audit":true', '"action":"deny"', '"code":"mint-limit"'].every((part) => line.includes(part));

/** What the audit says of refusals by limits. */
export function refusals({ printed, orgOf }: ChaosWorld): Refusal[] {
  return printed
    .filter((line) => isRefusal(line))
    .map((line) => {
      const { timestamp, caller, reasons } = JSON.parse(line) as {
        readonly timestamp: string;
        readonly caller: { readonly subject: string };
        readonly reasons: readonly [string];
      };
      const orgId = orgOf(caller.subject.replace('sub-', ''));
      return { at: Date.parse(timestamp), subject: caller.subject, orgId, reason: reasons[0] };
    });
}
