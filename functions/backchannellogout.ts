/** Lambda backchannellogout: `POST /backchannel-logout`, where issuers say who has signed out. */
import { makeRevokeTokens } from './broker/revoke.ts';
import { logoutEntry } from './http/backchannel-logout.ts';
import { wireIdentity } from './wiring/identity.ts';
import { wireLedger } from './wiring/ledger.ts';
import { start } from './wiring/start.ts';
import { clock, randomness } from './wiring/system.ts';
import { NO_CREDENTIAL, wireThoughtSpot } from './wiring/thoughtspot.ts';

/** A subject or a session is found in the ledger, not in the policy. */
const usersOf = () => [];
/** Kept of the short time for a logout, ms. */
const WRITE_MS = 300;

const { edge, ready, initialised } = start('backchannellogout', (config, telemetry, warmUp) => {
  const { dataKeys, digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: true });
  const issuer = wireThoughtSpot(config, NO_CREDENTIAL, telemetry);
  const { loggedOut, warm } = wireIdentity(config, telemetry);
  warmUp(dataKeys, digestKey, issuer, { warm });
  const settings = { ratePerSecond: config.SWEEP_RATE, writeMs: WRITE_MS };
  const world = { ...telemetry, usersOf, ledger, issuer, clock, randomness, settings };
  return { loggedOut, revokeTokens: makeRevokeTokens(world) };
});

export const handler = logoutEntry(edge, ready);
export { initialised, ready };
