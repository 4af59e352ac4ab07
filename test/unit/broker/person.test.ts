import { isPerEntitlement, personOf } from '../../../functions/broker/lease.ts';
import { asOperator, makeWorld } from '../../support/broker-world.ts';

const EMEA = 'Ann~aaaaaaaaaaaaaaaa';
const APAC = 'Ann~bbbbbbbbbbbbbbb7';
/** Caller `ann` has one ThoughtSpot user per grant. */
const perGrant = () => makeWorld({ grant: (_, { grant }) => ({ name: grant ?? '', user: grant ?? 'Ann' }) });

test.each([
  ['Ann', 'ann', false],
  [EMEA, 'ann', true],
  ['ANN~ABCDEFGHIJKLMNOP', 'ann', true],
  ['ann~abcdefghijklmno', 'ann~abcdefghijklmno', false],
  ['ann~abcdefghijklmno1', 'ann~abcdefghijklmno1', false],
  ['ann~x~abcdefghijklmnop', 'ann~x', true],
])('%s is of the person %s', (name, person, made) => {
  expect([personOf(name), isPerEntitlement(name)]).toEqual([person, made]);
  expect(personOf(person)).toBe(person);
});

describe('the leases of a person with two ThoughtSpot users', () => {
  async function both() {
    const world = perGrant();
    const process = world.process();
    for (const grant of [EMEA, APAC]) await process.getToken('ann', { grant });
    const rows = await world.rows();
    expect(rows.map(({ user, userName }) => [user, userName])).toEqual([
      ['ann', EMEA],
      ['ann', APAC],
    ]);
    return { ...world, one: process };
  }

  test.each([['Ann'], ['ann'], [EMEA], [APAC.toUpperCase()]])(
    'are revoked by an operator who says %s',
    async (name) => {
      const { one, issuer, clock } = await both();
      expect(await clock.drive(one.revoke(asOperator(), { kind: 'user', userNames: [name] }))).toMatchObject({
        revoked: 2,
        pending: 0,
      });
      expect(issuer.live()).toEqual([]);
    },
  );

  test('are all revoked by the person', async () => {
    const { one, issuer, clock } = await both();
    expect(await clock.drive(one.revoke('ann'))).toMatchObject({ revoked: 2, pending: 0 });
    expect(issuer.live()).toEqual([]);
  });

  test.each([['Ann'], [EMEA]])('are listed for an operator who says %s', async (user) => {
    const { one, clock } = await both();
    const { leases } = await one.listLeases({ user }, 10, undefined, clock.now() + 1_000);
    expect(leases.map(({ userName }) => userName).sort()).toEqual([EMEA, APAC]);
  });

  test('are not those of another person', async () => {
    const { one, issuer, clock } = await both();
    await one.getToken('bo', { grant: 'bo' });
    await clock.drive(one.revoke(asOperator(), { kind: 'user', userNames: [EMEA] }));
    expect(issuer.live().map(({ user }) => user)).toEqual(['bo']);
  });
});
