import type { CredentialSource, SessionIssuer } from '../broker/ports.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { makeSessionIssuer } from '../thoughtspot/issuer.ts';
import { concealingMint } from './concealing.ts';
import type { Config } from './config.ts';
import { clock, onShutdown, randomness } from './system.ts';
import type { Warmable } from './warm-up.ts';

/** ThoughtSpot, as the domain sees it. */
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
    mint: concealingMint(issuer, conceal),
    revoke: (token, user, deadline) => issuer.revoke(token, user, deadline),
    sessionInfo: (token, deadline) => issuer.sessionInfo(token, deadline),
    warm: () => issuer.warm(),
  };
}
