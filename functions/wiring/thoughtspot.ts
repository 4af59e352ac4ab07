import { Failure } from '../broker/failure.ts';
import type { CredentialSource, ServiceSessions, SessionIssuer } from '../broker/ports.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { makeSessionIssuer } from '../thoughtspot/issuer.ts';
import type { Config } from './config.ts';
import type { Warmable } from './start.ts';
import { clock, onShutdown, randomness } from './system.ts';

type Mint = SessionIssuer['mint'];
type Parts = Telemetry & { readonly sessions?: ServiceSessions };
type WarmIssuer = SessionIssuer & Warmable;
type IssuerConfig = Pick<Config<'sweep'>, 'THOUGHTSPOT_HOST' | 'THOUGHTSPOT_DIALECT'>;

/** ThoughtSpot, as the domain sees it. `sessions`: of a function that mints. */
export function wireThoughtSpot(config: IssuerConfig, credentials: CredentialSource, parts: Parts): WarmIssuer {
  const { THOUGHTSPOT_HOST: host, THOUGHTSPOT_DIALECT: dialect } = config;
  const issuer = makeSessionIssuer({ ...parts, host, dialect, credentials, clock, randomness });
  onShutdown(() => issuer.close());
  return { ...issuer, mint: concealingMint(issuer, parts.conceal) };
}

/** After this no log line can contain a token that ThoughtSpot mints. */
export function concealingMint(issuer: Pick<SessionIssuer, 'mint'>, conceal: Telemetry['conceal']): Mint {
  return async (grant, deadline) => {
    const outcome = await issuer.mint(grant, deadline);
    if (outcome.outcome === 'minted') conceal(outcome.minted.token);
    return outcome;
  };
}

/** For a function that mints nothing and only presents tokens that it was given. */
export const NO_CREDENTIAL: CredentialSource = {
  current: () => Promise.reject(new Failure('misconfigured', { reason: 'this function has no credential' })),
  replacementFor: () => Promise.resolve(undefined),
};
