import { fieldOf, TokenError } from './token-error.ts';

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
export const servableUntil = (token: HeldToken): number => token.expiresAt - HARD_MARGIN_MS;

/** Parses the broker's answer to gettoken, or what another tab passes on. Throws TokenError for anything else. */
export function parseToken(body: unknown): HeldToken {
  const field = (name: string) => fieldOf(body, name);
  const [token, leaseId, userName] = [field('token'), field('leaseId'), field('userName')];
  const [orgId, expiresAt, refreshAfter] = [field('orgId'), field('expiresAt'), field('refreshAfter')];
  if (
    typeof token !== 'string' ||
    token === '' ||
    typeof leaseId !== 'string' ||
    typeof userName !== 'string' ||
    typeof orgId !== 'number' ||
    typeof expiresAt !== 'number' ||
    typeof refreshAfter !== 'number'
  ) {
    throw new TokenError('invalid-answer', 'The broker answered something that is not a token.');
  }
  // The broker's clock is authoritative; the clock of this page may be wrong by hours.
  const servedAt = field('servedAt');
  const offset = typeof servedAt === 'number' ? servedAt - Date.now() : 0;
  return { token, leaseId, userName, orgId, expiresAt: expiresAt - offset, refreshAfter: refreshAfter - offset };
}
