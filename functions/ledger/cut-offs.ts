/** Cut-offs: one row each, all in one partition, so that what covers an org is one read and what is pending one query. */
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import type { CutOff, CutOffScope, TokenLedger } from '../broker/ports.ts';
import { type Item, type ItemKey, parseItem } from './item.ts';
import type { Table } from './table.ts';

type CutOffs = Pick<TokenLedger, 'cutOffFor' | 'raiseCutOff' | 'pendingCutOffs' | 'advanceCutOff'>;

/** Others who raise the same cut-off at the same time; each round means that one of them has. */
const RAISE_ROUNDS = 8;

const PARTITION = 'cutoffs';
const ORG_PREFIX = 'org#';

const cutOffItem = z.object({
  sk: z.string(),
  before: z.number(),
  pending: z.boolean(),
  cursor: z.exactOptional(z.string()),
});

export function makeCutOffs(table: Table): CutOffs {
  return {
    async cutOffFor(orgId, deadline) {
      return highestOf(await table.getMany(cutOffKeys(orgId), deadline));
    },

    async raiseCutOff(scope, before, deadline, always = false) {
      const key = keyOf(scope);
      const raise = (to: number, when: string, values = {}) =>
        table.update(key, { set: { before: to, pending: true }, remove: ['cursor'], when, values }, deadline);
      let { item } = await raise(before, 'attribute_not_exists(#before) OR #before < :before');
      // The same or a newer one exists already. It may be of a clock that runs ahead, and tokens minted since.
      for (let round = 0; always && !item && round < RAISE_ROUNDS; round += 1) {
        const { before: stored } = cutOffOf((await table.get(key, deadline)) ?? {});
        ({ item } = await raise(Math.max(before, stored + 1), '#before = :stored', { stored }));
      }
      if (always && !item) throw new Failure('ledger-unavailable', { reason: 'others raise the cut-off all the time' });
    },

    async pendingCutOffs(deadline) {
      const pending: CutOff[] = [];
      for await (const rows of table.pages({ where: '#pk = :pk', values: { pk: PARTITION } }, deadline)) {
        pending.push(...rows.map(cutOffOf).filter((cutOff) => cutOff.pending));
      }
      return pending;
    },

    async advanceCutOff({ scope, before }, cursor, deadline) {
      // Not if it was raised meanwhile (all rows again), nor if another sweep has finished it.
      const when = '#before = :before AND #pending = :true';
      const set = cursor === null ? { pending: false } : { cursor };
      await table.update(keyOf(scope), { set, when, values: { before, true: true } }, deadline);
    },
  };
}

/** The rows that cover an org, to be read with others. */
export const cutOffKeys = (orgId: number): ItemKey[] => [keyOf({ kind: 'all' }), keyOf({ kind: 'org', orgId })];

/** The highest cut-off among rows that may be others too; 0 if there is none. */
export function highestOf(rows: readonly Item[]): number {
  const cutOffs = rows.filter(({ pk }) => pk === PARTITION);
  return Math.max(0, ...cutOffs.map((row) => cutOffOf(row).before));
}

function keyOf(scope: CutOffScope): ItemKey {
  return { pk: PARTITION, sk: scope.kind === 'all' ? 'all' : `${ORG_PREFIX}${scope.orgId}` };
}

function cutOffOf(row: Item): CutOff {
  const { sk, ...cutOff } = parseItem(cutOffItem, row);
  if (!sk.startsWith(ORG_PREFIX)) return { scope: { kind: 'all' }, ...cutOff };
  return { scope: { kind: 'org', orgId: Number(sk.slice(ORG_PREFIX.length)) }, ...cutOff };
}
