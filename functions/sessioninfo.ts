/** Lambda sessioninfo: `GET /sessioninfo`, what ThoughtSpot says of the caller's live token. */
import { makeGetSessionInfo } from './broker/session-info.ts';
import { httpEntry } from './http/http-entry.ts';
import { sessioninfoRoute } from './http/sessioninfo.ts';
import { wireIdentity } from './wiring/identity.ts';
import { wireDataKeys, wireLedger } from './wiring/ledger.ts';
import { wirePolicy } from './wiring/policy.ts';
import { start, warmUp } from './wiring/start.ts';
import { clock } from './wiring/system.ts';
import { wireThoughtSpot } from './wiring/thoughtspot.ts';

const { edge, ready } = start('sessioninfo', async (config, telemetry) => {
  const policy = await wirePolicy(config);
  const { credentials, dataKeys, ledger } = wireLedger(config, telemetry, wireDataKeys(config, telemetry));
  const issuer = wireThoughtSpot(config, credentials, telemetry);
  const identity = wireIdentity(config, telemetry);
  warmUp(telemetry, credentials, dataKeys, issuer, identity);
  const getSessionInfo = makeGetSessionInfo({ ...policy, ledger, issuer, clock });
  return { ...identity, route: sessioninfoRoute(getSessionInfo) };
});

export const handler = httpEntry(edge, ready);
