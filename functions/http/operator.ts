import * as z from 'zod/mini';
import type { TokenLedger } from '../broker/ports.ts';
import type { LeaseFilter, ListLeases } from '../broker/use-cases.ts';
import { json } from './answer.ts';
import { integer, invalid, object, orgId, readFields, text, userName } from './fields.ts';
import type { Route } from './http-entry.ts';

const DEFAULT_LIMIT = 50;
const MOST = 200;

const FILTER = z.strictObject({
  user: z.optional(userName),
  org: z.optional(orgId),
  state: z.optional(
    z.enum(['reserved', 'live', 'revoking', 'revoked', 'failed', 'orphaned', 'expired'], 'is not a state of a lease'),
  ),
  policyVersion: z.optional(text(64)),
  rule: z.optional(text(64)),
  usersUnusedSince: z.optional(integer(0, Number.MAX_SAFE_INTEGER)),
});
const PAGE = z.strictObject({ limit: z.optional(integer(1, MOST)), cursor: z.optional(text(4096)) });
const QUERY = z.strictObject({ ...FILTER.shape, ...PAGE.shape });
const EVENT = z.strictObject({ source: z.literal('operator'), filter: z.optional(object), ...PAGE.shape });

/** What a page is read from. */
export interface Listings {
  readonly listLeases: ListLeases;
  readonly ledger: Pick<TokenLedger, 'usersUnusedSince'>;
}

/**
 * `GET /leases`: unfinished leases, one page, for operators. No token, sealed or not, is in a lease. With
 * `usersUnusedSince` (epoch ms): ThoughtSpot users that the broker made and no longer uses.
 */
export function leasesRoute(listings: Listings): Route {
  return {
    scope: 'revoke',
    async answer({ event, deadline }) {
      const given = Object.entries(event.queryStringParameters ?? {}).map(asNumber);
      const query = readFields(QUERY, Object.fromEntries(given));
      return json(200, await page(listings, query, query, deadline));
    },
  };
}

/** What an operator's event asks to list. Throws Failure `invalid-request` that names every fault. */
export function listingOf(event: unknown) {
  const { filter, limit, cursor } = readFields(EVENT, event);
  return { filter: readFields(FILTER, filter ?? {}), page: { limit, cursor } };
}

/** One page, as both an HTTP caller and an operator's event get it. */
export async function page(
  listings: Listings,
  filter: z.infer<typeof FILTER>,
  { limit = DEFAULT_LIMIT, cursor }: z.infer<typeof PAGE>,
  deadline: number,
): Promise<object> {
  const { usersUnusedSince, user, org, state, policyVersion, rule } = filter;
  if (usersUnusedSince !== undefined) {
    if ([user, org, state, policyVersion, rule].some((value) => value !== undefined))
      throw invalid('usersUnusedSince', 'lists users, and takes nothing else');
    return listings.ledger.usersUnusedSince(usersUnusedSince, limit, cursor, deadline);
  }
  const wanted: LeaseFilter = {
    ...(user === undefined ? {} : { user }),
    ...(org === undefined ? {} : { orgId: org }),
    ...(state === undefined ? {} : { state }),
    ...(policyVersion === undefined ? {} : { policyVersion }),
    ...(rule === undefined ? {} : { rule }),
  };
  const { leases, next } = await listings.listLeases(wanted, limit, cursor, deadline);
  const shown = leases.map((lease) => ({
    leaseId: lease.leaseId,
    user: lease.user,
    userName: lease.userName,
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
  const numeric = name === 'org' || name === 'limit' || name === 'usersUnusedSince';
  return [name, numeric && value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : value];
}
