/** Lambda leases: `GET /leases`, and the same for operators who call it with AWS credentials. */
import type { Context } from 'aws-lambda';
import { eventEntry, isHttp } from './http/event-entry.ts';
import { httpEntry } from './http/http-entry.ts';
import { listingOf, page } from './http/leases.ts';
import { start } from './wiring/start.ts';
import { wireLeases } from './wiring/leases.ts';

const { edge, ready } = start('leases', wireLeases);

const http = httpEntry(edge, async () => (await ready()).route);

const direct = eventEntry(
  edge,
  () => undefined,
  async (event, deadline) => {
    const listing = listingOf(event);
    return page((await ready()).listLeases, listing.filter, listing.page, deadline);
  },
);

export const handler = (event: unknown, context: Context) =>
  isHttp(event) ? http(event, context) : direct(event, context);
