/** Lambda sessioninfo: `GET /sessioninfo`, what ThoughtSpot says of the caller's live token. */
import { makeGetSessionInfo } from './broker/session-info.ts';
import { httpEntry } from './http/http-entry.ts';
import { sessioninfoRoute } from './http/sessioninfo.ts';
import { wireIdentity } from './wiring/identity.ts';
import { wireLedger } from './wiring/ledger.ts';
import { wirePolicy } from './wiring/policy.ts';
import { start } from './wiring/start.ts';
import { clock } from './wiring/system.ts';
import { NO_CREDENTIAL, wireThoughtSpot } from './wiring/thoughtspot.ts';

const { edge, ready, initialised } = start('sessioninfo', async (config, telemetry, warmUp) => {
  const policy = await wirePolicy(config);
  const { dataKeys, digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: false });
  const issuer = wireThoughtSpot(config, NO_CREDENTIAL, telemetry);
  const identity = wireIdentity(config, telemetry);
  warmUp(dataKeys, digestKey, issuer, identity);
  const getSessionInfo = makeGetSessionInfo({ ...telemetry, ...policy, ledger, issuer, clock });
  return { ...identity, route: sessioninfoRoute(getSessionInfo) };
});

export const handler = httpEntry(edge, ready);
export { initialised, ready };
