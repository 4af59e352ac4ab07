import * as z from 'zod/mini';
import type { LeaseFilter, ListLeases } from '../broker/use-cases.ts';
import { Failure } from '../broker/failure.ts';
import { json } from './answer.ts';
import { isObject, membersOf } from './direct-events.ts';
import { integer, orgId, readFields, text, type Read } from './fields.ts';
import type { Route } from './http-entry.ts';

const DEFAULT_LIMIT = 50;
const MOST = 200;

const FILTER_FIELDS = {
  user: z.optional(text(256)),
  org: z.optional(orgId),
  state: z.optional(
    z.enum(['reserved', 'live', 'revoking', 'revoked', 'failed', 'orphaned', 'expired'], 'is not a state of a lease'),
  ),
};
const PAGE_FIELDS = {
  limit: z.optional(integer(1, MOST)),
  cursor: z.optional(text(4096)),
};
const QUERY_FIELDS = { ...FILTER_FIELDS, ...PAGE_FIELDS };
const EVENT_FIELDS = {
  source: z.literal('operator'),
  filter: z.optional(z.custom<object>(isObject, 'must be an object')),
  ...PAGE_FIELDS,
};

/** `GET /leases`: unfinished leases, one page, for operators; without a scope for them, for nobody. No token, sealed or not, is in a lease. */
export function leasesRoute(listLeases: ListLeases, scope: string | undefined): Route {
  return {
    scope,
    async answer({ event, deadline }) {
      if (scope === undefined) throw new Failure('insufficient-scope');
      const query = readFields(QUERY_FIELDS, Object.entries(event.queryStringParameters ?? {}).map(asNumber));
      return json(200, await page(listLeases, query, query, deadline));
    },
  };
}

/** What an operator's event asks to list. Throws Failure `invalid-request` that names every fault. */
export function listingOf(event: unknown): {
  readonly filter: Read<typeof FILTER_FIELDS>;
  readonly page: Read<typeof PAGE_FIELDS>;
} {
  const { filter, limit, cursor } = readFields(EVENT_FIELDS, membersOf(event));
  return {
    filter: readFields(FILTER_FIELDS, membersOf(filter ?? {})),
    page: { limit, cursor },
  };
}

/** One page, as both an HTTP caller and an operator's event get it. */
export async function page(
  listLeases: ListLeases,
  filter: Read<typeof FILTER_FIELDS>,
  { limit = DEFAULT_LIMIT, cursor }: Read<typeof PAGE_FIELDS>,
  deadline: number,
): Promise<object> {
  const wanted: LeaseFilter = {
    ...(filter.user === undefined ? {} : { user: filter.user }),
    ...(filter.org === undefined ? {} : { orgId: filter.org }),
    ...(filter.state === undefined ? {} : { state: filter.state }),
  };
  const { leases, next } = await listLeases(wanted, limit, cursor, deadline);
  const shown = leases.map((lease) => ({
    leaseId: lease.leaseId,
    user: lease.user,
    orgId: lease.orgId,
    state: lease.state,
    kind: lease.kind,
    grant: lease.grant,
    rule: lease.rule,
    policyVersion: lease.policyVersion,
    caller: lease.caller,
    shared: lease.shared,
    reservedAt: lease.reservedAt,
    issuedAt: lease.issuedAt,
    expiresAt: lease.expiresAt,
    dueAt: lease.dueAt,
    attempts: lease.attempts,
  }));
  return { leases: shown, ...(next === undefined ? {} : { next }) };
}

/** Everything in a query string is text; digits are meant as numbers where a number is wanted. */
function asNumber([name, value]: readonly [string, string | undefined]): readonly [string, unknown] {
  const numeric = name === 'org' || name === 'limit';
  return [name, numeric && value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : value];
}
