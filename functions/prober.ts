/** Lambda prober: every five minutes, the life of a token as a caller sees it. */
import { eventEntry } from './http/event-entry.ts';
import { makeAsk } from './probe/ask.ts';
import { parseProberSecret } from './probe/credential.ts';
import { makeProbe } from './probe/probe.ts';
import { wireSecretText } from './wiring/secrets.ts';
import { start } from './wiring/start.ts';
import { clock } from './wiring/system.ts';
import { NO_CREDENTIAL, wireThoughtSpot } from './wiring/thoughtspot.ts';

const { edge, ready, initialised } = start('prober', (config, telemetry) => {
  const secretText = wireSecretText(config.PROBER_SECRET_ID, telemetry);
  return makeProbe({
    ...telemetry,
    brokerUrl: config.BROKER_URL,
    // Read at each probe, every five minutes: a new client secret needs no deployment.
    async credential(deadline) {
      const credential = parseProberSecret(await secretText(deadline));
      for (const { clientSecret } of [credential, credential.unentitled ?? credential]) telemetry.conceal(clientSecret);
      return credential;
    },
    ask: makeAsk(clock),
    thoughtspot: wireThoughtSpot(config, NO_CREDENTIAL, telemetry),
    clock,
  });
});

export const handler = eventEntry(
  edge,
  () => 'probe-failed',
  async (_event, deadline) => (await ready())(deadline),
);
export { initialised, ready };
