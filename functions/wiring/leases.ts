import { Failure } from '../broker/failure.ts';
import { makeListLeases } from '../broker/list-leases.ts';
import { leasesRoute } from '../http/leases.ts';
import type { DataKeys } from '../ledger/data-keys.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { wireLedger } from './ledger.ts';
import { scopeOf } from './scope.ts';
import { clock } from './system.ts';
import { warmUp } from './warm-up.ts';

/** It lists rows and opens no token: its role may not, and it has no client to ask KMS with. */
const refuse = () => Promise.reject(new Failure('misconfigured', { reason: 'leases seals and opens no token' }));
const NO_DATA_KEYS: DataKeys = { current: refuse, ofHour: refuse, warm: refuse };

export async function wireLeases(config: Config<'leases'>, telemetry: Telemetry) {
  const { credentials, ledger } = wireLedger(config, telemetry, () => NO_DATA_KEYS);
  warmUp(telemetry, credentials);
  const listLeases = makeListLeases({ ledger, clock });
  return Promise.resolve({ listLeases, route: leasesRoute(listLeases, scopeOf(config.SCOPE_REVOKE)) });
}
