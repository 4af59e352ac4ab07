/** The broker's use cases with their real adapters, in this process, against a setup of their own. */
import { makeGetToken } from '../functions/broker/get-token.ts';
import type { MintSettings } from '../functions/broker/mint.ts';
import { makeRevokeTokens } from '../functions/broker/revoke.ts';
import { gettokenRoute } from '../functions/http/gettoken.ts';
import { wireIdentity } from '../functions/wiring/identity.ts';
import { wireLedger } from '../functions/wiring/ledger.ts';
import { wirePolicy } from '../functions/wiring/policy.ts';
import { wireCredentials } from '../functions/wiring/secrets.ts';
import { clock, randomness } from '../functions/wiring/system.ts';
import { wireThoughtSpot } from '../functions/wiring/thoughtspot.ts';
import { askerOf, configOf, quietTelemetry, type Setup } from './setup.ts';
import type { Stopwatch } from './stopwatch.ts';

export type Port = 'upstream' | 'ledger' | 'policy';

/** Each of the `clocks` times its port. Everything that a warm sandbox holds is loaded already. */
export async function useCasesOn(
  setup: Setup,
  clocks: Partial<Record<Port, Stopwatch>> = {},
  settings: Partial<MintSettings> = {},
) {
  const config = configOf(setup);
  const telemetry = quietTelemetry('gettoken');
  const timing = <T extends object>(port: Port, one: T): T => clocks[port]?.timing(one) ?? one;
  const { dataKeys, digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: true });
  const credentials = wireCredentials(config.THOUGHTSPOT_SECRET_ID, telemetry);
  const issuer = wireThoughtSpot(config, credentials, telemetry);
  const identity = wireIdentity(config, telemetry);
  const deadline = Date.now() + 10_000;
  const parts = [credentials, dataKeys, digestKey, issuer, identity];
  await Promise.all(parts.map((part) => part.warm(deadline)));
  const deps = {
    ...telemetry,
    ...timing('policy', await wirePolicy(config)),
    ledger: timing('ledger', ledger),
    issuer: timing('upstream', issuer),
    clock,
    randomness,
  };
  const getToken = makeGetToken({ ...deps, settings });
  return {
    ledger,
    getToken,
    revokeTokens: makeRevokeTokens(deps),
    /** Calls gettoken through its edge, as Lambda calls a sandbox. */
    ask: askerOf({ ...identity, route: gettokenRoute(getToken, clock) }, telemetry),
  };
}
