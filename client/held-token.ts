import { fieldOf, notAToken } from './token-error.ts';

/** A token and what the broker says about it; times in epoch ms of this page's clock. */
export interface HeldToken {
  readonly token: string;
  readonly leaseId: string;
  readonly userName: string;
  readonly orgId: number;
  readonly expiresAt: number;
  readonly refreshAfter: number;
}

/** A token with less life left than this is not returned, ms: ThoughtSpot may lock accounts that present dead tokens. */
const HARD_MARGIN_MS = 30_000;

/** Until when the token may be handed out, epoch ms. */
export const servableUntil = (token: HeldToken | undefined): number => (token?.expiresAt ?? 0) - HARD_MARGIN_MS;

/** Parses the broker's answer to gettoken, or what another tab passes on. Throws TokenError for anything else. */
export function parseToken(body: unknown): HeldToken {
  const token = { token: '', leaseId: '', userName: '', orgId: 0, expiresAt: 0, refreshAfter: 0 };
  for (const [name, like] of Object.entries(token)) {
    const value = fieldOf(body, name);
    if (typeof value !== typeof like || value === '') throw notAToken();
    Reflect.set(token, name, value);
  }
  // The broker's clock is authoritative; the clock of this page may be wrong by hours.
  const servedAt = fieldOf(body, 'servedAt');
  const offset = typeof servedAt === 'number' ? servedAt - Date.now() : 0;
  token.expiresAt -= offset;
  token.refreshAfter -= offset;
  return token;
}
