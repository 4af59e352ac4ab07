/** Use case leases: unfinished leases for operators, one page at a time. */
import { Failure } from './failure.ts';
import { type Lease, normaliseUser } from './lease.ts';
import type { Clock, TokenLedger } from './ports.ts';
import type { LeaseFilter, ListLeases } from './use-cases.ts';

export interface ListLeasesDeps {
  readonly ledger: Pick<TokenLedger, 'unfinishedOfUser' | 'due' | 'shards'>;
  readonly clock: Clock;
}

type Page = Awaited<ReturnType<ListLeases>>;

/** Later than any due time: every unfinished row is in the due index. */
const EVER = Number.MAX_SAFE_INTEGER;
/** Kept of the deadline for the answer, ms. */
const ANSWER_MS = 1_000;

/**
 * At most `limit` leases; a page may hold fewer, or none, and still have a `next`. With `user`: read strongly, by
 * fingerprint and generation. Without: over the due index, by shard and due time, which may lag; a row that changes between two
 * pages may be seen twice.
 */
export function makeListLeases({ ledger, clock }: ListLeasesDeps): ListLeases {
  return async (filter, limit, cursor, deadline) => {
    if (!(limit >= 1))
      throw new Failure('invalid-request', { errors: [{ field: 'limit', detail: 'must be 1 or more' }] });
    return filter.user === undefined
      ? ofAll(ledger, clock, filter, limit, cursor, deadline)
      : ofUser(ledger, normaliseUser(filter.user), filter, limit, cursor, deadline);
  };
}

/** The cursor is the position of the last lease shown, which need not be there any more. */
async function ofUser(
  ledger: ListLeasesDeps['ledger'],
  user: string,
  filter: LeaseFilter,
  limit: number,
  cursor: string | undefined,
  deadline: number,
): Promise<Page> {
  const after = keyOf(cursor);
  const all: Lease[] = [];
  for await (const lease of ledger.unfinishedOfUser(user, deadline)) all.push(lease);
  all.sort(byKey);
  const fitting = all.filter((lease) => (after === undefined || byKey(lease, after) > 0) && matches(lease, filter));
  const leases = fitting.slice(0, limit);
  const last = leases.at(-1);
  return fitting.length > limit && last ? { leases, next: `${last.fingerprint}#${last.generation}` } : { leases };
}

type Key = Pick<Lease, 'fingerprint' | 'generation'>;

function keyOf(cursor: string | undefined): Key | undefined {
  if (cursor === undefined) return undefined;
  const [, fingerprint, generation] = /^([^ #]+)#(\d{1,15})$/.exec(cursor) ?? [];
  if (fingerprint === undefined) throw notOurs();
  return { fingerprint, generation: Number(generation) };
}

function byKey(one: Key, other: Key): number {
  if (one.fingerprint !== other.fingerprint) return one.fingerprint < other.fingerprint ? -1 : 1;
  return one.generation - other.generation;
}

/** The cursor is a shard and the ledger's cursor in it. A page that would overflow the limit is read again next time. */
async function ofAll(
  ledger: ListLeasesDeps['ledger'],
  clock: Clock,
  filter: LeaseFilter,
  limit: number,
  cursor: string | undefined,
  deadline: number,
): Promise<Page> {
  let { shard, page } = positionOf(cursor);
  const leases: Lease[] = [];
  while (shard < ledger.shards) {
    const here = `${shard} ${page ?? ''}`;
    if (clock.now() + ANSWER_MS >= deadline) return { leases, next: here };
    const found = await ledger.due(shard, EVER, limit, page, deadline);
    const fitting = found.leases.filter((lease) => matches(lease, filter));
    if (leases.length + fitting.length > limit) return { leases, next: here };
    leases.push(...fitting);
    page = found.next;
    if (page === undefined) shard += 1;
    if (leases.length === limit && shard < ledger.shards) return { leases, next: `${shard} ${page ?? ''}` };
  }
  return { leases };
}

function positionOf(cursor: string | undefined): { shard: number; page: string | undefined } {
  if (cursor === undefined) return { shard: 0, page: undefined };
  const [, shard, page] = /^(\d{1,6}) (.*)$/s.exec(cursor) ?? [];
  if (shard === undefined) throw notOurs();
  return { shard: Number(shard), page: page === '' ? undefined : page };
}

function notOurs(): Failure {
  return new Failure('invalid-request', { errors: [{ field: 'cursor', detail: 'is not ours' }] });
}

function matches(lease: Lease, { orgId, state }: LeaseFilter): boolean {
  return (orgId === undefined || lease.orgId === orgId) && (state === undefined || lease.state === state);
}
