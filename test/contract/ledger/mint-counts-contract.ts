/** What any token ledger promises of what counts against limits, as tests that an implementation runs on itself. */
import { randomUUID } from 'node:crypto';
import type { CallerId } from '../../../functions/broker/lease.ts';
import type { Mark } from '../../../functions/broker/mint-counts.ts';
import type { TokenLedger } from '../../../functions/broker/ports.ts';
import { collect, reservation, type Subject } from './fixtures.ts';

export function describeMintCounts(name: string, start: () => Promise<Subject>): void {
  describe(name, () => {
    let subject: Subject;
    let ledger: TokenLedger;
    let deadline: number;
    const somebody = (): CallerId => ({ issuer: 'https://issuer.example', subject: randomUUID() });
    const mark = (id: string): Mark => ({ id, at: 1_000, until: 301_000 });
    const ringOf = async (caller: CallerId) => (await ledger.standing({ caller, orgId: 1 }, deadline)).ring;
    const ids = async (caller: CallerId) => (await ringOf(caller)).marks.map(({ id }) => id).sort();

    beforeAll(async () => {
      subject = await start();
      ({ ledger } = subject);
      deadline = subject.clock.now() + 1_000_000_000;
    });
    afterAll(() => subject.close());

    it("reads a caller's ring and an org's mints together with its cut-off", async () => {
      const caller = somebody();
      expect(await ledger.standing({ caller, orgId: 60 }, deadline)).toEqual({
        blocks: [],
        ring: { marks: [] },
        orgMints: new Map(),
      });
      await ledger.raiseBlock({ kind: 'org', orgId: 60 }, { before: 500 }, deadline);
      await ledger.addMark(caller, { marks: [] }, mark('a'), 1, deadline);
      await ledger.countOrgMints(60, new Map([[7, 2]]), [], deadline);
      const block = { scope: { kind: 'org', orgId: 60 }, before: 500, pending: true };
      const standing = { blocks: [block], ring: { marks: [mark('a')] }, orgMints: new Map([[7, 2]]) };
      expect(await subject.other().standing({ caller, orgId: 60 }, deadline)).toEqual(standing);
      expect(await ledger.standing({ caller: somebody(), orgId: 61 }, deadline)).toMatchObject({
        blocks: [],
        orgMints: new Map(),
      });
    });

    it('adds marks of any number of sandboxes up to the most, without another look', async () => {
      const caller = somebody();
      const seen = await ringOf(caller);
      const added = await Promise.all(
        Array.from({ length: 9 }, (_, n) => subject.other().addMark(caller, seen, mark(`m${n}`), 4, deadline)),
      );
      expect(added.filter(Boolean)).toHaveLength(4);
      expect((await ringOf(caller)).marks).toHaveLength(4);
    });

    it('adds the same mark once, however often it is sent', async () => {
      const caller = somebody();
      for (let n = 0; n < 3; n += 1)
        expect(await ledger.addMark(caller, { marks: [] }, mark('a'), 9, deadline)).toBe(true);
      expect(await ids(caller)).toEqual(['a']);
    });

    it('replaces a ring only as it was seen, and takes no mark any more that goes by the old one', async () => {
      const caller = somebody();
      await ledger.addMark(caller, { marks: [] }, mark('a'), 9, deadline);
      const seen = await ringOf(caller);
      await ledger.addMark(caller, seen, mark('b'), 9, deadline);
      expect(await ledger.replaceMarks(caller, seen, [mark('c')], deadline)).toBe(false);
      const both = await ringOf(caller);
      expect(await ledger.replaceMarks(caller, both, [mark('c'), mark('d')], deadline)).toBe(true);
      expect(await ids(caller)).toEqual(['c', 'd']);
      expect(await ledger.replaceMarks(caller, both, [mark('e'), mark('f')], deadline)).toBe(false);
      expect(await ledger.addMark(caller, both, mark('e'), 9, deadline)).toBe(false);
      const now = await ringOf(caller);
      expect(now.epoch).toEqual(expect.any(String));
      expect(await ledger.addMark(caller, now, mark('e'), 3, deadline)).toBe(true);
      expect(await ledger.addMark(caller, now, mark('f'), 3, deadline)).toBe(false);
      expect(await ledger.replaceMarks(caller, await ringOf(caller), [mark('g')], deadline)).toBe(true);
      expect((await ringOf(caller)).epoch).not.toBe(now.epoch);
    });

    it("adds to an org's spans, and takes those away that are over", async () => {
      await Promise.all(
        Array.from({ length: 5 }, () => subject.other().countOrgMints(62, new Map([[7, 2]]), [], deadline)),
      );
      const next = new Map([
        [8, 1],
        [9, 3],
      ]);
      await ledger.countOrgMints(62, next, [7, 3], deadline);
      expect((await ledger.standing({ caller: somebody(), orgId: 62 }, deadline)).orgMints).toEqual(next);
    });

    it('ends at a deadline that has passed, before anything is done', async () => {
      const caller = somebody();
      const past = subject.clock.now();
      const unavailable = { code: 'ledger-unavailable' };
      await expect(ledger.standing({ caller, orgId: 1 }, past)).rejects.toMatchObject(unavailable);
      await expect(ledger.addMark(caller, { marks: [] }, mark('a'), 9, past)).rejects.toMatchObject(unavailable);
      await expect(ledger.countOrgMints(63, new Map([[7, 2]]), [], past)).rejects.toMatchObject(unavailable);
      expect(await ids(caller)).toEqual([]);
    });

    it("finds a caller's unfinished leases among those of one user", async () => {
      const [ann, bob] = [somebody(), somebody()];
      const user = `user-${randomUUID()}`;
      for (const caller of [ann, bob, ann]) await ledger.reserve(reservation({ user, caller }), deadline);
      const failed = reservation({ user, caller: ann });
      await ledger.reserve(failed, deadline);
      await ledger.transition(failed, { to: 'failed', dueAt: null }, deadline);
      const of = async (caller?: CallerId) => (await collect(ledger.unfinishedOfUser(user, deadline, caller))).length;
      expect([await of(ann), await of(bob), await of(somebody()), await of()]).toEqual([2, 1, 0, 3]);
    });
  });
}
