/**
 * What counts against limits (broker/mint-limits.ts): a ring of marks per caller, a set of texts, which an update can add to
 * and knows the size of; and a row per org with a number per span of time. Each in a partition of its own.
 */
import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import type { CallerId } from '../broker/lease.ts';
import type { Mark, MintCounts, Ring } from '../broker/mint-counts.ts';
import { LEDGER_TABLE } from '../contract/table.ts';
import { blockKeys, blocksIn } from './blocks.ts';
import { type Item, type ItemKey, callerDigest, parseItem } from './item.ts';
import type { Table, Update } from './table.ts';
import { RETENTION_SECONDS } from './writes.ts';

const ringItem = z.object({ marks: z.set(z.string()), epoch: z.exactOptional(z.string()) });
const SPAN = /^span(\d+)$/;

export function makeMintCounts(table: Table, now: () => number): MintCounts {
  const retention = () => ({ [LEDGER_TABLE.timeToLive]: Math.ceil(now() / 1_000) + RETENTION_SECONDS });

  async function update(key: ItemKey, { set, ...change }: Update, deadline: number): Promise<boolean> {
    const { item } = await table.update(key, { set: { ...set, ...retention() }, ...change }, deadline);
    return item !== undefined;
  }

  return {
    async standing(concerned, deadline) {
      const [ring, org] = [ringKey(concerned.caller), orgKey(concerned.orgId)];
      const rows = await table.getMany([...blockKeys(concerned), ring, org], deadline);
      const rowOf = (key: ItemKey) => rows.find(({ pk }) => pk === key.pk);
      return { blocks: blocksIn(rows), ring: ringOf(rowOf(ring)), orgMints: orgMintsOf(rowOf(org)) };
    },

    addMark(caller, { epoch }, mark, most, deadline) {
      const same = epoch === undefined ? 'attribute_not_exists(#epoch)' : '#epoch = :epoch';
      const when = `${same} AND (attribute_not_exists(#marks) OR size(#marks) < :most)`;
      return update(
        ringKey(caller),
        { set: {}, add: { marks: setOf([mark]) }, when, values: { epoch, most } },
        deadline,
      );
    },

    replaceMarks(caller, seen, marks, deadline) {
      const same = seen.epoch === undefined ? 'attribute_not_exists(#epoch)' : '#epoch = :seen';
      const values = { seen: seen.epoch, size: seen.marks.length };
      const when = `${same} AND size(#marks) = :size`;
      return update(ringKey(caller), { set: { marks: setOf(marks), epoch: randomUUID() }, when, values }, deadline);
    },

    async countOrgMints(orgId, mints, over, deadline) {
      const add = Object.fromEntries([...mints].map(([span, count]) => [`span${span}`, count]));
      // The SDK sends it again where only the answer was lost.
      const [set, when] = [{ write: randomUUID() }, 'attribute_not_exists(#write) OR #write <> :write'];
      await update(orgKey(orgId), { set, add, remove: over.map((span) => `span${span}`), when }, deadline);
    },
  };
}

const ringKey = (caller: CallerId): ItemKey => ({ pk: `ring#${callerDigest(caller)}`, sk: 'marks' });
const orgKey = (orgId: number): ItemKey => ({ pk: `org#${orgId}`, sk: 'mints' });

function ringOf(row: Item | undefined): Ring {
  if (row === undefined) return { marks: [] };
  const { marks, ...epoch } = parseItem(ringItem, row);
  return { marks: [...marks].map(markOf), ...epoch };
}

function orgMintsOf(row: Item = {}): ReadonlyMap<number, number> {
  return new Map(
    Object.entries(row).flatMap(([name, count]) => {
      const span = SPAN.exec(name)?.[1];
      return span === undefined ? [] : [[Number(span), Number(count)] as const];
    }),
  );
}

const setOf = (marks: readonly Mark[]) => new Set(marks.map(({ at, until, id }) => `${at} ${until} ${id}`));

function markOf(text: string): Mark {
  const [at, until, id = ''] = text.split(' ');
  return { id, at: Number(at), until: Number(until) };
}
