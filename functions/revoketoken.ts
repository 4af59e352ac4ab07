/** Lambda revoketoken: `POST /revoketoken`, and what schedules, deprovisioning and operators ask to revoke. */
import type { Context } from 'aws-lambda';
import { eventEntry, isHttp } from './http/event-entry.ts';
import { httpEntry } from './http/http-entry.ts';
import { isOperator, revocationOf } from './http/revocation-events.ts';
import { wireRevoketoken } from './wiring/revoketoken.ts';
import { start } from './wiring/start.ts';

const { edge, ready } = start('revoketoken', wireRevoketoken);

const http = httpEntry(edge, async () => (await ready()).route);

const signalOf = (event: unknown) => (isOperator(event) ? undefined : 'schedule-failed');
const direct = eventEntry(edge, signalOf, async (event, deadline) => {
  const { revoker, selection, asOf } = revocationOf(event, edge.clock);
  const { revokeTokens } = await ready();
  return revokeTokens(revoker, selection, asOf, deadline);
});

export const handler = (event: unknown, context: Context) =>
  isHttp(event) ? http(event, context) : direct(event, context);
