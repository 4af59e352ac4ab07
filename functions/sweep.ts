/** Lambda sweep: processes, every minute, everything that is due. Throws if it could do nothing at all. */
import { makeSweep } from './broker/sweep.ts';
import { eventEntry } from './http/event-entry.ts';
import { wireLedger } from './wiring/ledger.ts';
import { start } from './wiring/start.ts';
import { clock, randomness } from './wiring/system.ts';
import { NO_CREDENTIAL, wireThoughtSpot } from './wiring/thoughtspot.ts';

const { edge, ready, initialised } = start('sweep', (config, telemetry, warmUp) => {
  const { dataKeys, digestKey, ledger } = wireLedger(config, telemetry, { makesKeys: true });
  const issuer = wireThoughtSpot(config, NO_CREDENTIAL, telemetry);
  warmUp(dataKeys, digestKey, issuer);
  const settings = { ratePerSecond: config.SWEEP_RATE };
  return makeSweep({ ...telemetry, ledger, issuer, clock, randomness, settings });
});

export const handler = eventEntry(
  edge,
  () => 'sweep-failed',
  async (_event, deadline) => (await ready())(deadline),
);
export { initialised, ready };
