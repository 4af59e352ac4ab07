import { makeListLeases } from '../broker/list-leases.ts';
import { leasesRoute } from '../http/leases.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { wireLedger } from './ledger.ts';
import { scopeOf } from './scope.ts';
import { clock } from './system.ts';
import { warmUp } from './warm-up.ts';

export async function wireLeases(config: Config<'leases'>, telemetry: Telemetry) {
  const { credentials, ledger } = wireLedger(config, telemetry);
  warmUp(telemetry, credentials);
  const listLeases = makeListLeases({ ledger, clock });
  return Promise.resolve({ listLeases, route: leasesRoute(listLeases, scopeOf(config.SCOPE_REVOKE)) });
}
