/** Lambda operator: lists and revokes the leases of others, for operators, whom the audit names. */
import { makeListBlocks, makeReinstate, makeRequireActive } from './broker/admission.ts';
import { makeListLeases } from './broker/list-leases.ts';
import { makeRevokeTokens } from './broker/revoke.ts';
import { httpEntry } from './http/http-entry.ts';
import { awsCaller, operatorRoute } from './http/operator.ts';
import { wireIdentity } from './wiring/identity.ts';
import { wireLedger } from './wiring/ledger.ts';
import { start } from './wiring/start.ts';
import { clock, randomness } from './wiring/system.ts';
import { NO_CREDENTIAL, wireThoughtSpot } from './wiring/thoughtspot.ts';

/** An operator revokes what others hold, which no policy needs to name. */
const usersOf = () => [];

const { edge, ready, initialised } = start('operator', (config, telemetry, warmUp) => {
  const { dataKeys, digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: true });
  const issuer = wireThoughtSpot(config, NO_CREDENTIAL, telemetry);
  const identity = wireIdentity(config, telemetry);
  warmUp(dataKeys, digestKey, issuer, identity);
  const settings = { ratePerSecond: config.SWEEP_RATE };
  const revokeTokens = makeRevokeTokens({ ...telemetry, usersOf, ledger, issuer, clock, randomness, settings });
  const listLeases = makeListLeases({ ledger, clock });
  const listBlocks = makeListBlocks({ ledger, clock }, identity.longestTokenMs);
  const reinstate = makeReinstate({ ...telemetry, ledger, clock });
  const world = { ...telemetry, ledger, clock };
  const parts = { ...world, requireActive: makeRequireActive(world), listLeases, listBlocks, reinstate, revokeTokens };
  return { ...identity, awsCaller, route: operatorRoute(parts) };
});

export const handler = httpEntry(edge, ready);
export { initialised, ready };
