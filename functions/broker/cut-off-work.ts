/**
 * Carries out cut-offs: every unfinished row that one covers becomes `revoking`. Of all, of an org and of what the policy
 * gave page by page over the due index, with the cursor in the ledger after each page, so that any number of runs share the
 * work in bounded memory; of a user, a subject or a session by what is theirs.
 */
import { type Block, BLOCK_SHARDS, EVER, isOneCallers } from './blocks.ts';
import { inParallel } from './in-parallel.ts';
import { closesAt, type Lease, SHARED } from './lease.ts';
import type { TokenLedger, World } from './ports.ts';

/** Rows of the due index to read at once where no sweep has to share them. */
const PAGE = 500;

export const CUT_OFF_SETTINGS = {
  /** Rows that are read at once. */
  pageSize: 100,
  /** Rows that are written at once. */
  cutOffWidth: 16,
  /** Blocks on a user, a subject or a session that are worked on at once. */
  blockWidth: 8,
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

/** Returns whether nothing more can be done for any cut-off now. Throws `Failure` if the ledger fails. */
export async function workOffCutOffs(
  world: DueWorld,
  settings: CutOffSettings,
  until: number,
  deadline: number,
): Promise<boolean> {
  let complete = true;
  for (const block of await world.ledger.widestBlocks(deadline)) {
    if (block.pending && !(await workOff(world, settings, block, until, deadline))) complete = false;
  }
  for (let shard = 0; shard < BLOCK_SHARDS; shard += 1) {
    let cursor: string | undefined;
    do {
      const { ledger, clock } = world;
      const { blocks, next } = await ledger.dueBlocks(shard, clock.now(), settings.pageSize, cursor, deadline);
      await inParallel(blocks, settings.blockWidth, async (block) => {
        if (clock.now() >= until) complete = false;
        else if (block.pending) await workOffOwn(world, settings, block, deadline);
      });
      cursor = next;
    } while (cursor !== undefined && complete);
  }
  return complete;
}

/** The unfinished leases of a user (read strongly), and those of others, by an index that may lag. */
export function leasesUnder(
  ledger: TokenLedger,
  scope: Exclude<Block['scope'], { kind: 'all' | 'org' }>,
  deadline: number,
): AsyncIterable<Lease> {
  if (scope.kind === 'user') return ledger.unfinishedOfUser(scope.user, deadline);
  if (scope.kind === 'subject') return ledger.unfinishedOfCaller(scope, deadline);
  if (scope.kind === 'session') return ledger.unfinishedOfSession(scope.issuer, scope.session, deadline);
  return leasesAmongAll(ledger, scope, deadline);
}

/** A shard is read to its end before its rows are written, because a write moves a row to another place of it. */
async function* leasesAmongAll(ledger: TokenLedger, scope: Block['scope'], deadline: number): AsyncGenerator<Lease> {
  for (let shard = 0; shard < ledger.shards; shard += 1) {
    const meant: Lease[] = [];
    let cursor: string | undefined;
    do {
      const page = await ledger.due(shard, EVER, PAGE, cursor, deadline);
      meant.push(...page.leases.filter((lease) => isOf(scope, lease)));
      cursor = page.next;
    } while (cursor !== undefined);
    yield* meant;
  }
}

/** Whether a lease is of the org, the version or the rule that a scope names; of any where it names none. */
export function isOf(scope: Block['scope'], lease: Lease): boolean {
  const named: Partial<Record<'kind' | 'orgId' | 'policyVersion' | 'rule', unknown>> = scope;
  const names = ['orgId', 'policyVersion', 'rule'] as const;
  return names.every((name) => named[name] === undefined || named[name] === lease[name]);
}

/** Once for a user, and at growing pauses for what an index finds. */
async function workOffOwn(world: DueWorld, settings: CutOffSettings, block: Block, deadline: number): Promise<void> {
  const { ledger, clock, signals } = world;
  const { scope } = block;
  if (scope.kind === 'all' || scope.kind === 'org') return;
  const { passBeganAt } = positionOf(block.cursor, clock.now());
  for (const each of block.endsShared === true ? [scope, SHARED] : [scope])
    for await (const lease of leasesUnder(ledger, each, deadline))
      if (isCovered(lease, block, clock.now()))
        await take({ ledger, clock, signals }, settings, block, lease, passBeganAt, deadline);
  const next = scope.kind === 'user' ? undefined : nextPassAt(block, passBeganAt, settings);
  await ledger.advanceBlock(block, next === undefined ? null : cursorOf(next, 0), next ?? EVER, deadline);
}

/** Makes a row that a pass has found `revoking`. */
async function take(
  { ledger, clock, signals }: DueWorld,
  settings: CutOffSettings,
  { before }: Block,
  lease: Lease,
  passBeganAt: number,
  deadline: number,
): Promise<void> {
  // An earlier pass has not seen it: the index had hidden it until then.
  if (passBeganAt >= before + settings.settleMs) signals.emit('index-lag', Math.round((clock.now() - before) / 1_000));
  const dueAt = lease.state === 'reserved' ? lease.mintDeadlineAt : clock.now();
  await ledger.transition(lease, { to: 'revoking', from: ['reserved', 'live'], dueAt }, deadline);
}

async function workOff(
  { ledger, clock, signals }: DueWorld,
  settings: CutOffSettings,
  cutOff: Block,
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
      (lease) => take({ ledger, clock, signals }, settings, cutOff, lease, passBeganAt, deadline),
    );
    if (next === undefined) shard += 1;
    page = next;
    if (shard < ledger.shards) await ledger.advanceBlock(cutOff, cursorOf(passBeganAt, shard, page), EVER, deadline);
  }
  const next = nextPassAt(cutOff, passBeganAt, settings);
  await ledger.advanceBlock(cutOff, next === undefined ? null : cursorOf(next, 0), EVER, deadline);
  return true;
}

/** Epoch ms; undefined: the pass was the last. */
function nextPassAt({ before }: Block, passBeganAt: number, settings: CutOffSettings): number | undefined {
  const after = passBeganAt - before;
  if (after >= settings.longestLifeMs) return undefined;
  return before + Math.min(settings.longestLifeMs, Math.max(settings.settleMs, 2 * after));
}

/** Whether the cut-off of a block ends a lease of its scope. */
export function isCovered(lease: Lease, { scope, before, endsShared }: Block, now: number): boolean {
  const own = !isOneCallers(scope) || !lease.shared || endsShared === true;
  const open = lease.state === 'reserved' || lease.state === 'live';
  return isOf(scope, lease) && own && open && lease.reservedAt < before && now < closesAt(lease);
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
