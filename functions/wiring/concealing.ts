import type { SessionIssuer, TokenLedger } from '../broker/ports.ts';

type Conceal = (secret: string) => void;

/** A token that ThoughtSpot mints can then be in no line, whoever logs it. */
export function concealingMint(issuer: Pick<SessionIssuer, 'mint'>, conceal: Conceal): SessionIssuer['mint'] {
  return async (grant, deadline) => {
    const outcome = await issuer.mint(grant, deadline);
    if (outcome.outcome === 'minted') conceal(outcome.minted.token);
    return outcome;
  };
}

/** The same for a token that the ledger opens. */
export function concealingToken(ledger: Pick<TokenLedger, 'token'>, conceal: Conceal): TokenLedger['token'] {
  return async (key, deadline) => {
    const token = await ledger.token(key, deadline);
    if (token !== undefined) conceal(token);
    return token;
  };
}
