/**
 * Lease <-> item of the table (contract/table.ts). The rows of one table, by partition and sort key:
 *
 * | row      | pk                  | sk                                        | written by        |
 * |----------|---------------------|-------------------------------------------|-------------------|
 * | lease    | `u#<user>`          | `<fingerprint>#<generation, 10 digits>`   | dynamodb-ledger   |
 * | hold     | `holds`             | `<ThoughtSpot user>#<orgId>`              | user-holds        |
 * | ring     | `ring#<caller>`     | `marks`                                   | mint-counts       |
 * | org      | `org#<orgId>`       | `mints`                                   | mint-counts       |
 * | block    | `cutoffs`           | `all`, or `org#`, `policy#`, `rule#` and which | blocks       |
 * | block    | `block#<digest>`    | `block`: on a user, a subject, a session  | blocks            |
 * | data key | `key#<environment>` | hour, `2026-11-24T10`, or `digest`        | data-keys         |
 *
 * A lease has its fields as attributes of the same or shorter names (SHORT), and also: `token` (sealed, until it is
 * finished), `write` (the last write), `dueShard`, `callerDigest` (both only while unfinished), `retention` (once finished).
 * Of its own fields `dueAt` and `tokenDigest` are keys of indexes.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import { type CallerId, FINISHED, type Lease, type LeaseKey, UNFINISHED } from '../broker/lease.ts';
import { LEDGER_TABLE } from '../contract/table.ts';

/** Attributes as plain values; table.ts turns them into DynamoDB's and back. */
export type Item = Readonly<Record<string, unknown>>;

export type ItemKey = { readonly pk: string; readonly sk: string };

const { due } = LEDGER_TABLE.indexes;
const GENERATION_DIGITS = 10;

export const userPartition = (user: string): string => `u#${user}`;

/** What all sort keys of a fingerprint begin with, and no others. */
export function fingerprintPrefix(fingerprint: string): string {
  if (fingerprint.includes('#')) throw new Failure('internal-error', { reason: 'a fingerprint must not hold #' });
  return `${fingerprint}#`;
}

/** Generations are padded so that their order as text, which is the table's, is their order as numbers. */
export function leaseItemKey({ user, fingerprint, generation }: LeaseKey): ItemKey {
  const padded = String(generation).padStart(GENERATION_DIGITS, '0');
  return { pk: userPartition(user), sk: `${fingerprintPrefix(fingerprint)}${padded}` };
}

/** Spreads the rows of every user and grant over all shards, so that a mass revoke is worked off in parallel. */
export function dueShardOf({ pk, sk }: ItemKey, shards: number): number {
  return createHash('sha256').update(`${pk}\n${sk}`).digest().readUInt32BE() % shards;
}
export const dueShardName = (shard: number): string => `due#${shard}`;

/** Not keyed by the digest key, so that its loss loses no caller's leases. */
export function callerDigest({ issuer, subject }: CallerId): string {
  return digestOf([issuer, subject]);
}

export const sessionDigest = (issuer: string, session: string): string => digestOf(['session', issuer, session]);

function digestOf(names: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('base64url');
}

// Made once: a schema costs 15 us of a cold start.
const string = z.string();
const number = z.number();
const optionalString = z.exactOptional(string);
const optionalNumber = z.exactOptional(number);

/** Every byte of a name counts in the price of every write: a row with a token of 400 characters has less than 1 kB so. */
const SHORT_NAMES =
  'userName=n answeredUser=an caller=c shared=sh orgId=o kind=k rule=r grant=g policyVersion=p ' +
  'entitlements=e reservedAt=ra kept=kp mintDeadlineAt=md latestEndAt=le issuedAt=ia expiresAt=xa endsAt=ea ' +
  'upstreamCreatedAt=ua lifetimeSeconds=ls tokenType=tt attempts=a';
const PAIRS = [...SHORT_NAMES.matchAll(/(\w+)=(\w+)/g)].map(([, field = '', short = '']) => ({ field, short }));
const SHORT = new Map(PAIRS.map(({ field, short }) => [field, short]));
const LONG = new Map(PAIRS.map(({ field, short }) => [short, field]));
const renamed = (item: Item, names: ReadonlyMap<string, string>): Item =>
  Object.fromEntries(Object.entries(item).map(([name, value]) => [names.get(name) ?? name, value]));

/** The attributes in which fields of a lease are written. */
export const attributesOf = (fields: Item): Item => renamed(fields, SHORT);

const leaseItem = z.object({
  pk: string,
  sk: string,
  state: z.enum([...UNFINISHED, ...FINISHED]),
  userName: optionalString,
  answeredUser: optionalString,
  caller: z.object({ issuer: string, subject: string }),
  shared: z.boolean(),
  orgId: number,
  kind: z.enum(['full', 'object', 'custom']),
  rule: string,
  grant: string,
  policyVersion: string,
  entitlements: optionalString,
  reservedAt: number,
  kept: optionalNumber,
  mintDeadlineAt: number,
  latestEndAt: number,
  issuedAt: optionalNumber,
  expiresAt: optionalNumber,
  endsAt: optionalNumber,
  upstreamCreatedAt: optionalNumber,
  lifetimeSeconds: optionalNumber,
  tokenType: optionalString,
  token: z.exactOptional(z.instanceof(Uint8Array)),
  tokenDigest: optionalString,
  dueAt: optionalNumber,
  attempts: number,
});

/** The lease of an item as read; `leaseId` makes its handle. Throws as `parseItem`, by the names of fields. */
export function leaseOf(item: Item, leaseId: (key: LeaseKey) => string): Lease {
  const { pk, sk, token, ...facts } = parseItem(leaseItem, renamed(item, LONG));
  const user = pk.slice(userPartition('').length);
  const split = sk.lastIndexOf('#');
  const key = { user, fingerprint: sk.slice(0, split), generation: Number(sk.slice(split + 1)) };
  return { ...key, ...facts, leaseId: leaseId(key), sealed: token !== undefined };
}

/** Parses any row of the table. Throws Failure `internal-error` that names the attributes that do not parse, no value. */
export function parseItem<Schema extends z.ZodMiniType>(schema: Schema, item: Item): z.output<Schema> {
  const parsed = schema.safeParse(item);
  if (parsed.success) return parsed.data;
  const attributes = parsed.error.issues.map((issue) => String(issue.path[0])).join(', ');
  throw new Failure('internal-error', { reason: `a row of the ledger does not parse at ${attributes}` });
}

const dueKey = z.object({ pk: string, sk: string, dueAt: number });
const cursorParts = z.tuple([string, string, number]);

/** Where a page of the due index ended, as opaque text that can be stored and comes back later. */
export function encodeCursor(lastKey: Item): string {
  const { pk, sk, dueAt } = parseItem(dueKey, lastKey);
  return Buffer.from(JSON.stringify([pk, sk, dueAt])).toString('base64url');
}

/** The key that a page of a shard goes on after. Cursors also come from operators: Failure `invalid-request` for others. */
export function decodeCursor(cursor: string, shard: string): Item {
  try {
    const [pk, sk, dueAt] = cursorParts.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    return { pk, sk, [due.partitionKey.name]: shard, [due.sortKey.name]: dueAt };
  } catch {
    throw new Failure('invalid-request', { errors: [{ field: 'cursor', detail: 'is not a cursor of the ledger' }] });
  }
}
