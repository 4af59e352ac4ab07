/**
 * Administrators of an org: callers whom a rule of the policy gives power over the people of the org that it gives them
 * (docs/adr/0031). They ask what operators ask, and get it within that org.
 */
import { requireAdmitted } from './admission.ts';
import { Failure } from './failure.ts';
import { personOf } from './lease.ts';
import type { Entitlements, World } from './ports.ts';
import type { GetAdministered, RevokeSelection, ShutOut, WhoSelection } from './use-cases.ts';

/** Whoever is shut out himself, as a person or with his whole org, has no power. One read. */
export function makeGetAdministered(
  world: Pick<World, 'ledger' | 'audit' | 'signals' | 'clock'> & Pick<Entitlements, 'decide'>,
): GetAdministered {
  return async (caller, deadline) => {
    const decision = world.decide(caller, {}, world.clock.now());
    if (!decision.allowed || decision.grant.administers !== true)
      throw new Failure('insufficient-scope', { reason: 'neither an operator nor an administrator of an org' });
    const { user, orgId } = decision.grant;
    requireAdmitted(world, caller, await world.ledger.blocksOn({ caller, user: personOf(user), orgId }, deadline));
    return { orgId, narrowed: (selection, shutOut = {}) => withinOrg(selection, shutOut, orgId) };
  };
}

/** See `Administered`. */
export function withinOrg(selection: RevokeSelection, { kind, endShared }: ShutOut, orgId: number): WhoSelection {
  const isElsewhere = 'orgId' in selection && (selection.orgId ?? orgId) !== orgId;
  if (!isElsewhere && endShared !== true) {
    if (selection.kind === 'org' && kind !== 'suspend') return selection;
    // A subject is a person in every org.
    if (selection.kind === 'user' && selection.userNames.length > 0 && !selection.subjects?.length)
      return { kind: 'user', userNames: selection.userNames, orgId };
  }
  throw new Failure('insufficient-scope', { reason: `an administrator of org ${orgId} asked for more than that org` });
}
