import fc from 'fast-check';
import { FINISHED, UNFINISHED, mayEnter } from '../../../functions/broker/lease.ts';
import { statesThatAllow } from '../../../functions/ledger/writes.ts';

const STATES = [...UNFINISHED, ...FINISHED];

describe('the states that allow a change', () => {
  it.each(STATES)('to %s are those of the lease machine', (to) => {
    expect(statesThatAllow({ to })).toEqual(STATES.filter((from) => mayEnter(from, to)));
  });

  it('are narrowed by the change and never widened', () => {
    fc.assert(
      fc.property(fc.constantFrom(...STATES), fc.subarray(STATES), (to, from) => {
        expect(statesThatAllow({ to, from })).toEqual(from.filter((state) => mayEnter(state, to)));
      }),
    );
  });
});
