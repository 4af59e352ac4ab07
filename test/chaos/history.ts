/**
 * What one person saw of the broker, as operations on what there is of them: tokens that are minted and ended, a time up to
 * which access tokens were signed out, and suspensions. Linearizable: it looks as if each happened at one moment.
 */
import type { Operation } from '../support/linearizability.ts';

interface Held {
  readonly live: ReadonlySet<string>;
  /** Access tokens that were issued up to then are refused, epoch ms. */
  readonly issuedUpTo: number;
  /** What is suspended, in words. */
  readonly suspended: ReadonlySet<string>;
}
export const NOTHING: Held = { live: new Set(), issuedUpTo: -Infinity, suspended: new Set() };
export const keyOf = ({ live, issuedUpTo, suspended }: Held): string =>
  JSON.stringify([[...live].sort(), issuedUpTo, [...suspended].sort()]);

/** When it was asked and answered; `to` Infinity: it may have been done, or be done later, or never. */
export interface When {
  readonly from: number;
  readonly to: number;
}

/** A sign-out covers access tokens of so much later: the issuer's clock may be ahead (5 s), and so may ours. */
const ALLOWANCE_MS = 6_000;

export type Did = Operation<Held>;

export const minted = (token: string, when: When): Did => ({
  ...when,
  what: `${token} is minted`,
  apply: (held) => ({ ...held, live: new Set([...held.live, token]) }),
});

export const served = (token: string, issuedAt: number, when: When): Did => ({
  ...when,
  what: `${token} is given out`,
  apply: (held) => (held.live.has(token) && issuedAt > held.issuedUpTo && held.suspended.size === 0 ? held : undefined),
});

export const refused = (code: 'sign-in-again' | 'suspended', issuedAt: number, when: When): Did => ({
  ...when,
  what: `refused with ${code}`,
  apply: (held) => {
    const rightly = code === 'suspended' ? held.suspended.size > 0 : issuedAt <= held.issuedUpTo + ALLOWANCE_MS;
    return rightly ? held : undefined;
  },
});

/** Some of the tokens, or all that there are by then. */
export const ended = (what: string, tokens: readonly string[] | 'all', when: When): Did => ({
  ...when,
  what,
  apply: (held) => ({
    ...held,
    live: new Set(tokens === 'all' ? [] : [...held.live].filter((token) => !tokens.includes(token))),
  }),
});

/** Ends all tokens, too. */
export const signedOut = (what: string, issuedUpTo: number, when: When): Did => ({
  ...when,
  what,
  apply: (held) => ({ ...held, live: new Set(), issuedUpTo: Math.max(held.issuedUpTo, issuedUpTo) }),
});
export const suspended = (what: string, scopes: readonly string[], when: When): Did => ({
  ...when,
  what,
  apply: (held) => ({ ...held, live: new Set(), suspended: new Set([...held.suspended, ...scopes]) }),
});
export const lifted = (scope: string, when: When): Did => ({
  ...when,
  what: `the end of the suspension of ${scope}`,
  apply: (held) => ({ ...held, suspended: new Set([...held.suspended].filter((each) => each !== scope)) }),
});
