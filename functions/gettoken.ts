/** Lambda gettoken: `POST /gettoken`, a ThoughtSpot token for the caller. */
import { makeGetToken } from './broker/get-token.ts';
import { makeServiceSessions } from './broker/service-session.ts';
import { gettokenRoute } from './http/gettoken.ts';
import { httpEntry } from './http/http-entry.ts';
import { wireIdentity } from './wiring/identity.ts';
import { wireLedger } from './wiring/ledger.ts';
import { wirePolicy } from './wiring/policy.ts';
import { wireCredentials } from './wiring/secrets.ts';
import { start } from './wiring/start.ts';
import { clock, randomness } from './wiring/system.ts';
import { wireThoughtSpot } from './wiring/thoughtspot.ts';

const { edge, ready, initialised } = start('gettoken', async (config, telemetry, warmUp) => {
  const policy = await wirePolicy(config);
  const { dataKeys, digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: true });
  const credentials = wireCredentials(config.THOUGHTSPOT_SECRET_ID, telemetry);
  const sessions = makeServiceSessions({ ...telemetry, ledger, clock, randomness });
  const issuer = wireThoughtSpot(config, credentials, { ...telemetry, sessions });
  const identity = wireIdentity(config, telemetry);
  warmUp(credentials, dataKeys, digestKey, issuer, identity);
  const settings = { repliesWithoutScope: config.THOUGHTSPOT_REPLIES_WITHOUT_SCOPE === 'true' };
  const getToken = makeGetToken({ ...telemetry, ...policy, ledger, issuer, clock, randomness, settings });
  return { ...identity, route: gettokenRoute(getToken, clock) };
});

export const handler = httpEntry(edge, ready);
export { initialised, ready };
