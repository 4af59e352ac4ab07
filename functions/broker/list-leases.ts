/** Use case leases: unfinished leases for operators, one page at a time. */
import { EVER } from './blocks.ts';
import { Failure } from './failure.ts';
import { type Lease, personOf } from './lease.ts';
import type { World } from './ports.ts';
import type { LeaseFilter, ListLeases } from './use-cases.ts';

type Listed = Pick<World, 'ledger' | 'clock'>;
type Page = Awaited<ReturnType<ListLeases>>;
interface Ask {
  readonly filter: LeaseFilter;
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly deadline: number;
}

/** Kept of the deadline for the answer, ms. */
const ANSWER_MS = 1_000;

/**
 * At most `limit` leases; a page may hold fewer, or none, and still have a `next`. With `user`: read strongly, by
 * fingerprint and generation. Without: over the due index, by shard and due time, which may lag; a row that changes
 * between two pages may be seen twice.
 */
export function makeListLeases(world: Listed): ListLeases {
  return async (filter, limit, cursor, deadline) => {
    if (!(limit >= 1)) throw invalid('limit', 'must be 1 or more');
    const ask = { filter, limit, cursor, deadline };
    return filter.user === undefined ? ofAll(world, ask) : ofUser(world, personOf(filter.user), ask);
  };
}

/** The cursor is the position of the last lease shown, which need not be there any more. */
async function ofUser({ ledger }: Listed, user: string, ask: Ask): Promise<Page> {
  const { filter, limit, cursor, deadline } = ask;
  const after = keyOf(cursor);
  const all: Lease[] = [];
  for await (const lease of ledger.unfinishedOfUser(user, deadline)) all.push(lease);
  all.sort(byKey);
  const rest = all.filter((lease) => (after === undefined || byKey(lease, after) > 0) && matches(lease, filter));
  const leases = rest.slice(0, limit);
  const last = leases.at(-1);
  return rest.length > limit && last ? { leases, next: `${last.fingerprint}#${last.generation}` } : { leases };
}

type Key = Pick<Lease, 'fingerprint' | 'generation'>;

function keyOf(cursor: string | undefined): Key | undefined {
  if (cursor === undefined) return undefined;
  const [, fingerprint, generation] = /^([^ #]+)#(\d{1,15})$/.exec(cursor) ?? [];
  if (fingerprint === undefined) throw invalid('cursor', 'is not ours');
  return { fingerprint, generation: Number(generation) };
}

function byKey(one: Key, other: Key): number {
  if (one.fingerprint !== other.fingerprint) return one.fingerprint < other.fingerprint ? -1 : 1;
  return one.generation - other.generation;
}

/** The cursor is a shard and the ledger's cursor in it. A page that would overflow the limit is read again next time. */
async function ofAll({ ledger, clock }: Listed, { filter, limit, cursor, deadline }: Ask): Promise<Page> {
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
  if (shard === undefined) throw invalid('cursor', 'is not ours');
  return { shard: Number(shard), page: page === '' ? undefined : page };
}

function invalid(field: string, detail: string): Failure {
  return new Failure('invalid-request', { errors: [{ field, detail }] });
}

function matches(lease: Lease, { user: _, ...wanted }: LeaseFilter): boolean {
  const same = (name: keyof typeof wanted) => wanted[name] === undefined || lease[name] === wanted[name];
  return same('orgId') && same('state') && same('policyVersion') && same('rule');
}
