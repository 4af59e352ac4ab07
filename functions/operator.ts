/** Lambda operator: `GET /leases`, and the same for operators who call it with AWS credentials. */
import type { Context } from 'aws-lambda';
import { makeListLeases } from './broker/list-leases.ts';
import { eventEntry, isHttp } from './http/event-entry.ts';
import { httpEntry } from './http/http-entry.ts';
import { leasesRoute, listingOf, page } from './http/operator.ts';
import { wireIdentity } from './wiring/identity.ts';
import { wireLedger } from './wiring/ledger.ts';
import { start, warmUp } from './wiring/start.ts';
import { clock } from './wiring/system.ts';

const { edge, ready } = start('operator', (config, telemetry) => {
  const { digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: false });
  const identity = wireIdentity(config, telemetry);
  warmUp(telemetry, digestKey, identity);
  const listings = { listLeases: makeListLeases({ ledger, clock }), ledger };
  return { ...identity, listings, route: leasesRoute(listings) };
});

const http = httpEntry(edge, ready);

const noSignal = () => undefined;
const direct = eventEntry(edge, noSignal, async (event, deadline) => {
  const listing = listingOf(event);
  return page((await ready()).listings, listing.filter, listing.page, deadline);
});

export const handler = (event: unknown, context: Context) =>
  isHttp(event) ? http(event, context) : direct(event, context);
