/**
 * Carries out a mass revocation: every unfinished row that a cut-off covers becomes `revoking`, page by page over the due
 * index. The cursor is kept in the ledger after each page, so that any number of runs share the work in bounded memory.
 */
import { inParallel } from './in-parallel.ts';
import { closesAt, type Lease } from './lease.ts';
import type { CutOff, World } from './ports.ts';

export const CUT_OFF_SETTINGS = {
  /** Rows that are read at once. */
  pageSize: 100,
  /** Rows that are written at once. */
  cutOffWidth: 16,
  /** How long after the cut-off the next pass begins, ms; those after it at twice the time each. */
  settleMs: 120_000,
  /**
   * Longest, in ms, that a token which the cut-off covers can live: the day that a policy may grant, and the time of its
   * mint. The due index may hide a row for any time, so a cut-off is done only after a pass that began later than this.
   */
  longestLifeMs: 86_400_000 + 120_000,
};
export type CutOffSettings = Readonly<typeof CUT_OFF_SETTINGS>;

type DueWorld = Pick<World, 'ledger' | 'clock' | 'signals'>;

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
  { ledger, clock, signals }: DueWorld,
  settings: CutOffSettings,
  cutOff: CutOff,
  until: number,
  deadline: number,
): Promise<boolean> {
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
        // An earlier pass has not seen it: the index had hidden it until then.
        if (passBeganAt >= cutOff.before + settings.settleMs)
          signals.emit('index-lag', Math.round((clock.now() - cutOff.before) / 1_000));
        const dueAt = lease.state === 'reserved' ? lease.mintDeadlineAt : clock.now();
        await ledger.transition(lease, { to: 'revoking', from: ['reserved', 'live'], dueAt }, deadline);
      },
    );
    if (next === undefined) shard += 1;
    page = next;
    if (shard < ledger.shards) await ledger.advanceCutOff(cutOff, cursorOf(passBeganAt, shard, page), deadline);
  }
  const next = nextPassAt(cutOff, passBeganAt, settings);
  await ledger.advanceCutOff(cutOff, next === undefined ? null : cursorOf(next, 0), deadline);
  return true;
}

/** Epoch ms; undefined: the pass was the last. */
function nextPassAt({ before }: CutOff, passBeganAt: number, settings: CutOffSettings): number | undefined {
  const after = passBeganAt - before;
  if (after >= settings.longestLifeMs) return undefined;
  return before + Math.min(settings.longestLifeMs, Math.max(settings.settleMs, 2 * after));
}

function isCovered(lease: Lease, { scope, before }: CutOff, now: number): boolean {
  const inScope = scope.kind === 'all' || lease.orgId === scope.orgId;
  const open = lease.state === 'reserved' || lease.state === 'live';
  return inScope && open && lease.reservedAt < before && now < closesAt(lease);
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
