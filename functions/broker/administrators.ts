/**
 * Administrators of an org: callers whom a rule of the policy gives power over the people of the org that it gives them
 * (docs/adr/0031). They ask what operators ask, and get it within that org.
 */
import { requireAdmitted } from './admission.ts';
import { Failure } from './failure.ts';
import { personOf } from './lease.ts';
import type { Caller, Entitlements, World } from './ports.ts';
import type { ShutOut, RevokeSelection, WhoSelection } from './use-cases.ts';

/** The org that a caller has power over now. Throws Failure `insufficient-scope` for everybody else, or as requireAdmitted. */
export type AdministeredOrg = (caller: Caller, deadline: number) => Promise<number>;

/** Whoever is shut out himself, as a person or with his whole org, has no power. One read. */
export function makeAdministeredOrg(
  world: Pick<World, 'ledger' | 'audit' | 'signals' | 'clock'> & Pick<Entitlements, 'decide'>,
): AdministeredOrg {
  return async (caller, deadline) => {
    const decision = world.decide(caller, {}, world.clock.now());
    if (!decision.allowed || decision.grant.administers !== true)
      throw new Failure('insufficient-scope', { reason: 'neither an operator nor an administrator of an org' });
    const { user, orgId } = decision.grant;
    requireAdmitted(world, caller, await world.ledger.blocksOn({ caller, user: personOf(user), orgId }, deadline));
    return orgId;
  };
}

/** What is asked about users, within an org; the whole org where nobody is shut out. Throws `insufficient-scope` for all else. */
export function withinOrg(selection: RevokeSelection, { kind, endShared }: ShutOut, orgId: number): WhoSelection {
  if (endShared === true || ('orgId' in selection && (selection.orgId ?? orgId) !== orgId)) throw beyond(orgId);
  if (selection.kind === 'org' && kind !== 'suspend') return selection;
  // A subject is a person in every org.
  if (selection.kind === 'user' && selection.userNames.length > 0 && !selection.subjects?.length)
    return { kind: 'user', userNames: selection.userNames, orgId };
  throw beyond(orgId);
}

/** Asked for what is not of the org. */
export const beyond = (orgId: number): Failure =>
  new Failure('insufficient-scope', { reason: `an administrator of org ${orgId} asked for more than that org` });
