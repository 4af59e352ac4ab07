/** The door: whoever is shut out gets no token, whatever the policy says; and how operators lift and list what is shut. */
import { type Asker, type Block, BLOCK_SHARDS, EVER, isSuspended, refusalOf } from './blocks.ts';
import { Failure } from './failure.ts';
import { inParallel } from './in-parallel.ts';
import { recordBlock, requireOperator, scopesOf } from './lease-selection.ts';
import type { World } from './ports.ts';
import type { ListBlocks, ListedBlock, Reinstate } from './use-cases.ts';

/** Blocks that are read, and scopes that are written, at once. */
const PAGE = 100;
const WIDTH = 8;

/** Throws Failure `suspended` or `sign-in-again` after its audit line and metric. `blocks`: all that are on the caller. */
export function requireAdmitted(
  { audit, signals, clock }: Pick<World, 'audit' | 'signals' | 'clock'>,
  caller: Asker,
  blocks: readonly Block[],
): void {
  const refusal = refusalOf(blocks, caller.issuedAt, clock.now());
  if (!refusal) return;
  const { issuer, subject } = caller;
  const { code, reason = '' } = refusal;
  audit.record({ action: 'deny', caller: { issuer, subject }, code, reasons: [reason] });
  signals.emit('denied');
  throw refusal;
}

/**
 * The same for an operator with an access token: blocks on the operator count, those on all or on an org do not, since they
 * are what an operator must be able to lift. One read.
 */
export function makeRequireActive(world: Pick<World, 'ledger' | 'audit' | 'signals' | 'clock'>) {
  return async (operator: Asker, deadline: number): Promise<void> => {
    const blocks = await world.ledger.blocksOn({ caller: operator, orgId: 0 }, deadline);
    const own = blocks.filter(({ scope }) => scope.kind !== 'all' && scope.kind !== 'org');
    requireAdmitted(world, operator, own);
  };
}

/** An event that is older than a reinstatement suspends nobody any more, whenever it arrives. */
export function makeReinstate(world: Pick<World, 'ledger' | 'clock' | 'audit'>): Reinstate {
  return async (revoker, selection, deadline) => {
    requireOperator(revoker);
    let reinstated = 0;
    await inParallel(scopesOf(selection), WIDTH, async (scope) => {
      const raising = { reinstatedAt: world.clock.now(), always: true };
      const { was } = await world.ledger.raiseBlock(scope, raising, deadline);
      if (isSuspended(was)) reinstated += 1;
      recordBlock(world, 'reinstate', revoker, scope);
    });
    return { reinstated };
  };
}

/** `longestTokenMs`: longest that an access token may live; a sign-out is over so much later. A page may be empty. */
export function makeListBlocks({ ledger, clock }: Pick<World, 'ledger' | 'clock'>, longestTokenMs: number): ListBlocks {
  const inForce = (blocks: readonly Block[]): readonly ListedBlock[] =>
    blocks.flatMap((block) => {
      const { scope, signedOut: issuedUpTo = 0, suspendedAt } = block;
      const until = issuedUpTo + longestTokenMs;
      const signedOut = until > clock.now() ? { signedOut: { issuedUpTo, until } } : {};
      const suspended = isSuspended(block) && suspendedAt !== undefined ? { suspendedSince: suspendedAt } : {};
      return 'signedOut' in signedOut || 'suspendedSince' in suspended ? [{ scope, ...signedOut, ...suspended }] : [];
    });

  return async (cursor, deadline) => {
    const [, shard, page] = /^(\d) (.*)$/s.exec(cursor ?? '0 ') ?? [];
    if (shard === undefined)
      throw new Failure('invalid-request', { errors: [{ field: 'cursor', detail: 'is not ours' }] });
    const widest = cursor === undefined ? inForce(await ledger.widestBlocks(deadline)) : [];
    const found = await ledger.dueBlocks(Number(shard), EVER, PAGE, page || undefined, deadline);
    const following = found.next === undefined ? `${Number(shard) + 1} ` : `${shard} ${found.next}`;
    const blocks = [...widest, ...inForce(found.blocks)];
    return following === `${BLOCK_SHARDS} ` ? { blocks } : { blocks, next: following };
  };
}
