/**
 * Lease <-> item of the table (contract/table.ts). The rows of one table, by partition and sort key:
 *
 * | row      | pk                  | sk                                        | written by        |
 * |----------|---------------------|-------------------------------------------|-------------------|
 * | lease    | `u#<user>`          | `<fingerprint>#<generation, 10 digits>`   | dynamodb-ledger   |
 * | cut-off  | `cutoffs`           | `all` or `org#<orgId>`                    | cut-offs          |
 * | data key | `key#<environment>` | hour, `2026-11-24T10`                     | data-keys         |
 *
 * A lease has its fields as attributes of the same names, and besides: `token` (sealed, until it is finished),
 * `write` (who wrote last), `dueShard`, `callerDigest` (both only while unfinished), `retention` (once finished).
 */
import { createHash } from 'node:crypto';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import * as z from 'zod/mini';
import { Failure } from '../broker/failure.ts';
import { type CallerId, FINISHED, type Lease, type LeaseKey, UNFINISHED } from '../broker/lease.ts';
import { LEDGER_TABLE } from '../contract/table.ts';

export type Item = Record<string, AttributeValue>;

const PARTITION = LEDGER_TABLE.partitionKey.name;
const SORT = LEDGER_TABLE.sortKey.name;
const GENERATION_DIGITS = 10;

export const text = (value: string): AttributeValue => ({ S: value });
export const numeric = (value: number): AttributeValue => ({ N: String(value) });
export const flag = (value: boolean): AttributeValue => ({ BOOL: value });
export const bytes = (value: Uint8Array): AttributeValue => ({ B: value });

export const itemKey = (partition: string, sort: string) => ({ [PARTITION]: text(partition), [SORT]: text(sort) });

export const userPartition = (user: string): string => `u#${user}`;

/** What all sort keys of a fingerprint begin with, and no others. */
export function fingerprintPrefix(fingerprint: string): string {
  if (fingerprint.includes('#')) throw new Failure('internal-error', { reason: 'a fingerprint must not hold #' });
  return `${fingerprint}#`;
}

/** Generations are padded so that their order as text, which is the table's, is their order as numbers. */
export function leaseItemKey({ user, fingerprint, generation }: LeaseKey): { pk: string; sk: string } {
  const padded = String(generation).padStart(GENERATION_DIGITS, '0');
  return { pk: userPartition(user), sk: `${fingerprintPrefix(fingerprint)}${padded}` };
}

/** Spreads the rows of every user and grant over all shards, so that a mass revoke is worked off in parallel. */
export function dueShardOf(key: { pk: string; sk: string }, shards: number): number {
  return createHash('sha256').update(`${key.pk}\n${key.sk}`).digest().readUInt32BE() % shards;
}
export const dueShardName = (shard: number): string => `due#${shard}`;

/** Not keyed by the secret's digest key, so that a rotation of the secret loses no caller's leases. */
export function callerDigest({ issuer, subject }: CallerId): string {
  return createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('base64url');
}

const userOf = z.pipe(
  z.string(),
  z.transform((pk) => pk.slice(userPartition('').length)),
);
const generationOf = z.pipe(
  z.string(),
  z.transform((sk) => {
    const split = sk.lastIndexOf('#');
    return { fingerprint: sk.slice(0, split), generation: Number(sk.slice(split + 1)) };
  }),
);
// Made once: a schema costs 15 us of a cold start.
const string = z.string();
const number = z.number();
const optionalString = z.exactOptional(string);
const optionalNumber = z.exactOptional(number);

const leaseItem = z.object({
  pk: userOf,
  sk: generationOf,
  state: z.enum([...UNFINISHED, ...FINISHED]),
  userName: optionalString,
  caller: z.object({ issuer: string, subject: string }),
  shared: z.boolean(),
  orgId: number,
  kind: z.enum(['full', 'object', 'custom']),
  rule: string,
  grant: string,
  policyVersion: string,
  reservedAt: number,
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

/** The lease of an item as read; `leaseId` makes its handle. Throws Failure `internal-error` for an item that is none. */
export function leaseOf(item: Item, leaseId: (key: LeaseKey) => string): Lease {
  const { pk: user, sk, token, ...facts } = parseItem(leaseItem, item);
  const key = { user, ...sk };
  return { ...key, ...facts, leaseId: leaseId(key), sealed: token !== undefined };
}

/** Parses any row of the table, attributes as plain values; the reason names those at fault, never a value. */
export function parseItem<Schema extends z.ZodMiniType>(schema: Schema, item: Item): z.output<Schema> {
  const parsed = schema.safeParse(plain(item));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => String(issue.path[0])).join(', ');
  throw new Failure('internal-error', { reason: `a row of the ledger does not parse at ${faults}` });
}

function plain(item: Item): Record<string, unknown> {
  return Object.fromEntries(Object.entries(item).map(([name, attribute]) => [name, valueOf(attribute)]));
}

/** Of the types that our rows have; any other is undefined, which no schema takes. */
function valueOf({ S, N, BOOL, B, M }: AttributeValue): unknown {
  if (N !== undefined) return Number(N);
  if (M !== undefined) return plain(M);
  return S ?? BOOL ?? B;
}
