import { type LeaseState, MAY_ENTER_FROM, mayEnter } from '../broker/lease.ts';
import type { Change } from '../broker/ports.ts';

/**
 * The states in which a row may be for a change to be written. `change.from` narrows what the lease machine allows and
 * never widens it; an empty list means that no row can take the change.
 */
export function statesThatAllow(change: Pick<Change, 'to' | 'from'>): readonly LeaseState[] {
  return change.from?.filter((state) => mayEnter(state, change.to)) ?? MAY_ENTER_FROM[change.to];
}
