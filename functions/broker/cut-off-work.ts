/**
 * Carries out a mass revocation: every unfinished row that a cut-off covers becomes `revoking`, page by page over the due
 * index. The cursor is kept in the ledger after each page, so that any number of runs share the work in bounded memory.
 */
import { inParallel } from './in-parallel.ts';
import { certainEnd, type Lease } from './lease.ts';
import type { CutOff, World } from './ports.ts';

export const CUT_OFF_SETTINGS = {
  /** Rows that are read at once. */
  pageSize: 100,
  /** Rows that are written at once. */
  cutOffWidth: 16,
  /**
   * Longest, in ms, that a row reserved before the cut-off may take to show in the due index. A cut-off is done only
   * after a pass that began later than this; passes before it are for speed.
   */
  settleMs: 120_000,
};
export type CutOffSettings = Readonly<typeof CUT_OFF_SETTINGS>;

type DueWorld = Pick<World, 'ledger' | 'clock'>;

/** Later than any due time. */
const EVER = Number.MAX_SAFE_INTEGER;

/** Returns whether nothing more can be done for any cut-off now. Throws `Failure` if the ledger fails. */
export async function workOffCutOffs(
  world: DueWorld,
  settings: CutOffSettings,
  until: number,
  deadline: number,
): Promise<boolean> {
  let complete = true;
  for (const cutOff of await world.ledger.pendingCutOffs(deadline)) {
    if (!(await workOff(world, settings, cutOff, until, deadline))) complete = false;
  }
  return complete;
}

async function workOff(
  { ledger, clock }: DueWorld,
  settings: CutOffSettings,
  cutOff: CutOff,
  until: number,
  deadline: number,
): Promise<boolean> {
  const settledAt = cutOff.before + settings.settleMs;
  const { passBeganAt, ...start } = positionOf(cutOff.cursor, clock.now());
  let { shard, page } = start;
  if (passBeganAt > clock.now()) return true;
  while (shard < ledger.shards) {
    if (clock.now() >= until) return false;
    const { leases, next } = await ledger.due(shard, EVER, settings.pageSize, page, deadline);
    await inParallel(
      leases.filter((lease) => isCovered(lease, cutOff, clock.now())),
      settings.cutOffWidth,
      async (lease) => {
        const dueAt = lease.state === 'reserved' ? lease.mintDeadlineAt : clock.now();
        await ledger.transition(lease, { to: 'revoking', from: ['reserved', 'live'], dueAt }, deadline);
      },
    );
    if (next === undefined) shard += 1;
    page = next;
    if (shard < ledger.shards) await ledger.advanceCutOff(cutOff, cursorOf(passBeganAt, shard, page), deadline);
  }
  const cursor = passBeganAt >= settledAt ? null : cursorOf(settledAt, 0);
  await ledger.advanceCutOff(cutOff, cursor, deadline);
  return true;
}

function isCovered(lease: Lease, { scope, before }: CutOff, now: number): boolean {
  const inScope = scope.kind === 'all' || lease.orgId === scope.orgId;
  const open = lease.state === 'reserved' || lease.state === 'live';
  return inScope && open && lease.reservedAt < before && now < certainEnd(lease);
}

/** The progress on a cut-off: when the pass began, which shard, and the ledger's cursor in it. */
function cursorOf(passBeganAt: number, shard: number, page = ''): string {
  return `${passBeganAt} ${shard} ${page}`;
}

function positionOf(cursor: string | undefined, now: number) {
  const [, passBeganAt, shard, page] = /^(\d+) (\d+) (.*)$/s.exec(cursor ?? '') ?? [];
  if (passBeganAt === undefined) return { passBeganAt: now, shard: 0, page: undefined };
  return { passBeganAt: Number(passBeganAt), shard: Number(shard), page: page === '' ? undefined : page };
}
