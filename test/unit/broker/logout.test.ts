/** What an issuer says once: on record first, and then ended as far as the time allows. */
import type { Revoker, WhoSelection } from '../../../functions/broker/use-cases.ts';
import { REVOKE_SETTINGS } from '../../../functions/broker/revoke.ts';
import { Failure } from '../../../functions/broker/failure.ts';
import { caller, makeWorld, type World } from '../../support/broker-world.ts';

const ISSUER = caller('ann').issuer;
const LOGOUT: Revoker = { kind: 'event', source: 'logout', name: 'app' };
const ANN: WhoSelection = { kind: 'user', userNames: [], subjects: [{ issuer: ISSUER, subject: 'sub-ann' }] };

const signOut = ({ process, clock }: World, overrides: Parameters<World['process']>[0] = {}) =>
  process(overrides).shutOut(ANN, { kind: 'sign-out', issuedUpTo: clock.now() }, LOGOUT);
const freshAnn = ({ clock }: World) => ({ ...caller('ann'), issuedAt: clock.now() });

describe('a logout', () => {
  test('waits for ThoughtSpot for a second and a half at most, and leaves the rest to the sweep', async () => {
    const world = makeWorld({ revoke: { writeMs: 300 } });
    const { clock, issuer, process } = world;
    await process().getToken('ann');
    const began = clock.now();
    let until = 0;
    const slow: typeof issuer = {
      ...issuer,
      async revoke(_token, _user, deadline) {
        await clock.sleep(deadline - clock.now());
        until = clock.now();
        return { outcome: 'retry', failure: new Failure('upstream-timeout') };
      },
    };
    expect(await clock.drive(signOut(world, { issuer: slow }))).toEqual({ revoked: 0, pending: null });
    expect(until - began).toBeGreaterThan(0);
    expect(clock.now() - began).toBeLessThanOrEqual(REVOKE_SETTINGS.logoutMs);
    await clock.drive(clock.sleep(60_000));
    await clock.drive(process().sweep());
    expect(issuer.live()).toEqual([]);
  });

  test('is on record though what lives cannot be read, and the sweep ends it', async () => {
    const world = makeWorld();
    const { clock, issuer, ledger, process } = world;
    const asked = freshAnn(world);
    await process().getToken(asked);
    const broken: typeof ledger = {
      ...ledger,
      async *unfinishedOfCaller() {
        await clock.sleep(1);
        throw new Failure('ledger-unavailable');
      },
    };
    expect(await clock.drive(signOut(world, { ledger: broken }))).toEqual({ revoked: 0, pending: null });
    await expect(process().getToken(asked)).rejects.toMatchObject({ code: 'sign-in-again' });
    await clock.drive(clock.sleep(60_000));
    await clock.drive(process().sweep());
    expect(issuer.live()).toEqual([]);
  });

  test('that cannot be put on record fails', async () => {
    const world = makeWorld();
    const raiseBlock = () => Promise.reject(new Failure('ledger-unavailable'));
    await expect(signOut(world, { ledger: { ...world.ledger, raiseBlock } })).rejects.toMatchObject({
      code: 'ledger-unavailable',
    });
  });

  test('of somebody who holds nothing is no misspelt name', async () => {
    const world = makeWorld();
    expect(await signOut(world)).toEqual({ revoked: 0, pending: null });
    expect(world.signals.get('unmatched-name')).toBeUndefined();
  });
});
