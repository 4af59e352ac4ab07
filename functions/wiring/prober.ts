import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Failure } from '../broker/failure.ts';
import type { CredentialSource } from '../broker/ports.ts';
import { makeAsk } from '../probe/ask.ts';
import { parseProberSecret } from '../probe/credential.ts';
import { makeProbe } from '../probe/probe.ts';
import { AccessDenied, makeReadSecret } from '../secrets/secrets-manager.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Config } from './config.ts';
import { AWS_CLIENT_OPTIONS } from './ledger.ts';
import { clock } from './system.ts';
import { wireThoughtSpot } from './thoughtspot.ts';

/** The prober holds no credential of ThoughtSpot: it only shows it tokens that it was given. */
const NO_CREDENTIAL: CredentialSource = {
  current: () => Promise.reject(new Failure('misconfigured', { reason: 'the prober mints nothing by itself' })),
  replacementFor: () => Promise.resolve(undefined),
};

export function wireProber(config: Config<'prober'>, telemetry: Telemetry) {
  const client = new SecretsManagerClient(AWS_CLIENT_OPTIONS);
  const readSecret = makeReadSecret(client, config.PROBER_SECRET_ID);
  const probe = makeProbe({
    ...telemetry,
    brokerUrl: config.BROKER_URL,
    // Read at each probe, every five minutes: a new client secret needs no deployment.
    async credential(deadline) {
      const stored = await readSecret('AWSCURRENT', deadline - clock.now()).catch((error: unknown) => {
        if (error instanceof AccessDenied) telemetry.signals.emit('access-denied');
        throw error;
      });
      const credential = parseProberSecret(stored?.text ?? '');
      for (const { clientSecret } of [credential, credential.unentitled ?? credential]) telemetry.conceal(clientSecret);
      return credential;
    },
    ask: makeAsk(clock),
    thoughtspot: wireThoughtSpot(config, NO_CREDENTIAL, telemetry),
    clock,
  });
  return Promise.resolve(probe);
}
