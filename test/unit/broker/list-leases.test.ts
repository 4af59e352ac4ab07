import type { LeaseFilter } from '../../../functions/broker/use-cases.ts';
import { asOperator, makeWorld, type World } from '../../support/broker-world.ts';

/** All pages. */
async function list({ process, clock }: World, filter: LeaseFilter, limit: number): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await process().listLeases(filter, limit, cursor, clock.now() + 20_000);
    expect(page.leases.length).toBeLessThanOrEqual(limit);
    found.push(...page.leases.map(({ user, state, grant }) => `${user} ${grant} ${state}`));
    cursor = page.next;
  } while (cursor !== undefined);
  return found.sort();
}

async function someLeases(): Promise<World> {
  const world = makeWorld();
  for (const name of ['ann', 'ann/phone', 'bob', 'gus', 'gil']) await world.process().getToken(name);
  await world.process().getToken('ann', { grant: 'viewer' });
  const { lease } = await world.process().getToken('bob', { grant: 'viewer' });
  await world.process().revoke(asOperator(), { kind: 'lease', leaseId: lease.leaseId });
  world.issuer.revokeFault = () => 'down';
  await world.process().revoke(asOperator(), { kind: 'user', userNames: ['gil'] });
  return world;
}

test.each<[string, LeaseFilter, string[]]>([
  ['a user, in any spelling', { user: ' ANN' }, ['ann default live', 'ann default live', 'ann viewer live']],
  ['nobody', { user: 'nobody' }, []],
  ['a user and a state', { user: 'gil', state: 'live' }, []],
  ['an org', { orgId: 2 }, ['gil default revoking', 'gus default live']],
  ['a state', { state: 'revoking' }, ['gil default revoking']],
  [
    'all',
    {},
    [
      'ann default live',
      'ann default live',
      'ann viewer live',
      'bob default live',
      'gil default revoking',
      'gus default live',
    ],
  ],
])('lists the unfinished leases of %s, whatever the size of a page', async (_, filter, expected) => {
  const world = await someLeases();
  for (const limit of [1, 2, 3, 100]) expect(await list(world, filter, limit)).toEqual(expected);
});

test('answers with what it has, and where to go on, when time is short', async () => {
  const world = await someLeases();
  const page = await world.process().listLeases({}, 10, undefined, world.clock.now() + 900);
  expect(page).toEqual({ leases: [], next: '0 ' });
});

test.each([
  [0, undefined],
  [10, 'not a cursor'],
])('refuses a limit of %p with cursor %p', async (limit, cursor) => {
  const { process } = makeWorld();
  await expect(process().listLeases({}, limit, cursor, Infinity)).rejects.toMatchObject({ code: 'invalid-request' });
});
