/** Revocation of what one version or one rule of the policy gave, whatever the policy says now. */
import type { RevokeSelection } from '../../../functions/broker/use-cases.ts';
import { asCaller, asOperator, EVENT, makeWorld } from '../../support/broker-world.ts';

async function holders() {
  let policyVersion = 'v1';
  const world = makeWorld({
    grant: ({ subject }) => ({ policyVersion, rule: subject === 'sub-gina' ? 'guests' : 'members' }),
  });
  const process = world.process();
  for (const who of ['ann', 'bob', 'gina']) await process.getToken(who);
  policyVersion = 'v2';
  await process.getToken('carl');
  const states = async () => (await world.rows()).map(({ user, state }) => `${user} ${state}`).sort();
  const revoke = (...ask: Parameters<typeof process.revoke>) => world.clock.drive(process.revoke(...ask));
  return { ...world, broker: { ...process, revoke }, states };
}

test.each<[RevokeSelection, string[]]>([
  [{ kind: 'policy', policyVersion: 'v1' }, ['ann revoked', 'bob revoked', 'carl live', 'gina revoked']],
  [{ kind: 'policy', policyVersion: 'v2' }, ['ann live', 'bob live', 'carl revoked', 'gina live']],
  [{ kind: 'policy', policyVersion: 'v' }, ['ann live', 'bob live', 'carl live', 'gina live']],
  [{ kind: 'rule', rule: 'members' }, ['ann revoked', 'bob revoked', 'carl revoked', 'gina live']],
  [{ kind: 'rule', rule: 'guests' }, ['ann live', 'bob live', 'carl live', 'gina revoked']],
])('%j ends what it gave and nothing else', async (selection, expected) => {
  const { broker, states } = await holders();
  const revoked = expected.filter((row) => row.endsWith('revoked')).length;
  expect(await broker.revoke(asOperator(), selection)).toEqual({ revoked, pending: null });
  expect(await states()).toEqual(expected);
  expect(await broker.revoke(asOperator(), selection)).toEqual({ revoked: 0, pending: null });
});

test('a token that it ended is not served again, and a new one is minted', async () => {
  const { broker } = await holders();
  const held = await broker.getToken('ann');
  await broker.revoke(asOperator(), { kind: 'policy', policyVersion: 'v1' });
  const next = await broker.getToken('ann');
  expect([held.reused, next.reused, next.lease.policyVersion]).toEqual([true, false, 'v2']);
});

test('an event covers only what was reserved before it, in the second that it names and by a clock that runs ahead', async () => {
  const { broker, clock, states } = await holders();
  const before = clock.now();
  await clock.advance(2_000);
  await broker.getToken('dora');
  await broker.revoke(EVENT, { kind: 'rule', rule: 'members' }, before);
  expect((await states()).filter((row) => row.startsWith('dora'))).toEqual(['dora live']);
});

test.each<RevokeSelection>([
  { kind: 'policy', policyVersion: 'v1' },
  { kind: 'rule', rule: 'members' },
])('%j needs the revoke scope', async (selection) => {
  const { broker, states } = await holders();
  await expect(broker.revoke(asCaller('ann'), selection)).rejects.toThrow('insufficient-scope');
  expect((await states()).every((row) => row.endsWith('live'))).toBe(true);
});

test('lists show what a version or a rule gave', async () => {
  const { broker, clock } = await holders();
  const list = async (filter: Parameters<typeof broker.listLeases>[0]) => {
    const { leases } = await broker.listLeases(filter, 50, undefined, clock.now() + 10_000);
    return leases.map(({ user }) => user).sort();
  };
  expect(await list({ policyVersion: 'v1' })).toEqual(['ann', 'bob', 'gina']);
  expect(await list({ rule: 'members', policyVersion: 'v2' })).toEqual(['carl']);
  expect(await list({ rule: 'members', user: 'bob' })).toEqual(['bob']);
});
