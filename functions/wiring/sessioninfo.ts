import { makeGetSessionInfo } from '../broker/session-info.ts';
import { sessioninfoRoute } from '../http/sessioninfo.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { wireDataKeys } from './data-keys.ts';
import { wireLedger } from './ledger.ts';
import { wirePolicy } from './policy.ts';
import { scopeOf } from './scope.ts';
import { clock } from './system.ts';
import { wireThoughtSpot } from './thoughtspot.ts';
import { warmUp } from './warm-up.ts';

export async function wireSessioninfo(config: Config<'sessioninfo'>, telemetry: Telemetry) {
  const policy = await wirePolicy(config);
  const { credentials, dataKeys, ledger } = wireLedger(config, telemetry, wireDataKeys(config, telemetry));
  const issuer = wireThoughtSpot(config, credentials, telemetry);
  warmUp(telemetry, credentials, dataKeys, issuer);
  const getSessionInfo = makeGetSessionInfo({ ...policy, ledger, issuer, clock });
  return sessioninfoRoute(getSessionInfo, scopeOf(config.SCOPE_TOKEN));
}
