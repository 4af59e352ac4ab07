/** Lambda revoketoken: `POST /revoketoken`, and what schedules and deprovisioning ask to revoke. */
import type { Context } from 'aws-lambda';
import { makeRevokeTokens } from './broker/revoke.ts';
import { eventEntry, isHttp } from './http/event-entry.ts';
import { httpEntry } from './http/http-entry.ts';
import { revocationOf } from './http/revocation-events.ts';
import { revoketokenRoute } from './http/revoketoken.ts';
import { wireIdentity } from './wiring/identity.ts';
import { wireLedger } from './wiring/ledger.ts';
import { wirePolicy } from './wiring/policy.ts';
import { start } from './wiring/start.ts';
import { clock, randomness } from './wiring/system.ts';
import { NO_CREDENTIAL, wireThoughtSpot } from './wiring/thoughtspot.ts';

const { edge, ready, initialised } = start('revoketoken', async (config, telemetry, warmUp) => {
  const policy = await wirePolicy(config);
  const { dataKeys, digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: true });
  const issuer = wireThoughtSpot(config, NO_CREDENTIAL, telemetry);
  const identity = wireIdentity(config, telemetry);
  warmUp(dataKeys, digestKey, issuer, identity);
  const settings = { ratePerSecond: config.SWEEP_RATE };
  const revokeTokens = makeRevokeTokens({ ...telemetry, ...policy, ledger, issuer, clock, randomness, settings });
  return { ...identity, revokeTokens, route: revoketokenRoute(revokeTokens, clock) };
});

const http = httpEntry(edge, ready);

const failed = () => 'schedule-failed' as const;
const direct = eventEntry(edge, failed, async (event, deadline) => {
  const { revoker, selection, asOf, how } = revocationOf(event, clock);
  return (await ready()).revokeTokens(revoker, selection, asOf, deadline, how);
});

export const handler = (event: unknown, context: Context) =>
  isHttp(event) ? http(event, context) : direct(event, context);
export { initialised, ready };
