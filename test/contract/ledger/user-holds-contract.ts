/** What any token ledger promises of holds on ThoughtSpot users, as tests that an implementation runs on itself. */
import { randomUUID } from 'node:crypto';
import type { HeldUser, HoldRequest, TokenLedger } from '../../../functions/broker/ports.ts';
import type { Subject } from './fixtures.ts';

export function describeUserHolds(name: string, start: () => Promise<Subject>): void {
  describe(name, () => {
    let subject: Subject;
    let ledger: TokenLedger;
    let deadline: number;

    beforeAll(async () => {
      subject = await start();
      ({ ledger } = subject);
      deadline = subject.clock.now() + 1_000_000_000;
    });
    afterAll(() => subject.close());

    describe('a hold on a ThoughtSpot user', () => {
      const user = (over: Partial<HeldUser> = {}): HeldUser => ({
        userName: `user-${randomUUID()}`,
        orgId: 1,
        ...over,
      });
      const first = { digest: 'emea', subject: 'ann', until: 1_000 };

      it.each<[string, Partial<HoldRequest>, number, boolean]>([
        ['the same once more', {}, 500, true],
        ['a later end', { until: 2_000 }, 500, true],
        ['an earlier end', { until: 999 }, 500, false],
        ['another digest', { digest: 'apac' }, 500, false],
        ['another subject', { subject: 'bo' }, 500, false],
        ['another digest, when it has ended', { digest: 'apac', until: 3_000 }, 1_001, true],
        ['another digest, just before it has ended', { digest: 'apac', until: 3_000 }, 1_000, false],
      ])('takes or refuses %s', async (_, over, endedBefore, taken) => {
        const held = user();
        expect(await ledger.userHold(held, deadline)).toBeUndefined();
        expect(await ledger.holdUser(held, first, 0, deadline)).toBe(true);
        expect(await ledger.holdUser(held, { ...first, ...over }, endedBefore, deadline)).toBe(taken);
        const hold = await ledger.userHold(held, deadline);
        expect(hold).toMatchObject(taken ? { ...first, ...over } : first);
      });

      it('is of one user in one org, whatever the case of the name', async () => {
        const { userName } = user();
        await ledger.holdUser({ userName, orgId: 1 }, first, 0, deadline);
        expect(await ledger.userHold({ userName: userName.toUpperCase(), orgId: 1 }, deadline)).toMatchObject(first);
        expect(await ledger.userHold({ userName, orgId: 2 }, deadline)).toBeUndefined();
        expect(await ledger.userHold({ userName: `${userName}2`, orgId: 1 }, deadline)).toBeUndefined();
      });

      it('is replaced only as it was read, with and without an end of what was before', async () => {
        const held = user();
        await ledger.holdUser(held, first, 0, deadline);
        const read = await ledger.userHold(held, deadline);
        if (!read) throw new Error('no hold');
        const next = { digest: 'apac', subject: 'ann', until: 2_000, mixedUntil: 1_000 };
        expect(await ledger.replaceUserHold(held, read, next, deadline)).toBe(true);
        expect(await ledger.replaceUserHold(held, read, first, deadline)).toBe(false);
        const second = await ledger.userHold(held, deadline);
        expect(second).toEqual({ ...next, write: expect.any(String) as string });
        if (!second) throw new Error('no hold');
        // The same once more is another write.
        expect(await ledger.holdUser(held, next, 0, deadline)).toBe(true);
        expect(await ledger.replaceUserHold(held, second, first, deadline)).toBe(false);
        const third = await ledger.userHold(held, deadline);
        if (!third) throw new Error('no hold');
        expect(await ledger.replaceUserHold(held, third, first, deadline)).toBe(true);
        expect(await ledger.userHold(held, deadline)).toEqual({ ...first, write: expect.any(String) as string });
      });

      it('has one winner among fifty digests at once', async () => {
        const held = user();
        const ledgers = [ledger, subject.other(), subject.other()];
        const wins = await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            (ledgers[i % 3] ?? ledger).holdUser(held, { ...first, digest: `digest-${i}` }, 0, deadline),
          ),
        );
        expect(wins.filter(Boolean)).toHaveLength(1);
      });

      it('is listed, page by page, for users that the broker made and that had no token since', async () => {
        const orgId = 7_000_000;
        const suffix = '~abcdefgh234567ab';
        const names = ['Ann', 'bo', 'cy', 'dee', 'eve'].map((name) => `${name}-${randomUUID()}`);
        const made = names.map((name) => `${name}${suffix}`);
        for (const [index, userName] of made.entries())
          await ledger.holdUser({ userName, orgId }, { ...first, until: 1_000 + index }, 0, deadline);
        await ledger.holdUser({ userName: names[0] ?? '', orgId }, first, 0, deadline);
        const listed: unknown[] = [];
        let cursor: string | undefined;
        do {
          const page = await ledger.usersUnusedSince(1_003, 2, cursor, deadline);
          expect(page.users.length).toBeLessThanOrEqual(2);
          listed.push(...page.users.filter((one) => one.orgId === orgId));
          cursor = page.next;
        } while (cursor !== undefined);
        expect(listed).toEqual([0, 1, 2].map((index) => ({ userName: made[index], orgId, until: 1_000 + index })));
      });
    });
  });
}
