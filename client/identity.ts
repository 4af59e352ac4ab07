import { fieldOf } from './token-error.ts';

/**
 * Whose access token it is: a text that is the same for every token of one person in one session (`iss`, `sub`, and `sid`
 * where there is one). A token that is no JWT with a subject is its own identity: nobody can tell whose it is, so every
 * other token is somebody else's. Read without verification, which is the broker's task: the client only keeps apart what
 * belongs to different people, so a forged claim gives nobody anything.
 */
export function identityOf(accessToken: string): string {
  try {
    const payload = accessToken.split('.')[1] ?? '';
    const claims: unknown = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/')));
    const sub = fieldOf(claims, 'sub');
    if (typeof sub === 'string') return JSON.stringify([fieldOf(claims, 'iss'), sub, fieldOf(claims, 'sid')]);
  } catch {
    // Not a JWT.
  }
  return accessToken;
}

/** Whether the identity names a person; no access token begins like one that does (RFC 6750, 2.1). */
export const isKnown = (identity: string | undefined): boolean => /^\[/.test(identity ?? '');
