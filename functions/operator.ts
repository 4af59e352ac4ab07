/** Lambda operator: lists and revokes the leases of others, for operators, whom the audit names. */
import { makeGetAdministered } from './broker/administrators.ts';
import { makeListBlocks, makeReinstate, makeRequireActive } from './broker/admission.ts';
import { makeListLeases } from './broker/list-leases.ts';
import { makeRevokeTokens } from './broker/revoke.ts';
import { httpEntry } from './http/http-entry.ts';
import { awsCaller, operatorRoute } from './http/operator.ts';
import { wireIdentity } from './wiring/identity.ts';
import { wireLedger } from './wiring/ledger.ts';
import { wirePolicy } from './wiring/policy.ts';
import { start } from './wiring/start.ts';
import { clock, randomness } from './wiring/system.ts';
import { NO_CREDENTIAL, wireThoughtSpot } from './wiring/thoughtspot.ts';

const { edge, ready, initialised } = start('operator', async (config, telemetry, warmUp) => {
  const policy = await wirePolicy(config);
  const { dataKeys, digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: true });
  const issuer = wireThoughtSpot(config, NO_CREDENTIAL, telemetry);
  const identity = wireIdentity(config, telemetry);
  warmUp(dataKeys, digestKey, issuer, identity);
  const settings = { ratePerSecond: config.SWEEP_RATE };
  const revokeTokens = makeRevokeTokens({ ...telemetry, ...policy, ledger, issuer, clock, randomness, settings });
  const listLeases = makeListLeases({ ledger, clock });
  const listBlocks = makeListBlocks({ ledger, clock }, identity.longestTokenMs);
  const reinstate = makeReinstate({ ...telemetry, ledger, clock });
  const world = { ...telemetry, ...policy, ledger, clock };
  const doors = { requireActive: makeRequireActive(world), getAdministered: makeGetAdministered(world) };
  const parts = { ...world, ...doors, listLeases, listBlocks, reinstate, revokeTokens };
  return { ...identity, awsCaller, route: operatorRoute(parts) };
});

export const handler = httpEntry(edge, ready);
export { initialised, ready };
