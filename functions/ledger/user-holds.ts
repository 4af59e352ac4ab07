/** Holds on ThoughtSpot users (broker/user-hold.ts): a row per user and org, in one partition, to list them. */
import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import { isPerEntitlement, normaliseUser } from '../broker/lease.ts';
import type { HeldUser, HoldRequest, TokenLedger } from '../broker/ports.ts';
import { LEDGER_TABLE } from '../contract/table.ts';
import { type Item, type ItemKey, parseItem } from './item.ts';
import type { Table } from './table.ts';
import { RETENTION_SECONDS } from './writes.ts';

type UserHolds = Pick<TokenLedger, 'holdUser' | 'userHold' | 'replaceUserHold' | 'usersUnusedSince'>;

const PARTITION = 'holds';

const holdItem = z.object({
  digest: z.string(),
  subject: z.string(),
  until: z.number(),
  mixedUntil: z.exactOptional(z.number()),
  write: z.string(),
});
const registerItem = z.object({ userName: z.string(), orgId: z.number(), until: z.number() });

export function makeUserHolds(table: Table): UserHolds {
  async function write(user: HeldUser, hold: HoldRequest, condition: Condition, deadline: number) {
    const { userName, orgId } = user;
    const { digest, subject, until, mixedUntil } = hold;
    const attributes = { userName, orgId, digest, subject, until, mixedUntil, write: randomUUID() };
    // A user that the broker made stays in the register until an administrator deletes the user.
    const made = isPerEntitlement(userName);
    const retention = made ? {} : { [LEDGER_TABLE.timeToLive]: Math.ceil(until / 1_000) + RETENTION_SECONDS };
    const remove = [...(made ? [LEDGER_TABLE.timeToLive] : []), ...condition.remove];
    const { item } = await table.update(
      keyOf(user),
      { set: { ...attributes, ...retention }, ...condition, remove },
      deadline,
    );
    return item !== undefined;
  }

  return {
    holdUser(user, request, endedBefore, deadline) {
      const same = '#digest = :digest AND #subject = :subject AND #until <= :until';
      const when = `attribute_not_exists(#pk) OR #until < :endedBefore OR (${same})`;
      return write(user, request, { when, values: { endedBefore }, remove: [] }, deadline);
    },

    async userHold(user, deadline) {
      const item = await table.get(keyOf(user), deadline);
      return item && parseItem(holdItem, item);
    },

    replaceUserHold(user, { write: last }, next, deadline) {
      const remove = next.mixedUntil === undefined ? ['mixedUntil'] : [];
      return write(user, next, { when: '#write = :last', values: { last }, remove }, deadline);
    },

    async usersUnusedSince(before, limit, cursor, deadline) {
      const after = cursor === undefined ? undefined : { pk: PARTITION, sk: cursor };
      const query = { where: '#pk = :pk', values: { pk: PARTITION }, limit, after };
      const { items, next } = await table.page(query, deadline);
      const users = items
        .map((item) => parseItem(registerItem, item))
        .filter(({ userName, until }) => isPerEntitlement(userName) && until < before);
      return { users, ...(next && { next: String(next['sk']) }) };
    },
  };
}

interface Condition {
  readonly when: string;
  readonly values: Item;
  readonly remove: readonly string[];
}

function keyOf({ userName, orgId }: HeldUser): ItemKey {
  return { pk: PARTITION, sk: `${normaliseUser(userName)}#${orgId}` };
}
