import { makeGetToken } from '../broker/get-token.ts';
import { gettokenRoute } from '../http/gettoken.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { wireDataKeys } from './data-keys.ts';
import { wireLedger } from './ledger.ts';
import { wirePolicy } from './policy.ts';
import { scopeOf } from './scope.ts';
import { clock, randomness } from './system.ts';
import { wireThoughtSpot } from './thoughtspot.ts';
import { warmUp } from './warm-up.ts';

export async function wireGettoken(config: Config<'gettoken'>, telemetry: Telemetry) {
  const policy = await wirePolicy(config);
  const { credentials, dataKeys, ledger } = wireLedger(config, telemetry, wireDataKeys(config, telemetry));
  const issuer = wireThoughtSpot(config, credentials, telemetry);
  warmUp(telemetry, credentials, dataKeys, issuer);
  const getToken = makeGetToken({ ...telemetry, ...policy, ledger, issuer, clock, randomness });
  return gettokenRoute(getToken, scopeOf(config.SCOPE_TOKEN), clock);
}
