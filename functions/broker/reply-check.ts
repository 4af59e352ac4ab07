import type { Grant, MintedToken } from './ports.ts';

/**
 * What is wrong with a mint's reply, in words without any value; empty: it is what was asked for. Fields that the
 * dialect's reply does not tell cannot be compared. `toleranceMs`: how much longer than asked the token may live.
 */
export function mismatches(grant: Grant, minted: MintedToken, toleranceMs: number): string[] {
  const wrong: string[] = [];
  if (!sameUser(minted.userName, grant.user)) wrong.push('it is for another user');
  if (minted.orgId !== undefined && minted.orgId !== grant.orgId) wrong.push('it is for another organisation');
  if (minted.kind !== undefined && minted.kind !== grant.rights.kind) wrong.push('it is of another kind');
  if (grant.rights.kind === 'object' && minted.objectId !== undefined) {
    if (minted.objectId.toLowerCase() !== grant.rights.objectId.toLowerCase()) wrong.push('it is for another object');
  }
  if (!(minted.lifetimeMs > 0)) wrong.push('it has no life left');
  if (minted.lifetimeMs > grant.validitySeconds * 1_000 + toleranceMs) wrong.push('it lives longer than was asked');
  return wrong;
}

/** ThoughtSpot may answer in the case it keeps a name in; in everything else the names have to be the same. */
function sameUser(answered: string, asked: string): boolean {
  return answered.toLowerCase() === asked.toLowerCase();
}
