/**
 * Blocks: those on all, on orgs and on what the policy gave in one partition, since every mass revocation works on them; the others each in one of its
 * own, so that none is read or written by anybody whom it does not concern. A block is replaced as it was read.
 */
import { createHash, randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import {
  type Block,
  BLOCK_SHARDS,
  type BlockScope,
  type Concerned,
  EVER,
  isOneCallers,
  isSuspended,
  noBlock,
  raised,
  scopesOn,
} from '../broker/blocks.ts';
import type { TokenLedger } from '../broker/ports.ts';
import { LEDGER_TABLE } from '../contract/table.ts';
import { decodeCursor, encodeCursor, type Item, type ItemKey, parseItem } from './item.ts';
import type { Table } from './table.ts';
import { RETENTION_SECONDS } from './writes.ts';

type Blocks = Pick<TokenLedger, 'blocksOn' | 'raiseBlock' | 'widestBlocks' | 'dueBlocks' | 'advanceBlock'>;

/** Others who change the same block at the same time; each round means that one of them has. */
const RAISE_ROUNDS = 16;

const WIDEST = 'cutoffs';
const OWN = 'block#';
const { due } = LEDGER_TABLE.indexes;
const [DUE_SHARD, DUE_AT] = [due.partitionKey.name, due.sortKey.name];

const text = z.string();
const time = z.exactOptional(z.number());
const blockItem = z.object({
  before: z.number(),
  pending: z.boolean(),
  cursor: z.exactOptional(text),
  signedOut: time,
  suspendedAt: time,
  reinstatedAt: time,
  endsShared: z.exactOptional(z.boolean()),
});
const ownItem = z.object({
  scope: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('user'), user: text, orgId: time }),
    z.object({ kind: z.literal('subject'), issuer: text, subject: text }),
    z.object({ kind: z.literal('session'), issuer: text, session: text }),
  ]),
});
const rowItem = z.object({ pk: text, sk: text, dueAt: z.number() });
const writtenItem = z.object({ write: z.exactOptional(text) });

export function makeBlocks(table: Table): Blocks {
  return {
    blocksOn: async (concerned, deadline) => blocksIn(await table.getMany(blockKeys(concerned), deadline)),

    async raiseBlock(scope, raising, deadline) {
      const key = keyOf(scope);
      let tried: { readonly write: string; readonly was: Block } | undefined;
      for (let round = 0; round < RAISE_ROUNDS; round += 1) {
        const row = await table.get(key, deadline);
        const seen = row && parseItem(writtenItem, row).write;
        // Our own write, of which only the answer was lost.
        if (row && tried && seen === tried.write) return { was: tried.was, block: blockOf(row) };
        const was = row ? blockOf(row) : noBlock(scope);
        const block = raised(was, raising);
        if (!block) return { was, block: was };
        const when = seen === undefined ? 'attribute_not_exists(#write)' : '#write = :seen';
        const change = changeOf(was, block, raising.dueAt);
        tried = { write: randomUUID(), was };
        const set = { ...change.set, write: tried.write };
        const { item } = await table.update(key, { set, remove: change.remove, when, values: { seen } }, deadline);
        if (item) return { was, block: blockOf(item) };
      }
      throw new Failure('ledger-unavailable', { reason: 'others change the same block all the time' });
    },

    async widestBlocks(deadline) {
      const blocks: Block[] = [];
      for await (const rows of table.pages({ where: '#pk = :pk', values: { pk: WIDEST } }, deadline))
        blocks.push(...rows.map(blockOf));
      return blocks;
    },

    async dueBlocks(shard, until, limit, cursor, deadline) {
      const name = shardName(shard);
      const where = `#${DUE_SHARD} = :shard AND #${DUE_AT} <= :until`;
      const after = cursor === undefined ? undefined : decodeCursor(cursor, name);
      const query = { index: due, where, values: { shard: name, until }, after, limit };
      const { items, next } = await table.page(query, deadline);
      const keys = items.map((item) => parseItem(rowItem, item)).map(({ pk, sk }) => ({ pk, sk }));
      const rows = await table.getMany(keys, deadline);
      // What has changed since may be due at another time.
      const current = rows.filter((row) => parseItem(rowItem, row).dueAt <= until);
      return { blocks: current.map(blockOf), ...(next && { next: encodeCursor(next) }) };
    },

    async advanceBlock({ scope, before }, cursor, dueAt, deadline) {
      // Not if it was raised meanwhile (all rows again), nor if another sweep has finished it.
      const when = '#before = :before AND #pending = :true';
      const progress = cursor === null ? { pending: false } : { cursor };
      const set = { ...progress, ...(isWide(scope) ? {} : { [DUE_AT]: dueAt }) };
      await table.update(keyOf(scope), { set, when, values: { before, true: true } }, deadline);
    },
  };
}

/** The rows of the blocks on somebody, to be read with others. */
export const blockKeys = (concerned: Concerned): ItemKey[] => scopesOn(concerned).map(keyOf);

/** The blocks among rows that may be others too. */
export function blocksIn(rows: readonly Item[]): readonly Block[] {
  return rows.filter(({ pk }) => pk === WIDEST || String(pk).startsWith(OWN)).map(blockOf);
}

const isWide = (scope: BlockScope) => scope.kind !== 'user' && !isOneCallers(scope);
const shardName = (shard: number) => `${OWN}${shard}`;

function keyOf(scope: BlockScope): ItemKey {
  if (scope.kind === 'all') return { pk: WIDEST, sk: 'all' };
  if (scope.kind === 'org') return { pk: WIDEST, sk: `org#${scope.orgId}` };
  if (scope.kind === 'policy') return { pk: WIDEST, sk: `policy#${scope.policyVersion}` };
  if (scope.kind === 'rule') return { pk: WIDEST, sk: `rule#${scope.rule}` };
  return { pk: `${OWN}${digestOf(scope).toString('base64url')}`, sk: 'block' };
}

/** Everything that tells scopes apart, in a fixed order. Names of people are in no key. */
function digestOf(scope: BlockScope): Buffer {
  const { kind, user, orgId, issuer, subject, session }: Record<string, unknown> = { ...scope };
  return createHash('sha256')
    .update(JSON.stringify([kind, user, orgId, issuer, subject, session]))
    .digest();
}

function blockOf(row: Item): Block {
  const { pk, sk } = row;
  const block = parseItem(blockItem, row);
  if (pk !== WIDEST) return { ...parseItem(ownItem, row), ...block };
  const [, kind, name = ''] = /^(\w+)#(.*)$/s.exec(String(sk)) ?? [];
  if (kind === 'org') return { scope: { kind, orgId: Number(name) }, ...block };
  if (kind === 'policy') return { scope: { kind, policyVersion: name }, ...block };
  return { scope: kind === 'rule' ? { kind, rule: name } : { kind: 'all' }, ...block };
}

/** What a write changes, and no more: a sweep may be storing its progress at the same time. */
function changeOf(was: Block, { scope, cursor: _, pending, ...facts }: Block, dueAt = EVER) {
  const anew = facts.before > was.before;
  const remove = anew ? ['cursor', ...(facts.endsShared ? [] : ['endsShared'])] : [];
  const progress = anew || was.before === 0 ? { pending } : {};
  const last = Math.max(facts.before, facts.signedOut ?? 0, facts.reinstatedAt ?? 0);
  const kept = scope.kind === 'all' || scope.kind === 'org' || isSuspended({ scope, pending, ...facts });
  const retention = kept ? {} : { [LEDGER_TABLE.timeToLive]: Math.ceil(last / 1_000) + RETENTION_SECONDS };
  if (isWide(scope)) return { set: { ...facts, ...progress, ...retention }, remove };
  const shard = shardName(digestOf(scope).readUInt32BE() % BLOCK_SHARDS);
  const due = anew || was.before === 0 ? { [DUE_SHARD]: shard, [DUE_AT]: pending ? dueAt : EVER } : {};
  return {
    set: { ...facts, ...progress, ...due, scope, ...retention },
    remove: [...remove, ...(kept ? [LEDGER_TABLE.timeToLive] : [])],
  };
}
