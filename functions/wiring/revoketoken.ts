import { makeRevokeTokens } from '../broker/revoke.ts';
import { revoketokenRoute } from '../http/revoketoken.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { wireDataKeys } from './data-keys.ts';
import { wireLedger } from './ledger.ts';
import { wirePolicy } from './policy.ts';
import { scopeOf } from './scope.ts';
import { clock, randomness } from './system.ts';
import { wireThoughtSpot } from './thoughtspot.ts';
import { warmUp } from './warm-up.ts';

export async function wireRevoketoken(config: Config<'revoketoken'>, telemetry: Telemetry) {
  const policy = await wirePolicy(config);
  const { credentials, dataKeys, ledger } = wireLedger(config, telemetry, wireDataKeys(config, telemetry));
  const issuer = wireThoughtSpot(config, credentials, telemetry);
  warmUp(telemetry, credentials, dataKeys, issuer);
  const settings = { ratePerSecond: config.SWEEP_RATE };
  const revokeTokens = makeRevokeTokens({ ...telemetry, ...policy, ledger, issuer, clock, randomness, settings });
  const scopes = { token: scopeOf(config.SCOPE_TOKEN), revoke: scopeOf(config.SCOPE_REVOKE) };
  return { revokeTokens, route: revoketokenRoute(revokeTokens, scopes, clock) };
}
