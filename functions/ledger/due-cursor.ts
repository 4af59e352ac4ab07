/** Where a page of the due index ended, as opaque text that can be stored and comes back later. */
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import { LEDGER_TABLE } from '../contract/table.ts';
import { type Item, dueShardName, itemKey, numeric, parseItem, text } from './item.ts';

const { due } = LEDGER_TABLE.indexes;

const lastKey = z.object({ pk: z.string(), sk: z.string(), dueAt: z.number() });
const cursorParts = z.tuple([z.string(), z.string(), z.number()]);

export function encodeCursor(lastEvaluatedKey: Item): string {
  const { pk, sk, dueAt } = parseItem(lastKey, lastEvaluatedKey);
  return Buffer.from(JSON.stringify([pk, sk, dueAt])).toString('base64url');
}

/** The ExclusiveStartKey for a shard. Operators hand cursors in too: Failure `invalid-request` for what is none. */
export function decodeCursor(cursor: string, shard: number): Item {
  try {
    const [pk, sk, dueAt] = cursorParts.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    return {
      ...itemKey(pk, sk),
      [due.partitionKey.name]: text(dueShardName(shard)),
      [due.sortKey.name]: numeric(dueAt),
    };
  } catch {
    throw new Failure('invalid-request', { errors: [{ field: 'cursor', detail: 'is not a cursor of the ledger' }] });
  }
}
