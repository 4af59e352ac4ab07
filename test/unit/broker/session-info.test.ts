import { makeWorld } from '../../support/broker-world.ts';

test('answers what ThoughtSpot says of the newest live token, and never the token', async () => {
  const { process, clock } = makeWorld();
  const first = await process().getToken('ann');
  await clock.advance(1_000);
  const second = await process().getToken('ann', { grant: 'viewer' });
  const asked: string[] = [];
  const { issuer } = makeWorld();
  const watched = {
    ...issuer,
    sessionInfo: async (token: string) => (asked.push(token), { userName: 'ann', orgId: 1, details: {} }),
  };
  const session = await process({ issuer: watched }).sessionInfo('ann');
  expect(session).toEqual({ userName: 'ann', orgId: 1, details: {} });
  expect(asked).toEqual([second.token]);
  expect(JSON.stringify(session)).not.toContain(first.token);
});

test('finds the shared token of a service account', async () => {
  const { process } = makeWorld();
  await process().getToken('shared/one');
  expect(await process().sessionInfo('shared/two')).toMatchObject({ userName: 'svc' });
});

test.each<[string, (world: ReturnType<typeof makeWorld>) => Promise<unknown>]>([
  ['nobody asked for one yet', async () => {}],
  ['it is revoked', async ({ process }) => process().revoke('ann')],
  [
    'a cut-off covers it',
    async ({ process }) => process().revoke({ kind: 'event', source: 'schedule', name: 'x' }, { kind: 'all' }),
  ],
  ['it has ended', async ({ clock }) => clock.advance(300_000)],
  [
    'ThoughtSpot does not know it any more',
    async ({ issuer }) => issuer.tokens.forEach((known) => (known.revoked = true)),
  ],
])('there is no session if %s', async (why, arrange) => {
  const world = makeWorld();
  if (!why.startsWith('nobody')) await world.process().getToken('ann');
  await world.process().getToken('ann/phone');
  await arrange(world);
  await expect(world.process().sessionInfo('ann')).rejects.toMatchObject({ code: 'lease-not-found' });
});
