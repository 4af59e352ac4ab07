/** Which of a caller's tokens sessioninfo asks about. */
import type { Failure } from '../../../functions/broker/failure.ts';
import type { Lease } from '../../../functions/broker/lease.ts';
import type { TokenLedger } from '../../../functions/broker/ports.ts';
import { asOperator, EVENT, makeWorld, type World } from '../../support/broker-world.ts';

/** The token that ThoughtSpot is asked about, or why none is. */
async function askedAbout({ process, issuer }: World, who = 'ann'): Promise<string> {
  let asked = 'nothing';
  const watched = {
    ...issuer,
    sessionInfo: async (token: string) => {
      asked = token;
      return Promise.resolve({ userName: 'x', details: {} });
    },
  };
  return process({ issuer: watched })
    .sessionInfo(who)
    .then(
      () => asked,
      ({ code, reason }: Failure) => `${code}: ${reason}`,
    );
}

test('of several live ones the newest, in whatever order they are found', async () => {
  for (const order of [
    ['default', 'viewer', 'third'],
    ['third', 'viewer', 'default'],
  ]) {
    const world = makeWorld();
    let last = '';
    for (const grant of order) {
      ({ token: last } = await world.process().getToken('ann', { grant }));
      await world.clock.advance(1_000);
    }
    expect(await askedAbout(world)).toBe(last);
    const { ledger } = world;
    const reversed: TokenLedger = {
      ...ledger,
      async *unfinishedOfUser(...asked) {
        const found: Lease[] = [];
        for await (const lease of ledger.unfinishedOfUser(...asked)) found.unshift(lease);
        yield* found;
      },
    };
    expect(await askedAbout({ ...world, process: (ports) => world.process({ ledger: reversed, ...ports }) })).toBe(
      last,
    );
  }
});

test('not one that is being revoked, though it is newer', async () => {
  const world = makeWorld();
  const { token } = await world.process().getToken('ann');
  await world.clock.advance(1_000);
  const { lease } = await world.process().getToken('ann', { grant: 'viewer' });
  world.issuer.revokeFault = () => 'down';
  await world.process().revoke('ann', { kind: 'lease', leaseId: lease.leaseId });
  expect(await askedAbout(world)).toBe(token);
});

test.each([
  [299_999, true],
  [300_000, false],
])('after %d ms one of 300 s is asked about: %s', async (ms, isAsked) => {
  const world = makeWorld();
  const { token, lease } = await world.process().getToken('ann');
  world.clock.set((lease.expiresAt ?? 0) - 300_000 + ms);
  expect(await askedAbout(world)).toBe(isAsked ? token : 'lease-not-found: no live token');
});

test('one that a cut-off covers is not, one that was reserved at it is', async () => {
  const world = makeWorld();
  await world.process().getToken('ann');
  await world.process().revoke(EVENT, { kind: 'all' });
  expect(await askedAbout(world)).toBe('lease-not-found: no live token');
  // Reserved just at the cut-off, as every mint is that begins after it by a slower clock.
  const { token } = await world.process().getToken('ann');
  expect(await askedAbout(world)).toBe(token);
});

test('the cut-off of an org is read once, however many leases it may cover', async () => {
  const world = makeWorld();
  for (const grant of ['one', 'two', 'three']) await world.process().getToken('ann', { grant });
  let reads = 0;
  world.ledger.beforeCall = (call) => void (call === 'blocksOn' && (reads += 1));
  await askedAbout(world);
  expect(reads).toBe(1);
});

test('a shared one is found for whom the policy gives it, and for nobody else', async () => {
  const world = makeWorld();
  const { token } = await world.process().getToken('shared/one');
  expect(await askedAbout(world, 'shared/two')).toBe(token);
  expect(await askedAbout(world, 'ann')).toBe('lease-not-found: no live token');
  expect(await askedAbout(world, 'mallory')).toBe('lease-not-found: no live token');
  await world.process().revoke(asOperator(), { kind: 'user', userNames: ['svc'] });
  expect(await askedAbout(world, 'shared/two')).toBe('lease-not-found: no live token');
});
