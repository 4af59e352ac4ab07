/** Cut-offs: one row each, all in one partition, so that what covers an org is one read and what is pending one query. */
import * as z from 'zod/mini';
import type { CutOff, CutOffScope, TokenLedger } from '../broker/ports.ts';
import { type Item, flag, itemKey, numeric, parseItem, text } from './item.ts';
import type { Table } from './table.ts';

type CutOffs = Pick<TokenLedger, 'cutOffFor' | 'raiseCutOff' | 'pendingCutOffs' | 'advanceCutOff'>;

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
      const rows = await table.getMany([keyOf({ kind: 'all' }), keyOf({ kind: 'org', orgId })], deadline);
      return Math.max(0, ...rows.map((row) => cutOffOf(row).before));
    },

    async raiseCutOff(scope, before, deadline) {
      // A condition that fails here means that the same or a newer cut-off stands already: nothing to do.
      await table.update(
        keyOf(scope),
        {
          set: { before: numeric(before), pending: flag(true) },
          remove: ['cursor'],
          when: 'attribute_not_exists(#before) OR #before < :before',
        },
        deadline,
      );
    },

    async pendingCutOffs(deadline) {
      const pending: CutOff[] = [];
      const rows = table.all(
        {
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': text(PARTITION) },
          ConsistentRead: true,
        },
        deadline,
      );
      for await (const row of rows) {
        const cutOff = cutOffOf(row);
        if (cutOff.pending) pending.push(cutOff);
      }
      return pending;
    },

    async advanceCutOff({ scope, before }, cursor, deadline) {
      // Not if it was raised meanwhile (all rows anew), nor if another sweep has finished it.
      const when = '#before = :before AND #pending = :true';
      const values = { before: numeric(before), true: flag(true) };
      const set = cursor === null ? { pending: flag(false) } : { cursor: text(cursor) };
      await table.update(keyOf(scope), { set, when, values }, deadline);
    },
  };
}

function keyOf(scope: CutOffScope): Item {
  return itemKey(PARTITION, scope.kind === 'all' ? 'all' : `${ORG_PREFIX}${scope.orgId}`);
}

function cutOffOf(row: Item): CutOff {
  const { sk, ...cutOff } = parseItem(cutOffItem, row);
  if (!sk.startsWith(ORG_PREFIX)) return { scope: { kind: 'all' }, ...cutOff };
  return { scope: { kind: 'org', orgId: Number(sk.slice(ORG_PREFIX.length)) }, ...cutOff };
}
