import { makeSweep } from '../broker/sweep.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { wireDataKeys } from './data-keys.ts';
import { wireLedger } from './ledger.ts';
import { clock, randomness } from './system.ts';
import { wireThoughtSpot } from './thoughtspot.ts';
import { warmUp } from './warm-up.ts';

export async function wireSweep(config: Config<'sweep'>, telemetry: Telemetry) {
  const { credentials, dataKeys, ledger } = wireLedger(config, telemetry, wireDataKeys(config, telemetry));
  const issuer = wireThoughtSpot(config, credentials, telemetry);
  warmUp(telemetry, credentials, dataKeys);
  return Promise.resolve(
    makeSweep({ ...telemetry, ledger, issuer, clock, randomness, settings: { ratePerSecond: config.SWEEP_RATE } }),
  );
}
