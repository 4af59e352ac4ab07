/**
 * Write units of DynamoDB that the life of a token takes, counted from the rows as the ledger writes them. The rules are
 * those of the developer guide: "DynamoDB item sizes and formats"; "Write consumption" (one unit per started 1 kB of the
 * larger of the item before and after); "Using global secondary indexes" and "Local secondary indexes", write capacity (an
 * entry that comes or goes is one write, one whose key changes is two, one that stays as it is none).
 */
import { randomUUID } from 'node:crypto';
import type { Change, Reservation } from '../functions/broker/ports.ts';
import { LEDGER_INDEXES, LEDGER_TABLE } from '../functions/contract/table.ts';
import { leaseItemKey, type Item } from '../functions/ledger/item.ts';
import { reservedItem, updateOf } from '../functions/ledger/writes.ts';

const UNIT_BYTES = 1_024;
/** Of an envelope around a token (functions/ledger/sealing.ts). */
const SEAL_BYTES = 33;
/** Of a map or a list, and of each value in it. */
const [COLLECTION_BYTES, ELEMENT_BYTES] = [3, 1];

function valueBytes(value: unknown): number {
  if (value instanceof Uint8Array) return value.byteLength;
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'boolean' || value === null) return 1;
  // About one byte per two significant digits, and one.
  if (typeof value === 'number') return Math.ceil(String(Math.abs(value)).replace(/0+$/, '').length / 2) + 1;
  const inner = Object.entries(value as object);
  return (
    COLLECTION_BYTES +
    inner.reduce((sum, [name, one]) => sum + Buffer.byteLength(name) + valueBytes(one) + ELEMENT_BYTES, 0)
  );
}

/** As DynamoDB counts it: names and values, UTF-8. */
export const itemBytes = (item: Item): number =>
  Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);

const unitsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / UNIT_BYTES));

/** The keys that an index holds of an item; undefined if it does not hold it. */
function entryOf(index: (typeof LEDGER_INDEXES)[number], item: Item | undefined): Item | undefined {
  const own = [index.partitionKey.name, ...(index.sortKey ? [index.sortKey.name] : [])];
  if (item === undefined || own.some((name) => item[name] === undefined)) return undefined;
  const all = [LEDGER_TABLE.partitionKey.name, LEDGER_TABLE.sortKey.name, ...own];
  return Object.fromEntries([...new Set(all)].map((name) => [name, item[name]]));
}

export interface Units {
  readonly row: number;
  readonly indexes: number;
}

function write(before: Item | undefined, after: Item): Units {
  const row = unitsOf(Math.max(before ? itemBytes(before) : 0, itemBytes(after)));
  let indexes = 0;
  for (const index of LEDGER_INDEXES) {
    const [from, to] = [entryOf(index, before), entryOf(index, after)];
    if (JSON.stringify(from) === JSON.stringify(to)) continue;
    for (const entry of [from, to]) if (entry) indexes += unitsOf(itemBytes(entry));
  }
  return { row, indexes };
}

const AT = Date.UTC(2026, 10, 24, 10, 30, 17, 123);
const MINUTE = 60_000;

/** A row as of a real caller: names, digests and addresses of the length that they have. */
const RESERVATION: Reservation = {
  user: 'alice.anderson@customer.example',
  fingerprint: 'f'.repeat(43),
  generation: 12,
  caller: { issuer: 'https://login.customer.example/oauth2/default', subject: '00u1a2b3c4d5e6f7g8h9' },
  shared: false,
  orgId: 1_234,
  kind: 'full',
  rule: 'analysts',
  grant: 'default',
  policyVersion: 'p'.repeat(43),
  reservedAt: AT,
  mintDeadlineAt: AT + 20_123,
  latestEndAt: AT + 10 * MINUTE,
};

/** The row of a live token, and the units of each write of its life: minted, and revoked by its caller or expired. */
export function lifeOf(tokenCharacters: number) {
  const context = { shards: 16, now: AT, write: randomUUID() };
  const key = leaseItemKey(RESERVATION);
  const apply = (item: Item, change: Change): Item => {
    const sealed = new Uint8Array(SEAL_BYTES + tokenCharacters);
    const token = change.token === undefined ? undefined : { sealed, digest: 'd'.repeat(43) };
    const { set, remove = [] } = updateOf(key, change, token, context);
    const given = Object.entries(set).filter(([, value]) => value !== undefined);
    const after = { ...item, ...Object.fromEntries(given) };
    return Object.fromEntries(Object.entries(after).filter(([name]) => !remove.includes(name)));
  };
  const reserved = reservedItem(RESERVATION, context);
  const times = { issuedAt: AT + 250, expiresAt: AT + 300_250, endsAt: AT + 300_250, upstreamCreatedAt: AT + 111 };
  const live = apply(reserved, {
    ...{ to: 'live', token: 'token', dueAt: AT + 360_123, tokenType: 'Bearer', lifetimeSeconds: 300 },
    ...times,
  });
  const revoking = apply(live, { to: 'revoking', dueAt: AT + 60_321 });
  const writes = {
    minted: [write(undefined, reserved), write(reserved, live)],
    revoked: [write(live, revoking), write(revoking, apply(revoking, { to: 'revoked', dueAt: null }))],
    expired: [write(live, apply(live, { to: 'expired', dueAt: null }))],
  };
  const total = (units: readonly Units[]) => units.reduce((sum, { row, indexes }) => sum + row + indexes, 0);
  return {
    liveBytes: itemBytes(live),
    minted: total(writes.minted),
    revoked: total(writes.revoked),
    expired: total(writes.expired),
  };
}
