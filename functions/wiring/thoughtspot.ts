import type { CredentialSource, Grant, MintOutcome, SessionIssuer } from '../broker/ports.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { makeSessionIssuer } from '../thoughtspot/issuer.ts';
import type { Config } from './config.ts';
import { clock, onShutdown, randomness } from './system.ts';
import type { Warmable } from './warm-up.ts';

/** ThoughtSpot, as the domain sees it. A token that it mints can be in no line, whoever logs it. */
export function wireThoughtSpot(
  config: Pick<Config<'sweep'>, 'THOUGHTSPOT_HOST' | 'THOUGHTSPOT_DIALECT'>,
  credentials: CredentialSource,
  { log, signals, conceal }: Telemetry,
): SessionIssuer & Warmable {
  const issuer = makeSessionIssuer({
    host: config.THOUGHTSPOT_HOST,
    dialect: config.THOUGHTSPOT_DIALECT,
    credentials,
    clock,
    randomness,
    signals,
    log,
  });
  onShutdown(() => issuer.close());
  return {
    async mint(grant: Grant, deadline: number): Promise<MintOutcome> {
      const outcome = await issuer.mint(grant, deadline);
      if (outcome.outcome === 'minted') conceal(outcome.minted.token);
      return outcome;
    },
    revoke: (token, user, deadline) => issuer.revoke(token, user, deadline),
    sessionInfo: (token, deadline) => issuer.sessionInfo(token, deadline),
    warm: () => issuer.warm(),
  };
}
